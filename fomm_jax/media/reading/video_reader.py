"""Videos to frames, one at a time.

Animated GIFs are videos too, decoded by PyAV and not by imageio: of 900 random GIFs, PyAV composed
614 as browsers do, and imageio by way of Pillow 505. imageio's own use of PyAV collects garbage
each time it closes a file, and does not tell damaged frames.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.media.reading.decoding import (
    DAMAGE,
    LostFramesError,
    decode,
    decode_past_damage,
    decode_times,
    is_cut,
    open_container,
    open_whole_container,
)
from fomm_jax.media.reading.decoding import VIDEO_SUFFIXES as VIDEO_SUFFIXES  # offered here too
from fomm_jax.media.reading.frame_index import FrameIndex
from fomm_jax.media.reading.shown_frames import FramePainter


class DamagedFramesError(InputError):
    """A video has damaged frames, and intact ones after them."""


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
      index: the index of the video, which spares decoding everything before `first`. There is then
        a frame for each of its times; where one cannot be decoded, the last one stands.
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
    yield from map(paint, decode_video(path, first, index, past_damage=past_damage))


def count_frames(path: str | os.PathLike, index: FrameIndex | None = None) -> int:
    """Count the frames that `iterate_frames` yields, by decoding them if there is no index.

    Raises:
      InputError: as in `iterate_frames`.
    """
    if index is not None:
        return len(index.times)
    return sum(1 for _ in decode_video(path, past_damage=False))


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
            whole = iterate_frames(path, 0, index, past_damage=False)
            start = itertools.islice(whole, numbers[-1] + 1)
            frames = {i: frame for i, frame in enumerate(start) if i in numbers}
    if missing := [i for i in numbers if i not in frames]:
        count = count_frames(path, index)
        raise InputError(f"{path}: has no frame {missing[0]}, only {count} from 0 on")
    return [frames[i] for i in indices]


def decode_video(
    path: str | os.PathLike,
    first: int = 0,
    index: FrameIndex | None = None,
    *,
    past_damage: bool = True,
) -> Iterator[VideoFrame]:
    """Yield the frames of `iterate_frames` as FFmpeg decodes them."""
    frames = _decode_from(path, first, index, past_damage)
    fate = "they are left out"
    if index is not None:
        frames = _one_for_each(index.times[first:], frames)
        fate = "the first intact one stands in place of each"
    try:
        yield from frames
    except LostFramesError as error:
        num_early, num_later = error.args
        early = f"number of damaged frames at the beginning: {num_early}; {fate}"
        later = f"number of damaged frames: {num_later}; the one before stands in place of each"
        parts = [part for part, number in ((early, num_early), (later, num_later)) if number]
        raise DamagedFramesError(f"{path}: {'; '.join(parts)}") from error


def _one_for_each(times: np.ndarray, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Yield the frame that is shown at each of the times: the last one stands for a lost one.

    Raises:
      LostFramesError: after the last frame, if any is lost. Decoders do not report each of them.
      Another one of `DAMAGE`, or an InputError: as `frames` does.
    """
    number, num_early, num_later = 0, 0, 0
    shown: VideoFrame | None = None
    is_repeated = False  # the frame has had a time of its own
    with contextlib.suppress(LostFramesError):
        for frame in frames:
            while number < len(times) and frame.pts is not None and times[number] < frame.pts:
                num_early += shown is None
                num_later += is_repeated
                yield shown or frame
                is_repeated = shown is not None
                number += 1
            shown, is_repeated = frame, False
            if number < len(times) and times[number] == frame.pts:
                yield frame
                is_repeated = True
                number += 1
    if shown is not None:
        num_missing = len(times) - number
        yield from itertools.repeat(shown, num_missing)
        num_later += max(0, num_missing - (not is_repeated))
    if num_early + num_later:
        raise LostFramesError(num_early, num_later)


def _decode_from(
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
        raise damage
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
