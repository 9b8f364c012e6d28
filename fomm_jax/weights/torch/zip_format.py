"""The zip archives that `torch.save` writes since PyTorch 1.6.

The entry `data.pkl` describes the object, and each storage is an entry of its own.
"""

import io
import zipfile
from collections.abc import Collection
from typing import Any, BinaryIO

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.arrays import check_size, read_storage, to_arrays
from fomm_jax.weights.torch.unpickler import TensorUnpickler

ZIP_START = b"PK\x03\x04"


def read_zip(file: BinaryIO, entries: Collection[str] | None = None) -> Any:
    """Read the tree of arrays in an archive.

    Args:
      file: the archive.
      entries: as in `reader.read_torch_file`.

    Raises:
      InputError: the archive holds anything but tensors and plain values, or disagrees with itself.
      Exception: whatever a damaged pickle or archive makes Python's modules raise.
    """
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise InputError("a zip archive, but not one that torch.save wrote")
        (description,) = pickles
        folder = description.removesuffix("data.pkl")
        byte_order = _read_byte_order(archive, folder)
        content = archive.read(_uncompressed(archive, description))
        unpickler = TensorUnpickler(io.BytesIO(content), lenient=entries is not None)
        tree = unpickler.load()
        storages = unpickler.storages.values()
        check_size(storages, file)
        memory = {}
        for storage in storages:
            entry = _uncompressed(archive, f"{folder}data/{storage.key}")
            if entry.file_size != storage.numel * storage.dtype.itemsize:
                raise InputError(
                    f"storage {storage.key!r} has {entry.file_size} bytes, expected "
                    f"{storage.numel} of {storage.dtype}"
                )
            with archive.open(entry) as stream:
                memory[storage.key] = read_storage(stream, storage, byte_order)
    return to_arrays(tree, memory, entries)


def _read_byte_order(archive: zipfile.ZipFile, folder: str) -> str:
    """Return "little" or "big", the byte order of the machine that wrote the archive."""
    name = f"{folder}byteorder"
    if name not in archive.namelist():
        return "little"  # archives without this entry come from little-endian machines
    order = archive.read(_uncompressed(archive, name))
    if order not in (b"little", b"big"):
        raise InputError(f"its byte order is {order!r}, expected 'little' or 'big'")
    return order.decode()


def _uncompressed(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return an entry that is not compressed.

    torch compresses none, and so no small file can swell into a large one.

    Raises:
      InputError: the entry is compressed.
    """
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise InputError(
            f"its entry {name!r} is compressed, which torch.save never does; unpack the archive,"
            " and pack it again by `zip -0 -r`"
        )
    return entry
