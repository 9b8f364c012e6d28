"""Fields of `config.model` that the tensors of an original's checkpoint determine.

The originals of all models have these blocks; `first_order.py` and `thin_plate.py` read from them
the fields of their models.
"""

import math
import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

TorchState = Mapping[str, np.ndarray]  # a state dict
TorchStates = Mapping[str, TorchState]  # by network
SAME_SIGMA = 0.02  # share by which sigmas may differ, since filters may be in half precision


class ConfigField(NamedTuple):
    """A field of `config.model` with the value that fits a checkpoint, and the tensor behind it."""

    name: str
    value: Any
    network: str
    key: str
    at_least: bool = False  # larger values fit as well
    # Of a scale: the standard deviation of the filter before the shrinking, which decides on the
    # scale unless `config.compat.antialias_sigma` says that it does not.
    sigma: float | None = None

    def fits(self, config: Config) -> bool:
        """Tell whether the field has a value that fits."""
        configured = attrgetter(self.name)(config.model)
        fixed_sigma = config.compat.antialias_sigma
        if self.sigma is not None and fixed_sigma is not None:
            return configured != 1 and math.isclose(fixed_sigma, self.sigma, rel_tol=SAME_SIGMA)
        if isinstance(self.value, tuple):  # of scales, whose order safetensors files do not keep
            return set(configured) == set(self.value)
        return configured == self.value or (self.at_least and configured > self.value)

    @property
    def fitting_values(self) -> str:
        """The values that fit, in words."""
        if self.at_least:
            return f"at least {self.value!r}"
        if self.value is None:
            return f"any, with config.compat.antialias_sigma={self.sigma}"
        return repr(self.value)


def hourglass_fields(
    state: TorchState, network: str, section: str, hourglass: str
) -> Iterator[ConfigField]:
    """Yield the fields of a section whose hourglass takes frames at a reduced scale.

    Args:
      state: the state dict of the network.
      network: its name.
      section: the section of `config.model`.
      hourglass: the path of the hourglass in the network.
    """
    count = count_modules(state, rf"{re.escape(hourglass)}\.decoder\.up_blocks\.(\d+)\.")
    key = f"{hourglass}.decoder.up_blocks.{max(count, 1) - 1}.conv.weight"
    yield ConfigField(f"{section}.block_expansion", out_channels(state, network, key), network, key)
    blocks = f"{hourglass}.encoder.down_blocks"
    yield from encoder_fields(state, network, f"{section}.num_blocks", blocks)
    parent = hourglass.rpartition(".")[0]
    key = f"{parent}.down.weight" if parent else "down.weight"
    yield scale_field(state, network, f"{section}.scale_factor", key)


def scale_field(state: TorchState, network: str, name: str, key: str) -> ConfigField:
    """Return the field of a scale, which the filter before the shrinking tells; None: no scale."""
    if key not in state:
        return ConfigField(name, 1.0, network, key)
    sigma = _find_sigma(kernel_of(state, network, key))
    if sigma is None:
        raise InputError(f"{network}.{key} is no Gaussian filter; expected that of the original")
    inverse = 2 * sigma + 1  # see `geometry.antialias_kernel`
    whole = round(inverse)
    is_scale = math.isclose(inverse, whole, rel_tol=SAME_SIGMA) and whole > 1
    return ConfigField(name, 1 / whole if is_scale else None, network, key, sigma=sigma)


def _find_sigma(kernel: np.ndarray) -> float | None:
    """Return the standard deviation of a Gaussian filter (…, n, n), to two digits after the point.

    A checkpoint may have it in half precision. None stands for a filter of another kind.
    """
    side = kernel.shape[-1]
    if kernel.size == 0 or kernel.shape[-2] != side or side < 3:
        return None
    centre = side // 2
    distance = max(1, round(centre / 4))  # of about sigma, where rounded values tell most
    row = kernel[0, 0, centre].astype(np.float64)
    ratio = row[centre + distance] / row[centre] if row[centre] > 0 else 0.0
    if not 0 < ratio < 1:
        return None
    sigma = distance / math.sqrt(-2 * math.log(ratio))
    return round(sigma, 2) if abs(side - (8 * sigma + 1)) < 1.5 else None


def encoder_fields(
    state: TorchState, network: str, count_field: str, blocks: str
) -> Iterator[ConfigField]:
    """Yield the number of blocks that double the channels, and the bound of the channels.

    Args:
      state: the state dict of the network.
      network: its name.
      count_field: the field for the number of blocks; the bound's is beside it in the section.
      blocks: the path of the blocks in the network.
    """
    count = count_modules(state, rf"{re.escape(blocks)}\.(\d+)\.")
    yield ConfigField(count_field, count, network, f"{blocks}.{count - 1}.conv.weight")
    if count == 0:
        return
    is_spectral = any(key.startswith(blocks) and key.endswith("weight_orig") for key in state)
    suffix = "_orig" if is_spectral else ""  # of the names of kernels under spectral norm
    keys = [f"{blocks}.{i}.conv.weight{suffix}" for i in range(count)]
    widths = [out_channels(state, network, key) for key in keys]
    bounded = [i for i in range(1, count) if widths[i] < 2 * widths[i - 1]]
    index = bounded[0] if bounded else count - 1
    bound_field = f"{count_field.rpartition('.')[0]}.max_features"
    yield ConfigField(bound_field, widths[index], network, keys[index], at_least=not bounded)


def out_channels(state: TorchState, network: str, key: str) -> int:
    """Return the number of output channels of a convolution.

    Raises:
      InputError: the checkpoint has no such convolution.
    """
    return len(kernel_of(state, network, key))


def kernel_of(state: TorchState, network: str, key: str) -> np.ndarray:
    """Return the kernel of a convolution, (out, in, height, width).

    Raises:
      InputError: the checkpoint has no such convolution.
    """
    if key not in state:
        raise InputError(f"{network}.{key} is missing; expected a whole checkpoint of the original")
    if state[key].ndim != 4:
        raise InputError(f"{network}.{key} has shape {state[key].shape}; expected that of a kernel")
    return state[key]


def count_modules(state: TorchState, pattern: str) -> int:
    """Return one more than the highest number that a pattern extracts from the keys' beginnings."""
    matches = (re.match(pattern, key) for key in state)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
