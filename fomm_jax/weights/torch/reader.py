"""PyTorch's files of tensors, read without PyTorch.

Two forms exist. Since 1.6, `torch.save` writes a zip archive: `data.pkl` describes the object, and
each storage (the flat memory behind one tensor or several) is an entry of its own. Before, it
wrote a stream: magic number, version, facts about the machine, the object, the keys of the
storages, then the storages one after another, each led by its number of elements.

In both the object is a pickle, which could run any code. Here no name that a pickle asks for is
ever imported: it is looked up in the short table of what tensors need, or refused.
"""

import contextlib
import io
import math
import os
import pathlib
import pickle
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from fomm_jax.errors import InputError

ZIP_START = b"PK\x03\x04"
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of the stream, from torch/serialization.py
STREAM_VERSION = 1001

DTYPES = {
    name: np.dtype(dtype)
    for name, dtype in {
        "HalfStorage": np.float16,
        "BFloat16Storage": ml_dtypes.bfloat16,
        "FloatStorage": np.float32,
        "DoubleStorage": np.float64,
        "CharStorage": np.int8,
        "ShortStorage": np.int16,
        "IntStorage": np.int32,
        "LongStorage": np.int64,
        "ByteStorage": np.uint8,
        "BoolStorage": np.bool_,
    }.items()
}
PLAIN_TYPES = (type(None), bool, int, float, str)


class _Storage(NamedTuple):
    """What the pickle says of a storage. A tuple, so that no pickle can alter it later."""

    key: str
    dtype: np.dtype
    numel: int


class _Tensor(NamedTuple):
    """A tensor before its storage is read; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _State(dict):
    """Stands for OrderedDict; a state dict's attributes (versions of its modules) are dropped."""

    __slots__ = ()

    def __setstate__(self, attributes: object) -> None:
        pass


