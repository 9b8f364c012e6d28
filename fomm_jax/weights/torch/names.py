"""The names and layouts of tensors in the original's checkpoints, and how ours map to them.

A path in our tree of variables, such as `generator.bottleneck.0.conv1.kernel`, becomes the key of
the original's state dict by the patterns of `RENAMES`, applied one after another. Conversions in
both directions apply this table to the tree of a config's model.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from fomm_jax.config.schema import Config

NETWORKS = ("kp_detector", "generator", "discriminator")
OPTIMIZER_KEYS = {network: f"optimizer_{network}" for network in NETWORKS}

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

# Tensors that the files of older versions of PyTorch lack.
COUNTER = re.compile(r"\.num_batches_tracked$")
RIGHT_SINGULAR_VECTOR = re.compile(r"\.weight_v$")
# Gaussian kernels of the anti-aliased shrinking: constants that the original stores as buffers.
ANTIALIAS_KERNEL = re.compile(r"\bdown\.weight$")

Path = tuple[Any, ...]  # in our tree of variables; the network's name first


def torch_key(path: Sequence[object], discriminator_scales: tuple[float, ...]) -> str:
    """Return the key of a variable in the state dict of its network.

    Args:
      path: the variable's path in our network, without the network's name.
      discriminator_scales: the scales of the frames that the discriminator takes, by which the
        original names its modules.
    """
    if path[0] == "discs":
        scale = discriminator_scales[int(str(path[1]))]
        path = (path[0], _scale_name(scale), *path[2:])
    key = ".".join(map(str, path))
    for pattern, replacement in RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def torch_position(key: str, discriminator_scales: tuple[float, ...]) -> list[int]:
    """Return the position of a key in torch's state dict, as a list to sort by."""
    parts = key.split(".")
    if parts[0] == "discs":
        parts[1] = str([*map(_scale_name, discriminator_scales)].index(parts[1]))
    return [RANKS[part] if part in RANKS else int(part.removeprefix("r")) for part in parts]


def to_torch_layout(array: np.ndarray) -> np.ndarray:
    """Transpose a kernel from (height, width, in, out) to (out, in, height, width).

    Arrays of other than four dimensions are returned as they are.
    """
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def from_torch_layout(array: np.ndarray) -> np.ndarray:
    """Invert `to_torch_layout`."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def variable_keys(tree: nnx.State, config: Config) -> Iterator[tuple[Path, str, str]]:
    """Yield (path in our tree, network, torch key) of every variable.

    The variables of each network are in torch's order.
    """
    scales = config.model.discriminator.scales
    keys = [
        (path, str(path[0]), torch_key(path[1:], scales)) for path, _ in nnx.to_flat_state(tree)
    ]
    yield from sorted(keys, key=lambda entry: (entry[1], torch_position(entry[2], scales)))


def torch_arrays(tree: nnx.State, config: Config) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of a tree, by network and key, in torch's layout, dtypes and order."""
    flat = dict(nnx.to_flat_state(tree))
    arrays: dict[str, dict[str, np.ndarray]] = {}
    for path, network, key in variable_keys(tree, config):
        array = to_torch_layout(np.asarray(jax.device_get(flat[path].get_value())))
        arrays.setdefault(network, {})[key] = (
            array.astype(np.int64) if COUNTER.search(key) else array
        )
    return arrays


def _scale_name(scale: float) -> str:
    """Return the name of a scale in the original's keys: as in YAML, with "-" for the point."""
    return f"{scale:g}".replace(".", "-")
