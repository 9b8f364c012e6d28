"""The names and layouts of tensors in the originals' checkpoints, and how ours map to them.

A path in our tree of variables, such as `generator.bottleneck.0.conv1.kernel`, becomes the key of
the original's state dict by the patterns of its model (`first_order.py`, `thin_plate.py`), applied
one after another. Conversions in both directions apply them to the tree of a config's model.
"""

import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.weights.torch.originals import original_of

# Tensors that the files of older versions of PyTorch lack.
COUNTER = re.compile(r"\.num_batches_tracked$")
RIGHT_SINGULAR_VECTOR = re.compile(r"\.weight_v$")
# Gaussian kernels of the anti-aliased shrinking: constants that the original stores as buffers.
ANTIALIAS_KERNEL = re.compile(r"\bdown\.weight$")

# Axes of kernels and matrices, by their number.
TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}
FROM_TORCH = {4: (2, 3, 1, 0), 2: (1, 0)}

Path = tuple[Any, ...]  # in our tree of variables; the network's name first


def to_torch_layout(array: np.ndarray) -> np.ndarray:
    """Transpose a kernel from (height, width, in, out) to (out, in, height, width).

    Matrices (in, out) become (out, in). Arrays of other dimensions are returned as they are.
    """
    return array.transpose(TO_TORCH[array.ndim]) if array.ndim in TO_TORCH else array


def from_torch_layout(array: np.ndarray) -> np.ndarray:
    """Invert `to_torch_layout`."""
    return array.transpose(FROM_TORCH[array.ndim]) if array.ndim in FROM_TORCH else array


def variable_keys(tree: nnx.State, config: Config) -> Iterator[tuple[Path, str, str]]:
    """Yield (path in our tree, network, torch key) of every variable.

    Networks, and the variables of each, are in the order in which an optimiser numbers them.
    """
    original = original_of(config)
    keys = []
    for path, _ in nnx.to_flat_state(tree):
        network = str(path[0])
        key = original.key(network, path[1:], config)
        position = original.networks.index(network), original.position(key, config)
        keys.append((position, (path, network, key)))
    yield from (entry for _, entry in sorted(keys, key=lambda item: item[0]))


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
