"""Videos to frames, one at a time.

Animated GIFs are videos too, decoded by PyAV and not by imageio: of 900 random GIFs, PyAV composed
614 as browsers do, and imageio by way of Pillow 505. imageio's own use of PyAV collects garbage
each time it closes a file, and does not tell damaged frames.
"""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.media.decoding import (
    DAMAGE,
    LostFramesError,
    decode,
    decode_past_damage,
    decode_times,
    is_cut,
    open_container,
    open_whole_container,
    packets,
)
from fomm_jax.media.decoding import VIDEO_SUFFIXES as VIDEO_SUFFIXES  # offered here too
from fomm_jax.media.shown_frames import FramePainter

# Codecs in which each packet shows one frame, and decoding can start at any key frame.
_PACKET_IS_FRAME = ("h264", "hevc", "vp9", "av1", "mjpeg")


class DamagedFramesError(InputError):
    """A video has damaged frames, and intact ones after them."""


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """The size, length and rate of a video."""

    height: int  # of the upright frame, in pixels
    width: int
    num_frames: int | None  # by the container, which ignores edits; `count_frames` is exact
    fps: float  # frames a second, on average


def probe_video(path: str | os.PathLike) -> VideoInfo:
    """Describe a video by its header and its first frame.

    Raises:
      InputError: the file is missing, is not a video, or has no frame that can be decoded.
    """
    with contextlib.closing(iterate_frames(path)) as frames:
        height, width, _ = next(frames).shape
    with open_container(path) as (container, stream):
        if container.format.name != "gif":
            rate = stream.average_rate or stream.guessed_rate or 25  # as FFmpeg assumes
            return VideoInfo(height, width, stream.frames or None, float(rate))
        # Each frame of a GIF has a duration. FFmpeg estimates the rate by the first few alone.
        ticks = [packet.duration or 0 for packet in container.demux(stream) if packet.size]
        fps = len(ticks) / (sum(ticks) * float(stream.time_base or 1))
        return VideoInfo(height, width, len(ticks), fps)


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """The times of a video's frames, in units of the stream, and where decoding can start."""

    times: np.ndarray  # (t,) int64, of all frames in the order in which they are shown
    key_times: np.ndarray  # (k,) int64, of the frames at which decoding can start

    def entry(self, number: int) -> int:
        """Return the time to jump to in order to decode a frame."""
        key = np.searchsorted(self.key_times, self.times[number], side="right") - 1
        return int(self.key_times[max(key, 0)])


def index_frames(path: str | os.PathLike) -> FrameIndex | None:
    """Index a video by its packets, without decoding it.

    Returns:
      The index; None if the packets do not tell exactly which frames there are.

    Raises:
      InputError: as in `iterate_frames`.
    """
    with open_whole_container(path) as (container, stream):
        return _index(container, stream)


def iterate_frames(
    path: str | os.PathLike,
    first: int = 0,
    index: FrameIndex | None = None,
    *,
    past_damage: bool = True,
) -> Generator[np.ndarray, None, None]:
    """Yield the frames in the order in which they are shown; memory does not grow.

    Args:
      path: a video. The content decides on the format, not the suffix.
      first: the number of the frame to begin with, which the video must have.
      index: the index of the video, which spares decoding everything before `first`.
      past_damage: go on after damage; otherwise, the frames end there.

    Yields:
      (h, w, 3) uint8 RGB, all of one size, as `FramePainter` shows them.

    Raises:
      InputError: the file is missing, is not a video, or has no frame that can be decoded. Raised
        after all frames if the video is damaged or cut short and FFmpeg notices; it is a
        `DamagedFramesError` if frames are damaged before the last one.
    """
    with open_container(path) as (_, stream):
        paint = FramePainter(stream)
    yield from map(paint, _decode_all(path, first, index, past_damage))


def count_frames(path: str | os.PathLike, index: FrameIndex | None = None) -> int:
    """Count the frames that `iterate_frames` yields, by decoding them if there is no index.

    Raises:
      InputError: as in `iterate_frames`.
    """
    return (
        sum(1 for _ in _decode_all(path, 0, None, past_damage=False))
        if index is None
        else len(index.times)
    )


def read_frames(
    path: str | os.PathLike, indices: Sequence[int], index: FrameIndex | None = None
) -> list[np.ndarray]:
    """Read the frames at `indices`, each as `iterate_frames` yields it.

    Args:
      path: a video.
      indices: numbers of frames, from 0, in any order; they may repeat.
      index: the index of the video. Without it, everything up to the last frame is decoded.

    Returns:
      An array (h, w, 3) uint8 for each of `indices`.

    Raises:
      InputError: as in `iterate_frames`, or the video has no such frame, or is cut short anywhere.
    """
    numbers = sorted(set(indices))
    if not numbers:
        return []
    frames = {} if index is None else _decode_by_seeking(path, numbers, index)
    if len(frames) < len(numbers):
        with open_whole_container(path):  # refuses a cut that comes after these frames, too
            start = itertools.islice(iterate_frames(path, past_damage=False), numbers[-1] + 1)
            frames = {i: frame for i, frame in enumerate(start) if i in numbers}
    if missing := [i for i in numbers if i not in frames]:
        count = count_frames(path, index)
        raise InputError(f"{path}: has no frame {missing[0]}, only {count} from 0 on")
    return [frames[i] for i in indices]


