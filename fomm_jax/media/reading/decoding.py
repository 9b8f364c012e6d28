"""Video containers: how they are opened, how packets and frames come out, and signs of damage."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file
from fomm_jax.media.picture_files import PICTURE_BRANDS, picture_kind
from fomm_jax.media.reading.tracks import choose_film

# The suffixes by which the videos in a folder are told from other files. A file that somebody names
# may have any.
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".gif", ".avi", ".mkv", ".webm", ".flv", ".f4v"),
    *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".ogv", ".mxf"),
)

# FFmpeg knows several hundred formats. These are files that hold a film themselves. All others are
# excluded: playlists, scripts and descriptions of streams would make FFmpeg open further files and
# addresses, and pictures are no videos.
_CONTAINERS = (
    *("mov", "matroska", "avi", "gif", "flv", "ogg", "asf", "mxf", "mpeg", "mpegts", "mpegvideo"),
    *("dv", "rm", "nut", "ivf", "wtv", "h264", "hevc", "obu", "m4v", "yuv4mpegpipe"),
)
_INPUT_OPTIONS = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}

_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"

# Titles and the like are not always UTF-8. PyAV 19 has no such argument and always reads them so.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class DamageError(Exception):
    """FFmpeg marked a packet or frame as damaged, which it does without raising an error."""


class LostFramesError(DamageError):
    """Frames before the last one are lost.

    The arguments are the number of those before the first frame, and of those after it.
    """


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
        container = _open(path)
    except (av.FFmpegError, OSError) as error:
        if picture_kind(path):
            raise InputError(f"{path}: is a picture, expected a video") from error
        raise InputError(
            f"{path}: cannot be read as a video, expected MP4, MOV, Matroska, WebM, AVI, GIF, MPEG,"
            " WMV, FLV or Ogg"
        ) from error
    with container:
        if _is_picture(container):
            raise InputError(f"{path}: is a picture, expected a video")
        stream = choose_film(container, lambda: _open(path))
        if stream is None and any(track.codec_context for track in container.streams.video):
            raise InputError(f"{path}: has no video, only a cover picture")
        if stream is None:
            raise InputError(f"{path}: has no picture track that can be decoded")
        stream.thread_count = 1  # the loader's workers already read in parallel
        yield container, stream


def _open(path: Path) -> InputContainer:
    # The prefix keeps FFmpeg from taking a name with a colon for an address.
    return av.open(f"file:{path}", options=_INPUT_OPTIONS, **_TITLES)


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


def _is_picture(container: InputContainer) -> bool:
    """Tell a HEIC or AVIF, which FFmpeg opens as a video, usually of one frame."""
    brand = container.metadata.get("major_brand", "").encode(errors="replace")
    return brand in PICTURE_BRANDS


def is_cut(path: str | os.PathLike, container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether packets are missing at the end, even if the cut lies between two packets."""
    if container.format.name == "gif":
        return _lacks_trailer(path)
    size = os.path.getsize(path)
    if "matroska" in container.format.name and _end_of_matroska(path) > size:
        return True
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _lacks_trailer(path: str | os.PathLike) -> bool:
    """Tell whether the end of a GIF is missing. FFmpeg would fill up the last frame in silence."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 1024))
        # Copying may append zeros or ends of lines. Blocks end with 0 and the file with ";", which
        # alone would be there by chance too often.
        return not file.read().rstrip(b"\0\r\n\t ").endswith(b"\0;")


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


def decode_past_damage(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames as `decode` does, and go on after damage.

    Raises:
      LostFramesError: after the last frame, if frames before it are lost.
      Another one of `DAMAGE`: after the last frame, if damage follows.
    """
    num_packets, num_frames, num_early = 0, 0, 0
    num_damaged, num_pending = 0, 0
    early: list[int | None] = []  # times of packets before the first frame comes
    for packet in container.demux(stream):
        num_packets += bool(packet.size and not packet.is_discard)
        if not num_frames and not packet.is_discard:
            early.append(packet.pts)
        frames: list[VideoFrame] = []
        try:
            frames = [] if packet.is_corrupt else packet.decode()
        except av.FFmpegError:
            num_pending += 1
        num_pending += packet.is_corrupt
        for frame in frames:
            if frame.is_corrupt:
                num_pending += 1
                continue
            if not num_frames:
                num_early = count_before(frame.pts, early)
            num_frames += 1
            if packet.size:  # the last one, which is empty, only brings frames that were held back
                num_damaged, num_pending = num_damaged + num_pending, 0
            yield frame
    if num_pending:
        raise DamageError
    if num_damaged:
        # After damage, decoders pass over frames that depend on it, and do not say so.
        num_lost = max(num_damaged, num_packets - num_frames)
        raise LostFramesError(num_early, max(0, num_lost - num_early))


def count_before(first: int | None, times: Iterable[int | None]) -> int:
    """Count the times before that of the first frame: frames that could not be decoded."""
    if first is None:
        return 0
    return sum(time is not None and time < first for time in times)


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