def read_torch_file(path: str | os.PathLike[str]) -> Any:
    """Read a file that `torch.save` has written.

    Args:
      path: a file of either form, of tensors in dicts, lists and tuples among plain values.

    Returns:
      The same tree with numpy arrays in place of tensors. Arrays are writable and have the
      strides of the tensors; those which shared a storage share memory, device and
      `requires_grad` are dropped. bfloat16 is `ml_dtypes.bfloat16`.

    Raises:
      InputError: the file is missing, damaged, cut short, or not one of torch's, or it asks for
        anything beyond tensors. Nothing that it holds is run.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file, _one_line_errors(path):
            start = file.read(len(ZIP_START))
            file.seek(0)
            read = _read_zip if start == ZIP_START else _read_stream
            return read(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


@contextlib.contextmanager
def _one_line_errors(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle or archive may raise whatever it likes
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"{path}: not a whole file of tensors as torch.save writes it ({reason})"
        ) from error


# The one written in Python: that in C takes gigabytes where a flipped bit makes a large index of
# the memo (CPython issue 115952, mended at the end of 2025).
class _Unpickler(pickle._Unpickler):
    """Builds trees of `_Tensor` and plain values; gathers the storages that they name."""

    def __init__(self, file: BinaryIO | io.BytesIO):
        super().__init__(file, encoding="utf-8")  # of text in pickles made by Python 2
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for the few globals of a tree of tensors; InputError for any other."""
        if module == "torch" and name in DTYPES:
            return name
        match module, name:
            case "collections", "OrderedDict":
                return _State
            case "torch", "Size":
                return tuple
            case "torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2":
                return self._tensor
            case "torch._utils", "_rebuild_parameter":
                return self._parameter
        raise InputError(
            f"asks for {f'{module}.{name}'!r}, but only tensors, dicts, lists and plain values "
            "are read (nothing of the file was run)"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that `("storage", type, key, device, numel[, view])` tells of."""
        kind, type_name, key, _device, numel, *view = pid
        if kind != "storage" or view not in ([], [None]):
            raise InputError(f"holds a persistent object of unknown kind {kind!r}")
        if type(key) is not str or type(numel) is not int or numel < 0:
            raise InputError(f"describes storage {key!r} with {numel!r} elements")
        storage = _Storage(key, DTYPES[type_name], numel)
        if self.storages.setdefault(key, storage) != storage:
            raise InputError(f"describes storage {key!r} in two ways")
        return storage

    def _tensor(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: object = False,
        hooks: object = None,
        metadata: object = None,
    ) -> _Tensor:
        if type(storage) is not _Storage:
            raise InputError("holds a tensor without a storage")
        counts = (offset, *shape, *strides)
        if any(type(count) is not int or count < 0 for count in counts):
            raise InputError(f"holds a tensor with offset, shape and strides {counts!r}")
        if metadata:
            raise InputError("holds a tensor that is a lazy conjugate or negative")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))

    def _parameter(self, tensor: _Tensor, requires_grad: object, hooks: object) -> _Tensor:
        return tensor


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise InputError("a zip archive, but not one that torch.save wrote")
        (description,) = pickles
        folder = description.removesuffix("data.pkl")
        order = b"little"  # archives without this entry come from little-endian machines
        if f"{folder}byteorder" in names:
            order = archive.read(_stored(archive, f"{folder}byteorder"))
        if order not in (b"little", b"big"):
            raise InputError(f"its byte order is {order!r}, expected 'little' or 'big'")

        unpickler = _Unpickler(io.BytesIO(archive.read(_stored(archive, description))))
        tree = unpickler.load()
        _check_total(unpickler.storages, file)
        memory = {}
        for storage in unpickler.storages.values():
            entry = _stored(archive, f"{folder}data/{storage.key}")
            if entry.file_size != storage.numel * storage.dtype.itemsize:
                raise InputError(
                    f"storage {storage.key!r} has {entry.file_size} bytes, expected "
                    f"{storage.numel} of {storage.dtype}"
                )
            with archive.open(entry) as stream:
                memory[storage.key] = _read_storage(stream, storage, order.decode())
    return _to_arrays(tree, memory)


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """An entry, which torch never compresses: a small file cannot swell into a large one."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise InputError(f"its entry {name!r} is compressed")
    return entry


def _read_stream(file: BinaryIO) -> Any:
    if _Unpickler(file).load() != MAGIC_NUMBER:
        raise InputError("not a file that torch.save wrote")
    version = _Unpickler(file).load()
    if version != STREAM_VERSION:
        raise InputError(f"its version is {version!r}, expected {STREAM_VERSION}")
    _Unpickler(file).load()  # facts about the machine; the storages are little-endian on any
    unpickler = _Unpickler(file)
    tree = unpickler.load()
    keys = _Unpickler(file).load()
    _check_total(unpickler.storages, file)
    memory = {}
    for key in keys:
        storage = unpickler.storages[key]
        (numel,) = struct.unpack("<q", file.read(8))
        if numel != storage.numel:
            raise InputError(f"storage {key!r} has {numel} elements, expected {storage.numel}")
        memory[key] = _read_storage(file, storage, "little")
    return _to_arrays(tree, memory)


def _check_total(storages: Mapping[str, _Storage], file: BinaryIO) -> None:
    """No memory is taken before it is clear that the file could fill it."""
    claimed = sum(storage.numel * storage.dtype.itemsize for storage in storages.values())
    size = os.fstat(file.fileno()).st_size
    if claimed > size:
        raise InputError(f"cut short: it has {size} bytes, its tensors need {claimed}")


def _read_storage(stream: Any, storage: _Storage, byte_order: str) -> np.ndarray:
    memory = np.empty(storage.numel, storage.dtype)
    if stream.readinto(memory.view(np.uint8)) != memory.nbytes:
        raise InputError(f"cut short within storage {storage.key!r}")
    if byte_order != sys.byteorder:
        memory.view(f"u{storage.dtype.itemsize}").byteswap(inplace=True)
    return memory


def _to_arrays(tree: Any, memory: Mapping[str, np.ndarray]) -> Any:
    """The tree with arrays for `_Tensor` and dicts for `_State`; what was shared stays shared."""
    done: dict[int, Any] = {}
    open_nodes: set[int] = set()

    def convert(node: Any) -> Any:
        if type(node) in PLAIN_TYPES:
            return node
        if id(node) in open_nodes:
            raise InputError("holds a container within itself")
        if id(node) not in done:
            open_nodes.add(id(node))
            done[id(node)] = convert_new(node)
            open_nodes.remove(id(node))
        return done[id(node)]

    def convert_new(node: Any) -> Any:
        if type(node) is _Tensor:
            return _to_array(node, memory[node.storage.key])
        if type(node) in (dict, _State):
            if any(type(key) not in (str, int) for key in node):
                raise InputError("holds a dict with keys other than text and integers")
            return {key: convert(value) for key, value in node.items()}
        if type(node) in (list, tuple):
            return type(node)(map(convert, node))
        raise InputError(f"holds an object of unexpected type {type(node).__name__}")

    return convert(tree)


def _to_array(tensor: _Tensor, memory: np.ndarray) -> np.ndarray:
    # In Python's unbounded integers: numpy's own check of the strides may overflow.
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    empty = math.prod(tensor.shape) == 0
    if not empty and last >= len(memory):
        raise InputError(
            f"a tensor of shape {tensor.shape} and strides {tensor.strides} at {tensor.offset} "
            f"reaches beyond its storage of {len(memory)} elements"
        )
    if empty:
        return np.empty(tensor.shape, memory.dtype)
    itemsize = memory.itemsize
    strides = tuple(stride * itemsize for stride in tensor.strides)
    return np.ndarray(tensor.shape, memory.dtype, memory, tensor.offset * itemsize, strides)
