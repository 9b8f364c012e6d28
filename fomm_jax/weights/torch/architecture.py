"""What a checkpoint of the original tells of its architecture, in the words of our config."""

import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

TorchStates = Mapping[str, Mapping[str, np.ndarray]]  # state dicts by network


class Finding(NamedTuple):
    """The value of a field of `config.model`, and the tensor that tells it."""

    field: str
    value: Any
    network: str
    key: str
    at_least: bool = False  # larger values fit as well


def find_architecture(states: TorchStates) -> Iterator[Finding]:
    """What the names and shapes of a checkpoint's tensors tell.

    Args:
      states: of `kp_detector`, `generator` and, where there is one, `discriminator`.
    """
    detector, generator = states["kp_detector"], states["generator"]
    jacobian = detector.get("jacobian.weight")
    yield Finding("num_kp", _width(detector, "kp.weight"), "kp_detector", "kp.weight")
    yield Finding("estimate_jacobian", jacobian is not None, "kp_detector", "jacobian.weight")
    if jacobian is not None:
        single = len(jacobian) == 4 and _width(detector, "kp.weight") != 1
        yield Finding("kp_detector.single_jacobian_map", single, "kp_detector", "jacobian.weight")
    yield from _hourglass(detector, "kp_detector", "kp_detector", "", "predictor")

    first = "first.conv.weight"
    yield Finding("generator.block_expansion", _width(generator, first), "generator", first)
    yield from _encoder(generator, "generator", "generator", "num_down_blocks", "down_blocks")
    count = _count(generator, r"bottleneck\.r(\d+)\.")
    key = f"bottleneck.r{count - 1}.conv1.weight"
    yield Finding("generator.num_bottleneck_blocks", count, "generator", key)
    occlusion = "dense_motion_network.occlusion.weight"
    yield Finding(
        "generator.estimate_occlusion_map", occlusion in generator, "generator", occlusion
    )
    yield from _hourglass(
        generator, "generator", "generator.dense_motion", "dense_motion_network.", "hourglass"
    )
    if "discriminator" in states:
        yield from _discriminator(states["discriminator"])


def check_architecture(
    config: Config,
    states: TorchStates,
    expected: Mapping[tuple[str, str], tuple[int, ...]],
) -> None:
    """Compare a checkpoint's architecture with the config's.

    Args:
      config: the config.
      states: of the checkpoint.
      expected: the shapes of all tensors that the config asks for, by network and key.

    Raises:
      InputError: they disagree; the message names the field, both shapes and the value that fits.
    """
    for field, value, network, key, at_least in find_architecture(states):
        ours = attrgetter(field)(config.model)
        if ours == value or (at_least and ours > value):
            continue
        tensor, shape = states[network].get(key), expected.get((network, key))
        raise InputError(
            f"config.model.{field} is {ours!r}, where the checkpoint fits"
            f" {'at least ' if at_least else ''}{value!r}: {network}.{key} has shape"
            f" {tensor.shape if tensor is not None else '(none, it is not there)'},"
            f" the config asks for {shape or '(none)'}"
        )


def _hourglass(
    state: Mapping[str, np.ndarray], network: str, section: str, prefix: str, hourglass: str
) -> Iterator[Finding]:
    """The fields of a section with an hourglass that sees a shrunk frame."""
    last = _count(state, rf"{prefix}{hourglass}\.decoder\.up_blocks\.(\d+)\.") - 1
    key = f"{prefix}{hourglass}.decoder.up_blocks.{last}.conv.weight"
    yield Finding(f"{section}.block_expansion", _width(state, key), network, key)
    blocks = f"{prefix}{hourglass}.encoder.down_blocks"
    yield from _encoder(state, network, section, "num_blocks", blocks)
    key = f"{prefix}down.weight"
    # An anti-aliasing kernel for the scale 1/n has a side of 4n - 3 (`geometry.antialias_kernel`).
    scale = 4 / (state[key].shape[-1] + 3) if key in state else 1.0
    yield Finding(f"{section}.scale_factor", scale, network, key)


def _encoder(
    state: Mapping[str, np.ndarray], network: str, section: str, count_field: str, blocks: str
) -> Iterator[Finding]:
    """The number of blocks that double the channels, and the bound of these."""
    count = _count(state, rf"{re.escape(blocks)}\.(\d+)\.")
    key = f"{blocks}.{count - 1}.conv.weight"
    yield Finding(f"{section}.{count_field}", count, network, key)
    keys = [f"{blocks}.{i}.conv.weight" for i in range(count)]
    keys = [key if key in state else f"{key}_orig" for key in keys]  # under spectral norm
    widths = [_width(state, key) for key in keys]
    bounded = [i for i in range(1, count) if widths[i] < 2 * widths[i - 1]]
    at = bounded[0] if bounded else count - 1
    yield Finding(f"{section}.max_features", widths[at], network, keys[at], at_least=not bounded)


def _discriminator(state: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """The fields of the discriminator's section, whose scales are in the names of its parts."""
    names = list(dict.fromkeys(key.split(".")[1] for key in state))
    scales = tuple(float(name.replace("-", ".")) for name in names)
    part = f"discs.{names[0]}"
    spectral = f"{part}.conv.weight_orig" in state
    first = f"{part}.down_blocks.0.conv.weight{'_orig' if spectral else ''}"
    yield Finding("discriminator.scales", scales, "discriminator", f"discs.{names[-1]}.conv.bias")
    yield Finding("discriminator.sn", spectral, "discriminator", f"{part}.conv.weight_orig")
    yield Finding("discriminator.use_kp", state[first].shape[1] > 3, "discriminator", first)
    yield Finding(
        "discriminator.block_expansion", _width(state, first) // 2, "discriminator", first
    )
    yield from _encoder(
        state, "discriminator", "discriminator", "num_blocks", f"{part}.down_blocks"
    )


def _width(state: Mapping[str, np.ndarray], key: str) -> int:
    """The number of channels that a convolution gives."""
    if key not in state:
        raise InputError(f"the checkpoint has no {key}; expected a checkpoint of the original")
    return len(state[key])


def _count(state: Mapping[str, np.ndarray], pattern: str) -> int:
    """One more than the highest number in the keys that begin with a pattern."""
    matches = (re.match(pattern, key) for key in state)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
