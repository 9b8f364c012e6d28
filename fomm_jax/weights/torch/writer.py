"""Write PyTorch's files of tensors without PyTorch.

The format is the zip archive of `torch.save` since version 1.6; see `zip_format`.
"""

import os
import pickle
import sys
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from fomm_jax.weights.torch.unpickler import PLAIN_TYPES, STORAGE_DTYPES

STORAGE_NAMES = {dtype: name for name, dtype in STORAGE_DTYPES.items()}


def write_torch_file(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a file that `torch.load` reads, also with `weights_only=True`.

    Args:
      path: the file to write; it appears only when it is whole.
      tree: dicts, lists and tuples of numpy arrays and plain values. Each array becomes a tensor
        of the same type with a storage of its own.

    Raises:
      InputError: the tree holds something that has no place in such a file, or the file cannot be
        written.
    """
    arrays: list[np.ndarray] = []
    description = pickle.PROTO + b"\x02" + _encode(tree, arrays) + pickle.STOP
    with (
        replacing(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive,
    ):
        # A ZipInfo made from a name alone has a fixed date: equal trees give equal files.
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), description)
        archive.writestr(zipfile.ZipInfo("archive/byteorder"), sys.byteorder)
        for index, array in enumerate(arrays):
            content = array.reshape(-1).view(np.uint8).data
            archive.writestr(zipfile.ZipInfo(f"archive/data/{index}"), content)
        archive.writestr(zipfile.ZipInfo("archive/version"), "3\n")


def _encode(node: Any, arrays: list[np.ndarray]) -> bytes:
    """Return the opcodes of protocol 2 that push a node, and append its arrays to `arrays`.

    pickle's own writer would not do: it imports what a global names, and torch may be absent.
    """
    if type(node) in PLAIN_TYPES:
        return pickle.dumps(node, 2)[2:-1]  # without PROTO and STOP
    if isinstance(node, dict):
        items = [entry for item in node.items() for entry in item]
        return pickle.EMPTY_DICT + pickle.MARK + _encode_all(items, arrays) + pickle.SETITEMS
    if type(node) is list:
        return pickle.EMPTY_LIST + pickle.MARK + _encode_all(node, arrays) + pickle.APPENDS
    if type(node) is tuple:
        return pickle.MARK + _encode_all(node, arrays) + pickle.TUPLE
    if isinstance(node, np.ndarray) and node.dtype in STORAGE_NAMES:
        return _encode_array(node, arrays)
    kind = f"array of {node.dtype}" if isinstance(node, np.ndarray) else type(node).__name__
    raise InputError(f"a torch file has no place for an object of type {kind}")


def _encode_all(nodes: Iterable[Any], arrays: list[np.ndarray]) -> bytes:
    return b"".join(_encode(node, arrays) for node in nodes)


def _encode_array(array: np.ndarray, arrays: list[np.ndarray]) -> bytes:
    """Return the opcodes of a tensor's construction.

    This is the call `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
    """
    array = np.asarray(array, order="C")
    key = str(len(arrays))
    arrays.append(array)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return b"".join(
        (
            _encode_global("torch._utils", "_rebuild_tensor_v2"),
            pickle.MARK,
            pickle.MARK,
            _encode("storage", arrays),
            _encode_global("torch", STORAGE_NAMES[array.dtype]),
            _encode_all((key, "cpu", array.size), arrays),
            pickle.TUPLE,
            pickle.BINPERSID,
            _encode_all((0, array.shape, strides, False), arrays),
            _encode_global("collections", "OrderedDict"),
            pickle.EMPTY_TUPLE,
            pickle.REDUCE,
            pickle.TUPLE,
            pickle.REDUCE,
        )
    )


def _encode_global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()
