"""Numpy arrays from the descriptions of tensors and the bytes of their storages."""

import math
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.unpickler import (
    PLAIN_TYPES,
    StateDict,
    Storage,
    Tensor,
    Unread,
    refuse_name,
)


def check_size(storages: Iterable[Storage], file: BinaryIO) -> None:
    """Raise InputError if a file is too short for its storages, before memory is taken for them."""
    needed = sum(storage.numel * storage.dtype.itemsize for storage in storages)
    size = os.fstat(file.fileno()).st_size
    if needed > size:
        raise InputError(f"cut short: it has {size} bytes, its tensors need {needed}")


def read_storage(stream: Any, storage: Storage, byte_order: str) -> np.ndarray:
    """Read the elements of a storage, in the byte order "little" or "big", from a binary stream."""
    memory = np.empty(storage.numel, storage.dtype)
    if stream.readinto(memory.view(np.uint8)) != memory.nbytes:
        raise InputError(f"cut short within storage {storage.key!r}")
    if byte_order != sys.byteorder:
        memory.view(f"u{storage.dtype.itemsize}").byteswap(inplace=True)
    return memory


def to_arrays(
    tree: Any, memory: Mapping[str, np.ndarray], entries: Collection[str] | None = None
) -> Any:
    """Return a tree with an array for each `Tensor` and a dict for each `StateDict`.

    Args:
      tree: a tree from `TensorUnpickler`. An object that it holds twice becomes one object again.
      memory: the elements of each storage by its key; tensors of one storage share its memory.
      entries: the entries of the dict at the root to convert; the others become None.

    Raises:
      InputError: a tensor reaches beyond its storage, a container holds itself, or the tree holds
        objects of other types.
    """
    converted: dict[int, Any] = {}
    open_nodes: set[int] = set()

    def convert(node: Any) -> Any:
        if type(node) in PLAIN_TYPES:
            return node
        if id(node) in open_nodes:
            raise InputError("holds a container within itself")
        if id(node) not in converted:
            open_nodes.add(id(node))
            converted[id(node)] = convert_new(node)
            open_nodes.remove(id(node))
        return converted[id(node)]

    def convert_new(node: Any) -> Any:
        if type(node) is Tensor:
            return _to_array(node, memory[node.storage.key])
        if type(node) in (dict, StateDict):
            if any(type(key) not in (str, int) for key in node):
                raise InputError("holds a dict with keys other than text and integers")
            return {key: convert(value) for key, value in node.items()}
        if type(node) in (list, tuple):
            return type(node)(map(convert, node))
        if isinstance(node, Unread):
            raise refuse_name(node.name)
        raise InputError(f"holds an object of unexpected type {type(node).__name__}")

    if entries is not None and isinstance(tree, dict):
        tree = {key: value if key in entries else None for key, value in tree.items()}
    return convert(tree)


def _to_array(tensor: Tensor, memory: np.ndarray) -> np.ndarray:
    # The bounds are checked in Python's unbounded integers: those of numpy may overflow.
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    is_empty = math.prod(tensor.shape) == 0
    if not is_empty and last >= len(memory):
        raise InputError(
            f"a tensor of shape {tensor.shape} and strides {tensor.strides} at {tensor.offset} "
            f"reaches beyond its storage of {len(memory)} elements"
        )
    if is_empty:
        return np.empty(tensor.shape, memory.dtype)
    itemsize = memory.itemsize
    strides = tuple(stride * itemsize for stride in tensor.strides)
    return np.ndarray(tensor.shape, memory.dtype, memory, tensor.offset * itemsize, strides)
