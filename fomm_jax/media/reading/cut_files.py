"""Signs that the end of a video file is missing, which FFmpeg does not report."""

import os
from typing import BinaryIO

from av.container import InputContainer
from av.video.stream import VideoStream

_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"

# MPEG-TS (ISO 13818-1, 2.4.3): packets begin with this byte. Their sizes are those of the standard,
# of Blu-ray and AVCHD, which put a time before it, and of broadcasts with a checksum behind.
_SYNC = 0x47
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # size, place of the byte

# Ogg (RFC 3533, 6): a page begins with its name. Behind it, at these places, are the flags, one of
# which marks the last page, and the number of segments.
_OGG_PAGE, _OGG_LARGEST = b"OggS", 65307  # bytes in the largest page
_OGG_FLAGS, _OGG_END, _OGG_COUNT = 1, 0x04, 22


def is_cut(path: str | os.PathLike, container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether packets are missing at the end, even if the cut lies between two packets.

    A file in MPEG-PS, and one in MPEG-TS that ends between two packets, do not tell.
    """
    name, size = container.format.name, os.path.getsize(path)
    if name == "gif":
        return _lacks_trailer(path)
    if name == "mpegts":
        return _ends_within_packet(path, size)
    if name == "ogg":
        return _lacks_last_page(path)
    if "matroska" in name and _end_of_matroska(path) > size:
        return True
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _lacks_trailer(path: str | os.PathLike) -> bool:
    """Tell whether the end of a GIF is missing. FFmpeg would fill up the last frame in silence."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 1024))
        # Copying may append zeros or ends of lines. Blocks end with 0 and the file with ";", which
        # alone would be there by chance too often.
        return not file.read().rstrip(b"\0\r\n\t ").endswith(b"\0;")


def _ends_within_packet(path: str | os.PathLike, size: int) -> bool:
    """Tell whether the last packet of an MPEG-TS file is not whole."""
    with open(path, "rb") as file:
        head = file.read(5 * max(length for length, _ in _TS_PACKETS))
    for length, place in _TS_PACKETS:
        syncs = head[place::length][:5]
        if len(syncs) == 5 and set(syncs) == {_SYNC}:
            return size % length > 0
    return False


def _lacks_last_page(path: str | os.PathLike) -> bool:
    """Tell whether the last page of an Ogg file is not marked as such, or is not whole."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _OGG_LARGEST))
        _, start, page = file.read().rpartition(_OGG_PAGE)
    # The page without its name: flags, number of segments, length of each segment, segments.
    if not start or len(page) <= _OGG_COUNT or not page[_OGG_FLAGS] & _OGG_END:
        return True
    lengths = page[_OGG_COUNT + 1 :][: page[_OGG_COUNT]]
    return len(page) < _OGG_COUNT + 1 + page[_OGG_COUNT] + sum(lengths)


def _end_of_matroska(path: str | os.PathLike) -> int:
    """Return where the last element of a Matroska or WebM file ends, by the size that it states.

    The layout is that of RFC 8794. A segment and clusters of unknown size come from recordings that
    were written as they came; their parts follow them.
    """
    end = 0
    with open(path, "rb") as file:
        while name := _read_variable(file):
            size = _read_variable(file)
            if not size:  # cut within the head of an element
                return file.tell() + 1
            largest = (1 << 7 * len(size)) - 1
            length = int.from_bytes(size, "big") & largest
            if length < largest:
                end = file.seek(length, os.SEEK_CUR)
                if name == _MATROSKA_SEGMENT:  # which holds everything else
                    break
    return end


def _read_variable(file: BinaryIO) -> bytes:
    """Read a number of one to eight bytes whose first byte tells how many; empty if none comes."""
    first = file.read(1)
    return first + file.read(8 - first[0].bit_length()) if first.strip(b"\0") else b""