def frame_times(path: str | os.PathLike) -> np.ndarray | None:
    """Return when each frame is shown, unless that is at a constant rate.

    Phones and screen recorders drop frames or adapt their spacing to the light, and each frame of a
    GIF has a duration of its own.

    Returns:
      (t,) float64, in seconds from the first frame; None if no frame deviates from the average rate
      by more than a quarter of a frame's time, or the file does not contain the times.
    """
    with open_container(path) as (container, stream):
        try:
            if container.format.name == "gif":
                stamps = [packet.pts for packet in container.demux(stream) if packet.size]
            else:
                index = _index(container, stream)
                stamps = [] if index is None else index.times.tolist()
        except DAMAGE:
            return None
        tick = float(stream.time_base or 1)
    if len(stamps) < 3 or None in stamps:
        return None
    times = (np.array(stamps) - stamps[0]) * tick
    even = np.linspace(0, times[-1], len(times))
    return None if np.abs(times - even).max() <= even[1] / 4 else times


def _decode_all(
    path: str | os.PathLike, first: int, index: FrameIndex | None, past_damage: bool
) -> Iterator[VideoFrame]:
    num_frames = 0
    damage: Exception | None = None
    with open_container(path) as (container, stream):
        is_short = is_cut(path, container, stream)
        try:
            frames: Iterator[VideoFrame]
            decode_all = decode_past_damage if past_damage else decode
            num_frames, frames = _jump(container, stream, first, index, decode_all)
            for frame in frames:
                num_frames += 1
                if num_frames > first:
                    yield frame
        except DAMAGE as error:
            damage = error
            with contextlib.suppress(*DAMAGE):
                for frame in stream.decode(None):  # frames that the decoder was holding back
                    num_frames += 1
                    if num_frames > first:
                        yield frame
    if num_frames == 0:
        raise InputError(f"{path}: has no frame that can be decoded") from damage
    if isinstance(damage, LostFramesError) and not is_short:
        raise DamagedFramesError(
            f"{path}: {damage.args[0]} of its frames are damaged; for each, the one before stands"
        ) from damage
    if damage or is_short:
        fault = "cut short" if is_short else "damaged"
        raise InputError(f"{path}: is {fault} after frame {num_frames}") from damage


def _jump(
    container: InputContainer,
    stream: VideoStream,
    first: int,
    index: FrameIndex | None,
    decode: Callable[[InputContainer, VideoStream], Iterator[VideoFrame]],
) -> tuple[int, Iterator[VideoFrame]]:
    """Start decoding at or before a frame.

    Returns:
      The number of the first frame that comes, and the frames.
    """
    if index is None or first == 0:
        return 0, decode(container, stream)
    entry = index.entry(first)
    with contextlib.suppress(*DAMAGE):  # decoding from the start will report it
        container.seek(entry, stream=stream)
        frames = decode(container, stream)
        for frame in frames:
            if frame.pts == entry:
                return int(np.searchsorted(index.times, entry)), itertools.chain([frame], frames)
            if frame.pts is None or frame.pts > entry:
                break  # videos that refresh pictures bit by bit do not yield the first frames
    container.seek(int(index.key_times[0]), stream=stream)
    return 0, decode(container, stream)


def _index(container: InputContainer, stream: VideoStream) -> FrameIndex | None:
    codec = stream.codec_context.codec.canonical_name  # decoders of AV1 have names of their own
    # AVI stores no times of display. Its order is that of display if all frames are key frames.
    codecs = ("mjpeg",) if container.format.name == "avi" else _PACKET_IS_FRAME
    if codec not in codecs:
        return None
    times, key_times = [], []
    try:
        for packet in packets(container, stream):
            if packet.size == 0:  # the last one, which marks the end
                break
            if packet.pts is None:
                return None
            if packet.is_keyframe:
                key_times.append(packet.pts)
            if not packet.is_discard:  # set if an edit left the frame out
                times.append(packet.pts)
    except DAMAGE:
        return None
    # Frames before the first key frame may be undecodable, if another program cut the video.
    if not times or not key_times or min(times) < min(key_times) or len(set(times)) < len(times):
        return None
    return FrameIndex(np.sort(np.array(times)), np.sort(np.array(key_times)))


def _decode_by_seeking(
    path: str | os.PathLike, indices: list[int], index: FrameIndex
) -> dict[int, np.ndarray]:
    """Decode from the key frame before each of the sorted `indices`; leave out frames that fail."""
    decoded: dict[int, np.ndarray] = {}
    if not 0 <= indices[0] <= indices[-1] < len(index.times):
        return decoded
    with (
        open_whole_container(path) as (container, stream),
        contextlib.suppress(*DAMAGE),  # decoding from the start will report it
    ):
        paint = FramePainter(stream)
        for entry, group in itertools.groupby(indices, index.entry):
            numbers = {int(index.times[i]): i for i in group}
            container.seek(entry, stream=stream)
            for frame in decode_times(container, stream, numbers):
                if frame.pts in numbers:
                    decoded[numbers[frame.pts]] = paint(frame)
    return decoded
