"""Videos to frames, one at a time.

Animated GIFs are videos too, decoded by PyAV and not by imageio: of 900 random GIFs, PyAV composed
614 as browsers do, and imageio by way of Pillow 505. imageio's own use of PyAV collects garbage
each time it closes a file, and does not tell damaged frames.
"""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.media.decoding import (
    DAMAGE,
    decode,
    decode_times,
    is_cut,
    open_container,
    open_whole_container,
    packets,
)
from fomm_jax.media.decoding import VIDEO_SUFFIXES as VIDEO_SUFFIXES  # offered here too

# Codecs of which each packet shows one frame and key frames can be jumped to.
_PACKET_IS_FRAME = ("h264", "hevc", "vp9", "av1", "mjpeg")


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What a video is like."""

    height: int  # of the upright frame, in pixels
    width: int
    num_frames: int | None  # as the container has it, edits apart; `count_frames` is exact
    fps: float  # frames a second, on average


def probe_video(path: str | os.PathLike) -> VideoInfo:
    """Describe a video; decode its first frame.

    Raises:
      InputError: the file is missing, no video, or without a frame that can be decoded.
    """
    with contextlib.closing(iterate_frames(path)) as frames:
        height, width, _ = next(frames).shape
    with open_container(path) as (container, stream):
        if container.format.name != "gif":
            rate = stream.average_rate or stream.guessed_rate or 25  # as FFmpeg assumes
            return VideoInfo(height, width, stream.frames or None, float(rate))
        # Here each frame says how long it stays, and FFmpeg's estimate sees the first ones alone.
        ticks = [packet.duration or 0 for packet in container.demux(stream) if packet.size]
        fps = len(ticks) / (sum(ticks) * float(stream.time_base or 1))
        return VideoInfo(height, width, len(ticks), fps)


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """Where a video can be entered, in units of its stream's time."""

    times: np.ndarray  # (t,) int64, of the frames in the order shown
    key_times: np.ndarray  # (k,) int64, of those that can be jumped to

    def entry(self, number: int) -> int:
        """The time to jump to in order to decode a frame."""
        key = np.searchsorted(self.key_times, self.times[number], side="right") - 1
        return int(self.key_times[max(key, 0)])


def index_frames(path: str | os.PathLike) -> FrameIndex | None:
    """Go over a video without decoding it; None where its packets do not tell the frames exactly.

    Raises:
      InputError: as `iterate_frames`.
    """
    with open_whole_container(path) as (container, stream):
        return _index(container, stream)


def iterate_frames(
    path: str | os.PathLike, first: int = 0, index: FrameIndex | None = None
) -> Generator[np.ndarray, None, None]:
    """Yield the frames in the order in which they are shown; memory does not grow.

    Args:
      path: a video; the content decides on the format, not the suffix.
      first: number of the frame to begin with, one that the video has.
      index: of the video; spares decoding all that is before `first`.

    Yields:
      (h, w, 3) uint8 RGB, turned upright as a phone marks it.

    Raises:
      InputError: the file is missing, no video, or without a frame that can be decoded; or, after
        the frames before the damage, it is damaged or cut short, so far as FFmpeg notices it.
    """
    reformatter = VideoReformatter()  # one for all frames: to make one costs more than to use it
    for frame in _decode_all(path, first, index):
        yield _upright_rgb(frame, reformatter)


def count_frames(path: str | os.PathLike, index: FrameIndex | None = None) -> int:
    """Count the frames that `iterate_frames` yields, by decoding them where there is no index.

    Raises:
      InputError: as `iterate_frames`.
    """
    return sum(1 for _ in _decode_all(path, 0, None)) if index is None else len(index.times)


def read_frames(
    path: str | os.PathLike, indices: Sequence[int], index: FrameIndex | None = None
) -> list[np.ndarray]:
    """Read the frames at `indices` alone, each as `iterate_frames` yields it.

    Args:
      path: a video.
      indices: from 0, in any order, also repeated.
      index: of the video; without it everything up to the last of these is decoded.

    Returns:
      For each of `indices` an array (h, w, 3) uint8.

    Raises:
      InputError: as `iterate_frames`, or the video has no such frame, or is cut short anywhere.
    """
    wanted = sorted(set(indices))
    if not wanted:
        return []
    found = {} if index is None else _decode_by_seeking(path, wanted, index)
    if len(found) < len(wanted):
        with open_whole_container(path):  # a cut that comes later would not be told
            frames = itertools.islice(iterate_frames(path), wanted[-1] + 1)
            found = {i: frame for i, frame in enumerate(frames) if i in wanted}
    if missing := [i for i in wanted if i not in found]:
        count = count_frames(path, index)
        raise InputError(f"{path}: has no frame {missing[0]}, only {count} from 0 on")
    return [found[i] for i in indices]


