"""A picture to animate, or a video whose frames are animated one by one."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.compiled_model import EncodedSource
from fomm_jax.errors import InputError
from fomm_jax.media.colours import Colour
from fomm_jax.media.framing import Framing, cut_frame
from fomm_jax.media.picture_files import picture_kind
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.probe import VideoInfo, probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.sound import SoundState, inspect_sound
from fomm_jax.rendering.cropping import choose_faces, choose_framing, spread_frames
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.view import View, choose_view


@dataclasses.dataclass(frozen=True)
class SourceVideo:
    """A video whose frames are animated."""

    name: str  # its path
    fps: float  # frames a second
    times: np.ndarray | None  # (t + 1,), see `frame_times`; None: the rate is constant
    num_frames: int
    sound: SoundState
    moments: Callable[[], Iterator["Source"]]  # starts its frames, each ready to be animated


@dataclasses.dataclass(frozen=True)
class Source:
    """A picture, or the first frame of a video, that is ready to be animated."""

    name: str  # its path
    frame: np.ndarray  # the first animated part, (h, w, 3) uint8 of the model's size
    parts: Sequence[EncodedSource]  # all animated parts; more than one only with `options.faces`
    view: View
    video: SourceVideo | None = None

    @property
    def encoded(self) -> EncodedSource:
        """The first animated part."""
        return self.parts[0]


def open_source_or_video(animator: Animator, path: str, options: AnimationOptions) -> Source:
    """Read a picture as `open_source` does, or open a video.

    Raises:
      InputError: the file is neither, or `options.crop` or `options.faces` does not suit it.
    """
    if not os.path.isfile(path) or picture_kind(path):
        return open_source(animator, path, options)
    try:
        info = probe_video(path)
    except InputError:  # which may speak of a video where a picture is damaged
        return open_source(animator, path, options)
    return _open_video(animator, path, info, options)


def open_source(animator: Animator, path: str, options: AnimationOptions) -> Source:
    """Read a picture, choose the parts of it to animate, and encode those.

    Raises:
      InputError: the file is not a picture, or `options.crop` or `options.faces` does not suit it.
    """
    picture = _read_still(path, options.background)
    size = animator.config.dataset.frame_shape[:2]
    if options.faces is None:
        framings = [choose_framing(options.crop, [picture], size, path)]
    else:
        framings = choose_faces(options.faces, picture, size, path)
    return _encode(animator, path, picture, framings, options)


def _open_video(
    animator: Animator, path: str, info: VideoInfo, options: AnimationOptions
) -> Source:
    """Open a video; one part is animated, which is at the same place in all frames."""
    if options.faces is not None:
        raise InputError(f"faces: {path} is a video; expected a picture")
    size = animator.config.dataset.frame_shape[:2]
    framing = choose_framing(options.crop, spread_frames(path, info), size, path)

    def moments() -> Iterator[Source]:
        for frame in iterate_frames(path, index=info.index):
            yield _encode(animator, path, frame, [framing], options)

    with contextlib.closing(iterate_frames(path, index=info.index)) as frames:
        first = _encode(animator, path, next(frames), [framing], options)
    video = SourceVideo(path, info.fps, info.times, info.num_frames, inspect_sound(path), moments)
    return dataclasses.replace(first, video=video)


def _encode(
    animator: Animator,
    name: str,
    picture: np.ndarray,
    framings: Sequence[Framing],
    options: AnimationOptions,
) -> Source:
    size = animator.config.dataset.frame_shape[:2]
    frames = [cut_frame(picture, framing, size) for framing in framings]
    view = choose_view(picture, frames[0], framings, options, animator.config.visualize)
    return Source(name, frames[0], [animator.encode(frame) for frame in frames], view)


def _read_still(path: str, background: Colour) -> np.ndarray:
    """Read a picture; if the file is a video, say so in the error."""
    try:
        return read_picture(path, background)
    except InputError as error:
        if not os.path.isfile(path) or picture_kind(path):
            raise
        try:
            probe_video(path)
        except InputError:
            raise error from None
        raise InputError(f"{path}: is a video, expected a picture") from error
