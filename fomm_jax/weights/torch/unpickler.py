"""An unpickler for PyTorch's files that builds descriptions of tensors and runs nothing.

A pickle can run any code, because it names functions to import and call. This unpickler imports
none of them: it knows a stand-in for each of the few names that tensors need, and refuses others.
"""

import io
import pickle
import sys
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from fomm_jax.errors import InputError

# NumPy's dtypes, by torch's names for its types of storage.
STORAGE_DTYPES = {
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


class Storage(NamedTuple):
    """The description of a storage: the flat memory behind one tensor or several.

    It is a tuple so that no pickle can alter it after it has been checked.
    """

    key: str
    dtype: np.dtype
    numel: int


class Tensor(NamedTuple):
    """A tensor whose storage has not been read yet; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class StateDict(dict):
    """Stands for OrderedDict, the class of torch's state dicts."""

    __slots__ = ()

    def __setstate__(self, attributes: object) -> None:
        """Ignore the attributes of a state dict, which hold the versions of its modules."""


class Unread:
    """Stands for an object of a class that is not read, and takes in whatever the pickle gives it.

    Such objects are in entries that nobody asks for, such as the flags of the program that wrote
    the file.
    """

    name = ""  # of the class, with its module

    def __init__(self, *_: object, **__: object) -> None:
        """Ignore all arguments."""

    def __new__(cls, *_: object, **__: object) -> "Unread":
        """Ignore all arguments."""
        return super().__new__(cls)

    def __call__(self, *_: object) -> "Unread":
        """Return itself, where the pickle calls what another call has returned."""
        return self

    def _ignore(self, *_: object) -> None:
        """Ignore state and items."""

    __setstate__ = __setitem__ = append = extend = add = _ignore


def refuse_name(name: str) -> InputError:
    """Return the error about the name of a class or function that no tensor needs."""
    package = name.partition(".")[0]
    advice = (
        ""
        if package in sys.stdlib_module_names or package == "__builtin__"
        else "; expected state dicts: if you trust the file and it holds a whole module, load it in"
        " PyTorch, with the code of its classes, and save module.state_dict() by torch.save"
    )
    return InputError(
        f"asks for {name!r}, but only tensors, dicts, lists and plain values are read (nothing in"
        f" the file was run){advice}"
    )


# The class in pure Python: the one in C takes gigabytes of memory if a flipped bit makes an index
# into the memo large (CPython issue 115952, fixed at the end of 2025).
class TensorUnpickler(pickle._Unpickler):
    """Builds trees of `Tensor` and plain values, and gathers the storages of the tensors."""

    def __init__(self, file: BinaryIO | io.BytesIO, *, lenient: bool = False):
        """Prepare to read the next pickle of a file.

        Args:
          file: the file.
          lenient: put an `Unread` where the pickle asks for a name that no tensor needs, in place
            of raising an error.
        """
        super().__init__(file, encoding="utf-8")  # for text in pickles that Python 2 made
        self._lenient = lenient
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global name that trees of tensors need.

        Raises:
          InputError: the pickle asks for any other name, and the unpickler is not lenient.
        """
        if module == "torch" and name in STORAGE_DTYPES:
            return name
        match module, name:
            case "collections", "OrderedDict":
                return StateDict
            case "torch", "Size":
                return tuple
            case "torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2":
                return self._rebuild_tensor
            case "torch._utils", "_rebuild_parameter":
                return self._rebuild_parameter
        if self._lenient:
            return type("Unread", (Unread,), {"name": f"{module}.{name}"})
        raise refuse_name(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Storage | type[Unread]:
        """Return the storage that `("storage", type, key, device, numel[, view])` describes.

        Before 1.6, torch wrote the class of a whole module in a similar way, with its source.
        """
        if pid[0] == "module" and isinstance(pid[1], type) and issubclass(pid[1], Unread):
            return pid[1]
        kind, type_name, key, _device, numel, *view = pid
        if kind != "storage" or view not in ([], [None]):
            raise InputError(f"holds a persistent object of unknown kind {kind!r}")
        if type(key) is not str or type(numel) is not int or numel < 0:
            raise InputError(f"describes storage {key!r} with {numel!r} elements")
        if isinstance(type_name, type) and issubclass(type_name, Unread):
            raise refuse_name(type_name.name)
        storage = Storage(key, STORAGE_DTYPES[type_name], numel)
        if self.storages.setdefault(key, storage) != storage:
            raise InputError(f"describes storage {key!r} in two ways")
        return storage

    def _rebuild_tensor(
        self, storage: Any, offset: Any, shape: Any, strides: Any, *extras: object
    ) -> Tensor:
        """Describe a tensor; the extras are `requires_grad`, backward hooks and metadata."""
        if type(storage) is not Storage:
            raise InputError("holds a tensor without a storage")
        counts = (offset, *shape, *strides)
        if any(type(count) is not int or count < 0 for count in counts):
            raise InputError(f"holds a tensor with offset, shape and strides {counts!r}")
        if any(extras[2:]):
            raise InputError("holds a tensor that is a lazy conjugate or negative")
        return Tensor(storage, offset, tuple(shape), tuple(strides))

    def _rebuild_parameter(self, tensor: Tensor, requires_grad: object, hooks: object) -> Tensor:
        """Return the tensor that a parameter wraps."""
        return tensor