def frame_times(path: str | os.PathLike) -> np.ndarray | None:
    """Tell when each frame is shown, where that is not at a constant rate.

    Phones and screen recorders leave out frames or space them as the light has it, and a frame of
    a GIF lasts as long as it says.

    Returns:
      (t,) float64 in seconds from the first frame; None where no frame is off the average rate by
      more than a quarter of its time, or the file does not tell.
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
    path: str | os.PathLike, first: int, index: FrameIndex | None
) -> Iterator[VideoFrame]:
    num_frames = 0
    damage: Exception | None = None
    with open_container(path) as (container, stream):
        is_short = is_cut(path, container, stream)
        try:
            frames: Iterator[VideoFrame]
            num_frames, frames = _jump(container, stream, first, index)
            for frame in frames:
                num_frames += 1
                if num_frames > first:
                    yield frame
        except DAMAGE as error:
            damage = error
            with contextlib.suppress(*DAMAGE):
                for frame in stream.decode(None):  # those that wait in the decoder for their turn
                    num_frames += 1
                    if num_frames > first:
                        yield frame
    if num_frames == 0:
        raise InputError(f"{path}: has no frame that can be decoded") from damage
    if damage or is_short:
        what = "cut short" if is_short else "damaged"
        raise InputError(f"{path}: is {what} after frame {num_frames}") from damage


def _jump(
    container: InputContainer, stream: VideoStream, first: int, index: FrameIndex | None
) -> tuple[int, Iterator[VideoFrame]]:
    """Find a way to a frame: the number of the first one that comes, and these."""
    if index is None or first == 0:
        return 0, decode(container, stream)
    entry = index.entry(first)
    with contextlib.suppress(*DAMAGE):  # a whole decode will tell
        container.seek(entry, stream=stream)
        frames = decode(container, stream)
        for frame in frames:
            if frame.pts == entry:
                return int(np.searchsorted(index.times, entry)), itertools.chain([frame], frames)
            if frame.pts is None or frame.pts > entry:
                break  # where pictures are refreshed bit by bit, the first ones do not come
    container.seek(int(index.key_times[0]), stream=stream)
    return 0, decode(container, stream)


def _upright_rgb(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    rgb = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))


def _index(container: InputContainer, stream: VideoStream) -> FrameIndex | None:
    codec = stream.codec_context.codec.canonical_name  # AV1's decoders have names of their own
    # AVI tells no times of display; its order is that of display where all frames are key frames.
    codecs = ("mjpeg",) if container.format.name == "avi" else _PACKET_IS_FRAME
    if codec not in codecs:
        return None
    times, key_times = [], []
    try:
        for packet in packets(container, stream):
            if packet.size == 0:  # the last one, which stands for the end
                break
            if packet.pts is None:
                return None
            if packet.is_keyframe:
                key_times.append(packet.pts)
            if not packet.is_discard:  # marked where an edit left it out
                times.append(packet.pts)
    except DAMAGE:
        return None
    # Frames before the first key frame may be undecodable, where another program cut the video.
    if not times or not key_times or min(times) < min(key_times) or len(set(times)) < len(times):
        return None
    return FrameIndex(np.sort(np.array(times)), np.sort(np.array(key_times)))


def _decode_by_seeking(
    path: str | os.PathLike, indices: list[int], index: FrameIndex
) -> dict[int, np.ndarray]:
    """Decode from the key frame before each of the sorted `indices`; leave out what fails."""
    found: dict[int, np.ndarray] = {}
    if not 0 <= indices[0] <= indices[-1] < len(index.times):
        return found
    reformatter = VideoReformatter()
    with (
        open_whole_container(path) as (container, stream),
        contextlib.suppress(*DAMAGE),  # a whole decode will tell
    ):
        for entry, group in itertools.groupby(indices, index.entry):
            numbers = {int(index.times[i]): i for i in group}
            container.seek(entry, stream=stream)
            for frame in decode_times(container, stream, numbers):
                if frame.pts in numbers:
                    found[numbers[frame.pts]] = _upright_rgb(frame, reformatter)
    return found
