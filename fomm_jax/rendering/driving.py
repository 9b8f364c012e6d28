"""What drives an animation: a video, cut to the model's frame, or a motion that was kept."""

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError
from fomm_jax.media.framing import cut_frame
from fomm_jax.media.raw_frames import RawFormat, read_raw_frames
from fomm_jax.media.sound import has_sound
from fomm_jax.media.video_reader import frame_times, iterate_frames, probe_video
from fomm_jax.rendering.cropping import Crop, choose_framing, spread_frames

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Driving:
    """A driving video or motion."""

    name: str  # for messages
    fps: float
    frames: Callable[[], Iterator[np.ndarray]] | None = None  # anew: (h, w, 3) uint8, model's size
    motion: Motion | None = None  # in place of frames
    num_frames: int | None = None  # about; None where nobody knows
    times: np.ndarray | None = None  # as `video_reader.frame_times`
    sound_from: str | None = None  # a video file that has sound
    is_live: bool = False  # comes through a pipe: the frames can be had once, and may have no end


def open_driving(path: str, crop: Crop, size: tuple[int, int]) -> Driving:
    """Open a video file; decode no more of it than the choice of the crop needs.

    Where the video is damaged, the frames end with the last whole one, and a line on stderr tells
    so.

    Args:
      path: of the video.
      crop: what part of its frames.
      size: height and width of the model's frame.

    Raises:
      InputError: it is no video, has no frame, or none of them is in the crop.
    """
    info = probe_video(path)
    framing = choose_framing(crop, spread_frames(path), size, path)
    is_told = False

    def frames() -> Iterator[np.ndarray]:
        nonlocal is_told
        num_frames = 0
        try:
            for frame in iterate_frames(path):
                num_frames += 1
                yield cut_frame(frame, framing, size)
        except InputError as error:
            if num_frames == 0:
                raise
            if not is_told:
                logger.warning("%s; the animation ends there", error)
            is_told = True

    return Driving(
        name=path,
        fps=info.fps,
        frames=frames,
        num_frames=info.num_frames,
        times=frame_times(path),
        sound_from=path if has_sound(path) else None,
    )


def open_driving_pipe(
    stream: BinaryIO, form: RawFormat, crop: Crop, size: tuple[int, int], name: str
) -> Driving:
    """Read raw frames from a pipe; wait for the first.

    Args:
      stream: to read from.
      form: of the raw frames.
      crop: what part of them; a face is looked for in the first one.
      size: height and width of the model's frame.
      name: of the stream, for messages.

    Raises:
      InputError: there is no frame, or none of it is in the crop.
    """
    raw = read_raw_frames(stream, form, name)
    first = next(raw)
    framing = choose_framing(crop, [first], size, name)

    def frames() -> Iterator[np.ndarray]:
        for frame in itertools.chain([first], raw):
            yield cut_frame(frame, framing, size)

    return Driving(name=name, fps=form.fps, frames=frames, is_live=True)


def open_driving_motion(path: str) -> Driving:
    """Read a motion that `Motion.save` wrote.

    Raises:
      InputError: it is none.
    """
    motion = Motion.load(path)
    return Driving(name=path, fps=motion.fps, motion=motion, num_frames=len(motion))
