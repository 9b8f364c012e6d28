"""Whether the files of a folder are as they were written: a list of their lengths and checksums."""

import json
import pathlib
import zlib
from collections.abc import Iterable

from fomm_jax.files import replacing

FILE = "checksums.json"  # inside the folder: {name: [length, CRC-32]}
BLOCK = 2**22  # bytes that are read at a time


def write_checksums(folder: pathlib.Path) -> None:
    """Take down the files of the folder and of those inside it.

    Raises:
      InputError: the list cannot be written.
      OSError: a file cannot be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): _checksum(path) for path in files}
    with replacing(folder / FILE) as unfinished:
        unfinished.write_text(json.dumps(listed, indent=1))


def find_damage(folder: pathlib.Path, parts: Iterable[str]) -> str | None:
    """What is wrong with the folders `parts` inside the folder: a few words, or None.

    Raises:
      FileNotFoundError: there is no list.
    """
    try:
        listed = json.loads((folder / FILE).read_text())
    except ValueError:
        return f"{FILE} is no JSON"
    parts = set(parts)
    for name, expected in listed.items():
        if name.split("/")[0] not in parts:
            continue
        try:
            found = _checksum(folder / name)
        except OSError as error:
            return f"{name}: {error.strerror}"
        if found[0] != expected[0]:
            return f"{name} has {found[0]} bytes of {expected[0]}"
        if found != expected:
            return f"{name} has other content than was written"
    return None


def _checksum(path: pathlib.Path) -> list[int]:
    """Length and CRC-32 of a file."""
    length = checksum = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            length += len(block)
            checksum = zlib.crc32(block, checksum)
    return [length, checksum]
