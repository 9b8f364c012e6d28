"""Video containers: how they are opened, and how packets and frames come out of them."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file
from fomm_jax.media.picture_files import PICTURE_BRANDS, picture_kind
from fomm_jax.media.reading.cut_files import is_cut
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

# By codec, the decoder that reads transparency. FFmpeg's own ones of these codecs leave it out.
_READS_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

# Titles and the like are not always UTF-8. PyAV 19 has no such argument and always reads them so.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)

_OGG_HEADERS = (b"OVP80", b"\x80theora", b"\x81theora", b"\x82theora")  # of VP8 and Theora


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


def _open_decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the decoder of a track, and one that reads transparency if the track has any."""
    name = _READS_ALPHA.get(stream.codec_context.name, "")
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return stream.codec_context
    # A new one each time, since jumping in the file prepares the track's own decoder alone.
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    return decoder


def packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a stream; the last one is empty.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    for packet in _demux(container, stream):
        if packet.is_corrupt:
            raise DamageError
        yield packet


def _demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a stream, without the headers at the joints of Ogg files."""
    is_ogg = container.format.name == "ogg"
    for packet in container.demux(stream):
        if not (is_ogg and bytes(memoryview(packet)[:7]).startswith(_OGG_HEADERS)):
            yield packet


def decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames from the container's position on, in the order in which they are shown.

    Raises:
      One of `DAMAGE`: FFmpeg notices damage.
    """
    decoder = _open_decoder(stream)
    for packet in packets(container, stream):
        yield from _check_intact(decoder.decode(packet))


def decode_past_damage(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames as `decode` does, and go on after damage.

    Raises:
      LostFramesError: after the last frame, if frames before it are lost.
      Another one of `DAMAGE`: after the last frame, if damage follows.
    """
    decoder = _open_decoder(stream)
    num_packets, num_frames, num_early = 0, 0, 0
    num_damaged, num_pending = 0, 0
    early: list[int | None] = []  # times of packets before the first frame comes
    for packet in _demux(container, stream):
        num_packets += bool(packet.size and not packet.is_discard)
        if not num_frames and not packet.is_discard:
            early.append(packet.pts)
        frames: list[VideoFrame] = []
        try:
            frames = [] if packet.is_corrupt else decoder.decode(packet)
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
    decoder = _open_decoder(stream)
    can_skip = decoder.name == "h264"
    missing = set(times)
    for packet in packets(container, stream):
        if can_skip:
            decoder.skip_frame = "DEFAULT" if packet.pts in times else "NONREF"
        yield from _check_intact(decoder.decode(packet))
        if packet.pts is not None:
            missing.discard(packet.pts)
        if not missing:
            break
    # A decoder holds a frame back until later packets show that no other frame comes before it.
    yield from _check_intact(decoder.decode(None))


def _check_intact(frames: list[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        if frame.is_corrupt:
            raise DamageError
        yield frame
