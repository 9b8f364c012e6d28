"""Where MP4 and GIF files hold XMP and comments."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fomm_jax.provenance.mark import Marking
from fomm_jax.provenance.xmp import MAX_BYTES, write_xmp

# XMP Specification Part 3: the uuid box of ISO base media files with this identifier holds XMP.
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

# XMP Specification Part 3: the packet is not split into GIF's blocks of up to 255 bytes. The bytes
# that follow it are for readers that expect blocks: from any of them, the way leads to the end.
_GIF_XMP = b"XMP DataXMP"
_GIF_XMP_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_GIF_EXTENSION, _GIF_APPLICATION, _GIF_COMMENT = b"\x21", b"\xff", b"\xfe"


def append_mp4_xmp(path: str | os.PathLike, marking: Marking) -> None:
    """Append XMP to a complete MP4 file."""
    payload = _XMP_UUID + write_xmp(marking)
    with open(path, "ab") as file:
        file.write((8 + len(payload)).to_bytes(4, "big") + b"uuid" + payload)


def read_mp4_xmp(path: str | os.PathLike) -> bytes | None:
    """Return the XMP packet of an MP4 or MOV file; None if it has none."""
    with open(path, "rb") as file:
        for kind, start, end in _mp4_boxes(file):
            file.seek(start)
            if kind == b"uuid" and file.read(16) == _XMP_UUID:
                return file.read(min(end - start - 16, MAX_BYTES + 1))
    return None


def _mp4_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each top-level box, and where its content starts and ends.

    The layout is that of ISO 14496-12, 4.2.
    """
    file_size = file.seek(0, os.SEEK_END)
    offset = 0
    while offset + 8 <= file_size:
        file.seek(offset)
        size, kind, header = int.from_bytes(file.read(4), "big"), file.read(4), 8
        if size == 1:
            size, header = int.from_bytes(file.read(8), "big"), 16
        elif size == 0:
            size = file_size - offset
        if size < header:  # the file is damaged
            return
        yield kind, offset + header, offset + size
        offset += size


def gif_marks(marking: Marking) -> bytes:
    """Return comment and XMP as GIF extensions, to be written before the first frame."""
    comment = marking.comment.encode("ascii", "replace")  # GIF89a, 24
    parts = [comment[i : i + 255] for i in range(0, len(comment), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    xmp = bytes([len(_GIF_XMP)]) + _GIF_XMP + write_xmp(marking) + _GIF_XMP_END
    return _GIF_EXTENSION + _GIF_COMMENT + blocks + _GIF_EXTENSION + _GIF_APPLICATION + xmp


def read_gif_xmp(path: str | os.PathLike) -> bytes | None:
    """Return the XMP packet before the first frame of a GIF; None if there is none."""
    with Path(path).open("rb") as file:
        for kind, start, end in _gif_extensions(file, _gif_head(file)):
            file.seek(start)
            if kind == _GIF_APPLICATION and file.read(12)[1:] == _GIF_XMP:
                content = file.read(min(end - start - 12, MAX_BYTES))
                return content[: content.rfind(_GIF_XMP_END[:3])]
    return None


def _gif_head(file: BinaryIO) -> int:
    """Return where the blocks of a GIF begin: after its size and its table of common colours."""
    flags = file.read(13)[10]
    return 13 + (3 << (flags % 8 + 1) if flags & 0x80 else 0)


def _gif_extensions(file: BinaryIO, offset: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, start and end of each extension before the first frame."""
    file.seek(offset)
    while file.read(1) == _GIF_EXTENSION:
        kind, start = file.read(1), file.tell()
        while size := file.read(1).strip(b"\0"):
            file.seek(size[0], os.SEEK_CUR)
        end = file.tell()
        yield kind, start, end
        file.seek(end)
