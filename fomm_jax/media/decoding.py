"""Containers opened, packets and decoded frames out of them, and whether they are damaged."""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import is_picture

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".gif", ".avi", ".mkv", ".webm")

# The containers of these suffixes, and local files only: FFmpeg would also follow playlists.
_INPUT_OPTIONS = {"format_whitelist": "mov,gif,avi,matroska", "protocol_whitelist": "file"}

# Titles and the like are not always UTF-8. PyAV 19 always reads them so, and has no such argument.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class DamageError(Exception):
    """Marked as damaged by FFmpeg, which goes on all the same."""


DAMAGE = (av.FFmpegError, DamageError)


@contextlib.contextmanager
def open_container(path: str | os.PathLike) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and choose its picture track.

    Raises:
      InputError: the file is missing, or no video.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, expected a video")
    try:
        # The prefix keeps FFmpeg from taking a name with a colon for an address.
        container = av.open(f"file:{path}", options=_INPUT_OPTIONS, **_TITLES)
    except (av.FFmpegError, OSError) as error:
        if is_picture(path):
            raise InputError(f"{path}: is a picture, expected a video") from error
        expected = ", ".join(VIDEO_SUFFIXES)
        raise InputError(f"{path}: cannot be read as a video ({expected})") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            raise InputError(f"{path}: has no picture track that can be decoded")
        stream.thread_count = 1  # the workers of the loader read beside each other
        yield container, stream


@contextlib.contextmanager
def open_whole_container(
    path: str | os.PathLike,
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video as `open_container` does, and refuse one that is cut short.

    Raises:
      InputError: as `open_container`, or it is cut short.
    """
    with open_container(path) as (container, stream):
        if is_cut(path, container, stream):
            raise InputError(f"{path}: is cut short")
        yield container, stream


def is_cut(path: str | os.PathLike, container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether packets are missing; where the cut lies between two, nothing else tells."""
    if container.format.name == "gif":
        return _lacks_trailer(path)
    size = os.path.getsize(path)
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _lacks_trailer(path: str | os.PathLike) -> bool:
    """Tell whether a GIF does not end as one; FFmpeg makes up what is missing of a frame."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 1024))
        # Blocks end with 0, the file with ";", which alone would be there by chance too often.
        return not file.read().rstrip(b"\0").endswith(b"\0;")


def packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Yield packets, the last one empty.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise DamageError
        yield packet


def decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames from the container's position on, in the order shown.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    for packet in packets(container, stream):
        yield from _intact(packet.decode())


def decode_times(
    container: InputContainer, stream: VideoStream, times: Collection[int]
) -> Iterator[VideoFrame]:
    """Yield frames of these times, and others, having decoded little that they do not need.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    # In H.264 alone no frame leans on one that is marked as not referred to: in HEVC, those of a
    # higher temporal layer may.
    skips = stream.codec_context.name == "h264"
    missing = set(times)
    for packet in packets(container, stream):
        if skips:
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in times else "NONREF"
        yield from _intact(packet.decode())
        if packet.pts is not None:
            missing.discard(packet.pts)
        if not missing:
            break
    # A decoder holds frames back until later packets show that no other comes before them.
    yield from _intact(stream.decode(None))


def _intact(frames: list[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        if frame.is_corrupt:
            raise DamageError
        yield frame
