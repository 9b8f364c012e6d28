"""Video containers: how they are opened, how packets and frames come out, and signs of damage."""

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
from fomm_jax.files import check_is_file
from fomm_jax.media.pictures import is_picture

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".gif", ".avi", ".mkv", ".webm")

# Allow the containers of these suffixes in local files alone: FFmpeg would also follow playlists.
_INPUT_OPTIONS = {"format_whitelist": "mov,gif,avi,matroska", "protocol_whitelist": "file"}

# Titles and the like are not always UTF-8. PyAV 19 has no such argument and always reads them so.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class DamageError(Exception):
    """FFmpeg marked a packet or frame as damaged, which it does without raising an error."""


DAMAGE = (av.FFmpegError, DamageError)


@contextlib.contextmanager
def open_container(path: str | os.PathLike) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and choose its picture track.

    Raises:
      InputError: the file is missing, or is not a video.
    """
    path = Path(path)
    check_is_file(path, "a video")
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
        stream.thread_count = 1  # the loader's workers already read in parallel
        yield container, stream


@contextlib.contextmanager
def open_whole_container(
    path: str | os.PathLike,
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video as `open_container` does, and refuse one that is cut short.

    Raises:
      InputError: as in `open_container`, or the video is cut short.
    """
    with open_container(path) as (container, stream):
        if is_cut(path, container, stream):
            raise InputError(f"{path}: is cut short")
        yield container, stream


def is_cut(path: str | os.PathLike, container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether packets are missing at the end, even if the cut lies between two packets."""
    if container.format.name == "gif":
        return _lacks_trailer(path)
    size = os.path.getsize(path)
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _lacks_trailer(path: str | os.PathLike) -> bool:
    """Tell whether the end of a GIF is missing. FFmpeg would fill up the last frame in silence."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 1024))
        # Blocks end with 0 and the file with ";", which alone would be there by chance too often.
        return not file.read().rstrip(b"\0").endswith(b"\0;")


def packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a stream; the last one is empty.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise DamageError
        yield packet


def decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames from the container's position on, in the order in which they are shown.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    for packet in packets(container, stream):
        yield from _check_intact(packet.decode())


def decode_times(
    container: InputContainer, stream: VideoStream, times: Collection[int]
) -> Iterator[VideoFrame]:
    """Yield the frames of these times, and others that had to be decoded on the way.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    # Frames that are marked as unreferenced can be skipped in H.264 alone. In HEVC, frames of a
    # higher temporal layer may refer to them.
    can_skip = stream.codec_context.name == "h264"
    missing = set(times)
    for packet in packets(container, stream):
        if can_skip:
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in times else "NONREF"
        yield from _check_intact(packet.decode())
        if packet.pts is not None:
            missing.discard(packet.pts)
        if not missing:
            break
    # A decoder holds a frame back until later packets show that no other frame comes before it.
    yield from _check_intact(stream.decode(None))


def _check_intact(frames: list[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        if frame.is_corrupt:
            raise DamageError
        yield frame
