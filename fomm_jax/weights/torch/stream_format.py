"""The streams that `torch.save` wrote before PyTorch 1.6.

A stream is a sequence of pickles: magic number, version, facts about the machine, the object, the
keys of the storages. The storages follow one after another, each after its number of elements.
"""

import struct
from collections.abc import Collection
from typing import Any, BinaryIO

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.arrays import check_size, read_storage, to_arrays
from fomm_jax.weights.torch.unpickler import TensorUnpickler

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # from torch/serialization.py
VERSION = 1001


def read_stream(file: BinaryIO, entries: Collection[str] | None = None) -> Any:
    """Read the tree of arrays in a stream.

    Args:
      file: the stream.
      entries: as in `reader.read_torch_file`.

    Raises:
      InputError: the stream holds anything but tensors and plain values, or disagrees with itself.
      Exception: whatever a damaged pickle makes Python's modules raise.
    """
    if TensorUnpickler(file).load() != MAGIC_NUMBER:
        raise InputError("not a file that torch.save wrote")
    version = TensorUnpickler(file).load()
    if version != VERSION:
        raise InputError(f"its version is {version!r}, expected {VERSION}")
    TensorUnpickler(file).load()  # facts about the machine; every machine wrote little-endian
    unpickler = TensorUnpickler(file, lenient=entries is not None)
    tree = unpickler.load()
    keys = TensorUnpickler(file).load()
    check_size(unpickler.storages.values(), file)
    memory = {}
    for key in keys:
        storage = unpickler.storages[key]
        (numel,) = struct.unpack("<q", file.read(8))
        if numel != storage.numel:
            raise InputError(f"storage {key!r} has {numel} elements, expected {storage.numel}")
        memory[key] = read_storage(file, storage, "little")
    return to_arrays(tree, memory, entries)
