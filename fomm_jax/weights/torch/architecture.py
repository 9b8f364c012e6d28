"""The fields of `config.model` that the tensors of an original checkpoint determine."""

import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.weights.torch.names import NETWORKS

TorchState = Mapping[str, np.ndarray]  # a state dict
TorchStates = Mapping[str, TorchState]  # by network

DISCRIMINATOR_SCALE = re.compile(r"discs\.(\d+(?:-\d+)?)\.")  # "0-5" is the scale 0.5


class ConfigField(NamedTuple):
    """A field of `config.model` with the value that fits a checkpoint, and the tensor behind it."""

    name: str
    value: Any
    network: str
    key: str
    at_least: bool = False  # larger values fit as well


def read_states(checkpoint: Mapping[str, Any]) -> TorchStates:
    """Return the state dicts of a checkpoint by network, without the prefix of DataParallel.

    Raises:
      InputError: the checkpoint lacks a network that every checkpoint of the original has, or has
        something else than a state dict under its name.
    """
    states = {}
    for network in NETWORKS:
        state = checkpoint.get(network)
        if state is None and network == "discriminator":
            continue
        if state is None:
            raise InputError(
                f"the checkpoint has no {network}; expected a checkpoint of the original"
            )
        if not isinstance(state, Mapping):
            raise InputError(f"{network}: expected a state dict, got {type(state).__name__}")
        for key, tensor in state.items():
            if not isinstance(tensor, np.ndarray):
                raise InputError(f"{network}.{key}: expected a tensor, got {tensor!r:.60}")
        states[network] = {str(key).removeprefix("module."): state[key] for key in state}
    return states


def find_config_fields(states: TorchStates) -> Iterator[ConfigField]:
    """Yield the fields of `config.model` that the names and shapes of tensors determine.

    Args:
      states: the state dicts of `kp_detector`, `generator` and, unless the checkpoint has none,
        `discriminator`.

    Raises:
      InputError: a tensor is missing that every checkpoint of the original has.
    """
    yield from _detector_fields(states["kp_detector"])
    yield from _generator_fields(states["generator"])
    if "discriminator" in states:
        yield from _discriminator_fields(states["discriminator"])


def check_architecture(
    config: Config,
    states: TorchStates,
    expected: Mapping[tuple[str, str], tuple[int, ...]],
) -> None:
    """Raise InputError if a field of `config.model` does not fit a checkpoint.

    Args:
      config: the config.
      states: the state dicts of the checkpoint.
      expected: the shapes of all tensors that the config asks for, by network and key.

    Raises:
      InputError: a field does not fit; the message names it, both shapes and the value that fits.
    """
    for field in find_config_fields(states):
        configured = attrgetter(field.name)(config.model)
        if configured == field.value or (field.at_least and configured > field.value):
            continue
        tensor = states[field.network].get(field.key)
        raise InputError(
            f"config.model.{field.name} is {configured!r}, where the checkpoint fits"
            f" {'at least ' if field.at_least else ''}{field.value!r}: {field.network}.{field.key}"
            f" has shape {tensor.shape if tensor is not None else '(none, it is not there)'},"
            f" the config asks for {expected.get((field.network, field.key)) or '(none)'}"
        )


def _detector_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the number of keypoints and the fields of the keypoint detector's section."""
    network = "kp_detector"
    yield ConfigField("num_kp", _out_channels(state, network, "kp.weight"), network, "kp.weight")
    key = "jacobian.weight"
    jacobian = state.get(key)
    yield ConfigField("estimate_jacobian", jacobian is not None, network, key)
    if jacobian is not None:
        is_single = len(jacobian) == 4 and _out_channels(state, network, "kp.weight") != 1
        yield ConfigField("kp_detector.single_jacobian_map", is_single, network, key)
    yield from _hourglass_fields(state, network, "kp_detector", "predictor")


