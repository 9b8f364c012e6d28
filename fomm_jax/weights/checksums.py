"""Lengths and checksums of the files in a folder, to find out later whether one has changed.

In a bucket the checksums are those that the bucket itself keeps, so no file has to be read. They
are of another kind than those of a disk. If a folder was copied from the one to the other, lengths
alone are compared.
"""

import json
import pathlib
import zlib
from collections.abc import Iterable

from fomm_jax.buckets import AnyPath, is_in_bucket, list_objects
from fomm_jax.files import replacing

FILE = "checksums.json"  # inside the folder: {name: [length, checksum]}
BLOCK = 2**22  # bytes to read at a time


def write_checksums(folder: AnyPath) -> None:
    """Write the list of all files in the folder and its sub-folders.

    Raises:
      InputError: the list cannot be written.
      OSError: a file cannot be read.
    """
    if isinstance(folder, pathlib.Path):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        checksums = {path.relative_to(folder).as_posix(): _checksum(path) for path in files}
    else:
        checksums = list_objects(folder)
    with replacing(folder / FILE) as unfinished:
        unfinished.write_text(json.dumps(checksums, indent=1))


def find_damage(folder: AnyPath, parts: Iterable[str]) -> str | None:
    """Compare the files in some sub-folders with the list.

    Args:
      folder: the folder that the list describes.
      parts: the names of its sub-folders and files to compare.

    Returns:
      A few words on the first difference, or None where there is none.

    Raises:
      FileNotFoundError: there is no list.
    """
    try:
        checksums = json.loads((folder / FILE).read_text())
    except ValueError:
        return f"{FILE} is no JSON"
    if not isinstance(checksums, dict) or not all(
        isinstance(entry, list) and len(entry) == 2 for entry in checksums.values()
    ):
        return f"{FILE} is damaged"
    parts = set(parts)
    objects = list_objects(folder) if is_in_bucket(folder) else None
    for name, expected in checksums.items():
        if name.split("/")[0] not in parts:
            continue
        try:
            actual = _checksum(folder / name) if objects is None else objects.get(name, [0, None])
        except OSError as error:
            return f"{name}: {error.strerror}"
        if actual[0] != expected[0]:
            return f"{name} has {actual[0]} bytes of {expected[0]}"
        if type(actual[1]) is type(expected[1]) and actual[1] != expected[1]:
            return f"{name} has other content than was written"
    return None


def _checksum(path: AnyPath) -> list[int]:
    """Return length and CRC-32 of a file on this computer."""
    length = checksum = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            length += len(block)
            checksum = zlib.crc32(block, checksum)
    return [length, checksum]
