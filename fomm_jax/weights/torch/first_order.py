"""How the original of the first-order model names its tensors, and which fields they determine."""

import re
from collections.abc import Iterator, Sequence

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.weights.torch.config_fields import (
    ConfigField,
    TorchState,
    TorchStates,
    count_modules,
    encoder_fields,
    hourglass_fields,
    out_channels,
)
from fomm_jax.weights.torch.original import Original, rename

NETWORKS = ("kp_detector", "generator", "discriminator")

# (pattern over our path, replacement that gives the torch key)
RENAMES = (
    (r"\b(predictor|hourglass)\.down_blocks\.", r"\1.encoder.down_blocks."),
    (r"\b(predictor|hourglass)\.up_blocks\.", r"\1.decoder.up_blocks."),
    (r"\bbottleneck\.(\d+)\.", r"bottleneck.r\1."),
    (r"\bconv\.conv\.kernel$", "conv.weight_orig"),  # under spectral norm
    (r"\bconv\.conv\.bias$", "conv.bias"),
    (r"\bconv\.left$", "conv.weight_u"),
    (r"\bconv\.right$", "conv.weight_v"),
    (r"\.(kernel|scale)$", ".weight"),
    (r"\.(mean|var)$", r".running_\1"),
)
# The parts of keys in the order in which the original's modules register them. Adam numbers the
# parameters in that order. Parts that are numbers are in the order of the numbers.
REGISTERED = """
    dense_motion_network hourglass predictor encoder decoder mask occlusion kp jacobian
    first down_blocks up_blocks bottleneck final discs conv conv1 conv2 norm norm1 norm2
    weight bias weight_orig weight_u weight_v running_mean running_var num_batches_tracked down
"""
RANKS = {part: rank for rank, part in enumerate(REGISTERED.split())}


DISCRIMINATOR_SCALE = re.compile(r"discs\.(\d+(?:-\d+)?)\.")  # "0-5" is the scale 0.5


def torch_key(network: str, path: Sequence[object], config: Config) -> str:
    """Return the key of a variable in the state dict of its network.

    Args:
      network: the network's name.
      path: the variable's path in our network, without the network's name.
      config: the configuration, whose scales of the discriminator name modules of the original.
    """
    if network == "discriminator":
        scale = config.model.discriminator.scales[int(str(path[1]))]
        path = (path[0], _scale_name(scale), *path[2:])
    return rename(path, RENAMES)


def torch_position(key: str, config: Config) -> list[int]:
    """Return the position of a key in torch's state dict, as a list to sort by."""
    parts = key.split(".")
    if parts[0] == "discs":
        scales = config.model.discriminator.scales
        parts[1] = str([*map(_scale_name, scales)].index(parts[1]))
    return [RANKS[part] if part in RANKS else int(part.removeprefix("r")) for part in parts]


def antialias_scales(config: Config) -> dict[tuple[str, str], float]:
    """Return the scales of the Gaussian kernels that a checkpoint holds, by network and key."""
    return {
        ("kp_detector", "down.weight"): config.model.kp_detector.scale_factor,
        (
            "generator",
            "dense_motion_network.down.weight",
        ): config.model.generator.dense_motion.scale_factor,
    }


def find_fields(states: TorchStates) -> Iterator[ConfigField]:
    """Yield the fields of `config.model` that the tensors of a checkpoint determine."""
    yield from _detector_fields(states["kp_detector"])
    yield from _generator_fields(states["generator"])
    if "discriminator" in states:
        yield from _discriminator_fields(states["discriminator"])


def _detector_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the number of keypoints and the fields of the keypoint detector's section."""
    network = "kp_detector"
    yield ConfigField("num_kp", out_channels(state, network, "kp.weight"), network, "kp.weight")
    key = "jacobian.weight"
    jacobian = state.get(key)
    yield ConfigField("estimate_jacobian", jacobian is not None, network, key)
    if jacobian is not None:
        is_single = len(jacobian) == 4 and out_channels(state, network, "kp.weight") != 1
        yield ConfigField("kp_detector.single_jacobian_map", is_single, network, key)
    yield from hourglass_fields(state, network, "kp_detector", "predictor")


def _generator_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the fields of the generator's section, the dense motion network's among them."""
    network = "generator"
    key = "first.conv.weight"
    yield ConfigField("generator.block_expansion", out_channels(state, network, key), network, key)
    yield from encoder_fields(state, network, "generator.num_down_blocks", "down_blocks")
    count = count_modules(state, r"bottleneck\.r(\d+)\.")
    key = f"bottleneck.r{count - 1}.conv1.weight"
    yield ConfigField("generator.num_bottleneck_blocks", count, network, key)
    key = "dense_motion_network.occlusion.weight"
    yield ConfigField("generator.estimate_occlusion_map", key in state, network, key)
    hourglass = "dense_motion_network.hourglass"
    yield from hourglass_fields(state, network, "generator.dense_motion", hourglass)


def _discriminator_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the fields of the discriminator's section, whose scales are in the names of modules."""
    network = "discriminator"
    matches = map(DISCRIMINATOR_SCALE.match, state)
    names = list(dict.fromkeys(match[1] for match in matches if match))
    if not names:
        raise InputError(f"{network}.discs is missing; expected a discriminator of the original")
    scales = tuple(float(name.replace("-", ".")) for name in names)
    module = f"discs.{names[0]}"
    is_spectral = f"{module}.conv.weight_orig" in state
    first = f"{module}.down_blocks.0.conv.weight{'_orig' if is_spectral else ''}"
    width = out_channels(state, network, first)
    yield ConfigField("discriminator.scales", scales, network, f"discs.{names[-1]}.conv.bias")
    yield ConfigField("discriminator.sn", is_spectral, network, f"{module}.conv.weight_orig")
    yield ConfigField("discriminator.use_kp", state[first].shape[1] > 3, network, first)
    yield ConfigField("discriminator.block_expansion", width // 2, network, first)
    yield from encoder_fields(state, network, "discriminator.num_blocks", f"{module}.down_blocks")


def _scale_name(scale: float) -> str:
    """Return the name of a scale in the original's keys: as in YAML, with "-" for the point."""
    return f"{scale:g}".replace(".", "-")


FIRST_ORDER = Original(
    networks=NETWORKS,
    required=("kp_detector", "generator"),
    optimizers={f"optimizer_{network}": (network,) for network in NETWORKS},
    key=torch_key,
    position=torch_position,
    antialias_scales=antialias_scales,
    fields=find_fields,
)