def _generator_fields(state: TorchState) -> Iterator[ConfigField]:
    """Yield the fields of the generator's section, the dense motion network's among them."""
    network = "generator"
    key = "first.conv.weight"
    yield ConfigField("generator.block_expansion", _out_channels(state, network, key), network, key)
    yield from _encoder_fields(state, network, "generator.num_down_blocks", "down_blocks")
    count = _count(state, r"bottleneck\.r(\d+)\.")
    key = f"bottleneck.r{count - 1}.conv1.weight"
    yield ConfigField("generator.num_bottleneck_blocks", count, network, key)
    key = "dense_motion_network.occlusion.weight"
    yield ConfigField("generator.estimate_occlusion_map", key in state, network, key)
    hourglass = "dense_motion_network.hourglass"
    yield from _hourglass_fields(state, network, "generator.dense_motion", hourglass)


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
    width = _out_channels(state, network, first)
    yield ConfigField("discriminator.scales", scales, network, f"discs.{names[-1]}.conv.bias")
    yield ConfigField("discriminator.sn", is_spectral, network, f"{module}.conv.weight_orig")
    yield ConfigField("discriminator.use_kp", state[first].shape[1] > 3, network, first)
    yield ConfigField("discriminator.block_expansion", width // 2, network, first)
    yield from _encoder_fields(state, network, "discriminator.num_blocks", f"{module}.down_blocks")


def _hourglass_fields(
    state: TorchState, network: str, section: str, hourglass: str
) -> Iterator[ConfigField]:
    """Yield the fields of a section whose hourglass takes frames at a reduced scale.

    Args:
      state: the state dict of the network.
      network: its name.
      section: the section of `config.model`.
      hourglass: the path of the hourglass in the network.
    """
    count = _count(state, rf"{re.escape(hourglass)}\.decoder\.up_blocks\.(\d+)\.")
    key = f"{hourglass}.decoder.up_blocks.{max(count, 1) - 1}.conv.weight"
    yield ConfigField(
        f"{section}.block_expansion", _out_channels(state, network, key), network, key
    )
    blocks = f"{hourglass}.encoder.down_blocks"
    yield from _encoder_fields(state, network, f"{section}.num_blocks", blocks)
    parent = hourglass.rpartition(".")[0]
    key = f"{parent}.down.weight" if parent else "down.weight"
    # An anti-aliasing kernel for the scale 1/n has a side of 4n - 3 (`geometry.antialias_kernel`).
    scale = 4 / (_kernel(state, network, key).shape[-1] + 3) if key in state else 1.0
    yield ConfigField(f"{section}.scale_factor", scale, network, key)


def _encoder_fields(
    state: TorchState, network: str, count_field: str, blocks: str
) -> Iterator[ConfigField]:
    """Yield the number of blocks that double the channels, and the bound of the channels.

    Args:
      state: the state dict of the network.
      network: its name.
      count_field: the field for the number of blocks; the bound's is beside it in the section.
      blocks: the path of the blocks in the network.
    """
    count = _count(state, rf"{re.escape(blocks)}\.(\d+)\.")
    yield ConfigField(count_field, count, network, f"{blocks}.{count - 1}.conv.weight")
    if count == 0:
        return
    is_spectral = any(key.startswith(blocks) and key.endswith("weight_orig") for key in state)
    suffix = "_orig" if is_spectral else ""  # of the names of kernels under spectral norm
    keys = [f"{blocks}.{i}.conv.weight{suffix}" for i in range(count)]
    widths = [_out_channels(state, network, key) for key in keys]
    bounded = [i for i in range(1, count) if widths[i] < 2 * widths[i - 1]]
    index = bounded[0] if bounded else count - 1
    bound_field = f"{count_field.rpartition('.')[0]}.max_features"
    yield ConfigField(bound_field, widths[index], network, keys[index], at_least=not bounded)


def _out_channels(state: TorchState, network: str, key: str) -> int:
    """Return the number of output channels of a convolution.

    Raises:
      InputError: the checkpoint has no such convolution.
    """
    return len(_kernel(state, network, key))


def _kernel(state: TorchState, network: str, key: str) -> np.ndarray:
    """Return the kernel of a convolution, (out, in, height, width).

    Raises:
      InputError: the checkpoint has no such convolution.
    """
    if key not in state:
        raise InputError(f"{network}.{key} is missing; expected a whole checkpoint of the original")
    if state[key].ndim != 4:
        raise InputError(f"{network}.{key} has shape {state[key].shape}; expected that of a kernel")
    return state[key]


def _count(state: TorchState, pattern: str) -> int:
    """Return one more than the highest number that a pattern extracts from the keys' beginnings."""
    matches = (re.match(pattern, key) for key in state)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
