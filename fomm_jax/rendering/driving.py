"""What drives an animation: a video or pictures, cut to the model's frame, or a motion."""

import contextlib
import dataclasses
import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError
from fomm_jax.media.framing import Framing, cut_frame
from fomm_jax.media.raw_frames import RawFormat, read_raw_frames
from fomm_jax.media.reading.frame_times import constant_rate, usual_rate
from fomm_jax.media.reading.picture_sequences import FOLDER_FPS, PictureSequence, open_sequence
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import DamagedFramesError, iterate_frames
from fomm_jax.media.writing.sound import SoundState, inspect_sound
from fomm_jax.rendering.cropping import choose_framing, spread_frames, spread_pictures
from fomm_jax.rendering.following import follow_head
from fomm_jax.rendering.options import DrivingCrop

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Driving:
    """A driving video or motion; it has either `frames` or `motion`."""

    name: str  # for messages
    fps: float  # frames a second
    # Starts the video from its beginning: (h, w, 3) uint8 frames of the model's size.
    frames: Callable[[], Iterator[np.ndarray]] | None = None
    motion: Motion | None = None
    num_frames: int | None = None  # fewer come from a damaged video; None where it is unknown
    times: np.ndarray | None = None  # (t + 1,), see `frame_times`; None: the rate is constant
    sound: SoundState = SoundState.NONE
    is_live: bool = False  # comes through a pipe: `frames` works once and may never end


def open_driving(path: str, crop: DrivingCrop, size: tuple[int, int]) -> Driving:
    """Open a video, an animated picture or a folder of frames.

    Only the frames that choosing the crop needs are decoded. If there is damage, the last whole
    frame before it stands until another whole one comes, or ends the video. A warning is logged
    once.

    Args:
      path: the path of the video, the picture or the folder.
      crop: the part of its frames that the model sees.
      size: the height and width of the model's frame.

    Raises:
      InputError: the file is not a video, has no frame, or its frames do not reach into the crop.
    """
    sequence = open_sequence(path)
    if sequence is not None:
        return _open_driving_pictures(path, sequence, crop, size)
    info = probe_video(path)
    if info.num_left_out and not info.fault:  # the fault will be reported after the frames
        logger.warning(
            "%s: number of frames at the beginning that need earlier ones: %d; they are left out",
            path,
            info.num_left_out,
        )
    read = functools.partial(iterate_frames, path, index=info.index)
    place: Callable[[int], Framing]
    if crop == "follow":
        place = follow_head(_whole(read()), info.fps, size, path, info.num_frames).framing
    else:
        place = _everywhere(choose_framing(crop, spread_frames(path, info), size, path))
    return Driving(
        name=path,
        fps=info.fps,
        frames=_cutting(read, place, size),
        num_frames=info.num_frames,
        times=info.times,
        sound=inspect_sound(path),
    )


def _open_driving_pictures(
    path: str, sequence: PictureSequence, crop: DrivingCrop, size: tuple[int, int]
) -> Driving:
    times = sequence.times
    rate = constant_rate(times, [Fraction(FOLDER_FPS)], tick=0.0)
    fps = float(rate or usual_rate(times))
    place: Callable[[int], Framing]
    if crop == "follow":
        place = follow_head(sequence.frames(), fps, size, path, len(times) - 1).framing
    else:
        looks = spread_pictures(sequence.frames(), len(times) - 1, times[-1])
        place = _everywhere(choose_framing(crop, looks, size, path))
    return Driving(
        name=path,
        fps=fps,
        frames=_cutting(sequence.frames, place, size),
        num_frames=len(times) - 1,
        times=times if rate is None else None,
    )


def _everywhere(framing: Framing) -> Callable[[int], Framing]:
    """Return a place that is the same in all frames."""
    return lambda number: framing


def _whole(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames up to damage, about which `_cutting` will tell."""
    with contextlib.suppress(InputError):
        yield from frames


def _cutting(
    read: Callable[[], Iterator[np.ndarray]],
    place: Callable[[int], Framing],
    size: tuple[int, int],
) -> Callable[[], Iterator[np.ndarray]]:
    """Return what starts the frames from the beginning, cut to the model's frame.

    Args:
      read: starts the whole frames.
      place: returns the part of a frame, by its number.
      size: the height and width of the model's frame.
    """
    has_warned = False

    def frames() -> Iterator[np.ndarray]:
        nonlocal has_warned
        num_frames = 0
        try:
            for frame in read():
                yield cut_frame(frame, place(num_frames), size)
                num_frames += 1
        except InputError as error:
            if num_frames == 0:
                raise
            if not has_warned:
                is_end = not isinstance(error, DamagedFramesError)
                logger.warning("%s%s", error, "; the animation ends there" if is_end else "")
            has_warned = True

    return frames


def open_driving_pipe(
    stream: BinaryIO, raw_format: RawFormat, crop: DrivingCrop, size: tuple[int, int], name: str
) -> Driving:
    """Open a stream of raw frames, and wait for the first.

    Args:
      stream: the stream to read from.
      raw_format: the size and rate of its frames.
      crop: the part of the frames that the model sees; a face is looked for in the first frame.
      size: the height and width of the model's frame.
      name: the name of the stream, for messages.

    Raises:
      InputError: there is no frame, or it does not reach into the crop.
    """
    if crop == "follow":
        raise InputError("crop_driving=follow: would need the frames from the pipe twice")
    raw = read_raw_frames(stream, raw_format, name)
    first = next(raw)
    framing = choose_framing(crop, [first], size, name)

    def frames() -> Iterator[np.ndarray]:
        for frame in itertools.chain([first], raw):
            yield cut_frame(frame, framing, size)

    return Driving(name=name, fps=raw_format.fps, frames=frames, is_live=True)


def open_driving_motion(path: str) -> Driving:
    """Read a motion that `Motion.save` wrote.

    Raises:
      InputError: the file is not one.
    """
    motion = Motion.load(path)
    return Driving(
        name=path, fps=motion.fps, motion=motion, num_frames=len(motion), times=motion.times
    )
