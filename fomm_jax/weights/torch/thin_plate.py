"""How the original of the thin-plate spline model names its tensors, and which fields they set."""

import re
from collections.abc import Iterator, Sequence

from fomm_jax.config.schema import Config
from fomm_jax.weights.torch.config_fields import (
    ConfigField,
    TorchState,
    TorchStates,
    encoder_fields,
    hourglass_fields,
    out_channels,
)
from fomm_jax.weights.torch.original import Original, rename

TRAINED_TOGETHER = ("inpainting_network", "dense_motion_network", "kp_detector")

# (pattern over our path, replacement that gives the torch key)
RENAMES = (
    (r"^hourglass\.down_blocks\.", "hourglass.encoder.down_blocks."),
    (r"^hourglass\.up_blocks\.", "hourglass.decoder.up_blocks."),
    (r"\.(kernel|scale)$", ".weight"),
    (r"\.(mean|var)$", r".running_\1"),
)
# Of the networks that are a ResNet, whose names in the original are those of `RESNETS`.
RESNET_RENAMES = (
    *((rf"^encoder\.stages\.{i}\.", f"encoder.layer{i + 1}.") for i in range(4)),
    (r"\bshortcut\.conv\.", "downsample.0."),
    (r"\bshortcut\.norm\.", "downsample.1."),
    (r"\bnorm(\d)\.", r"bn\1."),
    (r"\blast\.", "fc."),
)
RESNETS = {"kp_detector": "fg_encoder", "bg_predictor": "bg_encoder"}
# Of the AVD network, whose layers the original numbers: linear, norm, rectifier, linear, …
LAYER = re.compile(r"\b(linears|norms)\.(\d)\.")
# The parts of keys in the order in which the original's modules register them.
REGISTERED = """
    first down_blocks up_blocks resblock final
    down hourglass id_encoder pose_encoder encoder decoder maps up occlusion fg_encoder bg_encoder
    conv conv1 bn1 conv2 bn2 downsample norm norm1 norm2 layer1 layer2 layer3 layer4 fc
    weight bias running_mean running_var num_batches_tracked
"""
RANKS = {part: rank for rank, part in enumerate(REGISTERED.split())}


def torch_key(network: str, path: Sequence[object], config: Config) -> str:
    """Return the key of a variable in the state dict of its network.

    Args:
      network: the network's name.
      path: the variable's path in our network, without the network's name.
      config: the configuration, on which no name depends.
    """
    del config
    if network in RESNETS:
        key = rename(path, (*RESNET_RENAMES, *RENAMES))
        return f"{RESNETS[network]}.{key.removeprefix('encoder.')}"
    key = rename(path, RENAMES)
    if network == "avd_network":
        return LAYER.sub(lambda match: f"{3 * int(match[2]) + (match[1] == 'norms')}.", key)
    return key


def torch_position(key: str, config: Config) -> list[int]:
    """Return the position of a key in torch's state dict, as a list to sort by."""
    del config
    return [RANKS[part] if part in RANKS else int(part) for part in key.split(".")]


def antialias_scales(config: Config) -> dict[tuple[str, str], float]:
    """Return the scale of the Gaussian kernel that a checkpoint holds, by network and key."""
    scale = config.model.thin_plate.dense_motion.scale_factor
    return {("dense_motion_network", "down.weight"): scale}


def find_fields(states: TorchStates) -> Iterator[ConfigField]:
    """Yield the fields of `config.model` that the tensors of a checkpoint determine."""
    yield from _motion_fields(states["dense_motion_network"])
    yield from _inpainting_fields(states["inpainting_network"])
    if "bg_predictor" in states:  # it may be missing from early checkpoints of a model that has one
        yield ConfigField("thin_plate.bg", True, "bg_predictor", "bg_encoder.fc.weight")
    if "avd_network" in states:
        yield from _avd_fields(states["avd_network"])


def _motion_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the number of splines and the fields of the dense motion network's section."""
    network = "dense_motion_network"
    splines = out_channels(state, network, "maps.weight") - 1
    yield ConfigField("thin_plate.num_tps", splines, network, "maps.weight")
    key = "occlusion.1.weight"
    yield ConfigField("thin_plate.multi_mask", key in state, network, key)
    yield from hourglass_fields(state, network, "thin_plate.dense_motion", "hourglass")


def _inpainting_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the fields of the inpainting network's section."""
    network, section, key = "inpainting_network", "thin_plate.generator", "first.conv.weight"
    width = out_channels(state, network, key)
    yield ConfigField(f"{section}.block_expansion", width, network, key)
    yield from encoder_fields(state, network, f"{section}.num_down_blocks", "down_blocks")


def _avd_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the fields of the AVD network's section."""
    network = "avd_network"
    for name in ("id", "pose"):
        key = f"{name}_encoder.9.bias"
        if key in state:
            field = f"thin_plate.avd_network.{name}_bottle_size"
            yield ConfigField(field, len(state[key]), network, key)


THIN_PLATE = Original(
    networks=(*TRAINED_TOGETHER, "bg_predictor", "avd_network"),
    required=TRAINED_TOGETHER,
    optimizers={
        "optimizer": TRAINED_TOGETHER,
        "optimizer_bg_predictor": ("bg_predictor",),
        "optimizer_avd": ("avd_network",),
    },
    key=torch_key,
    position=torch_position,
    antialias_scales=antialias_scales,
    fields=find_fields,
)
