"""Animations of a user's pictures by a user's videos, from files to files or pipes."""

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from fomm_jax.animation_options import AnimationOptions
from fomm_jax.animation_view import View, choose_view
from fomm_jax.animator import Animator
from fomm_jax.atomic_files import check_can_write
from fomm_jax.cropping import Crop, choose_framing
from fomm_jax.driving import Driving, open_driving, open_driving_pipe
from fomm_jax.errors import InputError
from fomm_jax.framing import cut_frame
from fomm_jax.marking import Marking
from fomm_jax.motion_transfer import EncodedSource
from fomm_jax.output_paths import PIPE, output_paths
from fomm_jax.picture_io import read_picture
from fomm_jax.raw_frames import RawFormat, RawWriter
from fomm_jax.types import FrameKeypoints
from fomm_jax.video_io import probe_video
from fomm_jax.video_writer import VideoWriter


@dataclasses.dataclass(frozen=True)
class Pipes:
    """What stands for standard input and output, where a name is `PIPE`."""

    input: BinaryIO
    output: BinaryIO
    form: RawFormat | None = None  # of the raw frames that come in


_Moment = tuple[
    FrameKeypoints, np.ndarray | None
]  # of a driving frame, and that itself if it is shown


@dataclasses.dataclass(frozen=True)
class _Source:
    encoded: EncodedSource
    view: View


def animate_files(
    animator: Animator,
    sources: Sequence[str],
    drivings: Sequence[str],
    output: str,
    options: AnimationOptions,
    pipes: Pipes,
    *,
    marking: Marking | None,
) -> list[str]:
    """Animate each picture by each video.

    All inputs are looked at before the first is animated. Frames are read, animated and written as
    they come; memory does not grow with the length of a video. Of a video for several pictures the
    keypoints, some hundred bytes a frame, are found once and kept.

    Args:
      animator: trained.
      sources: paths of pictures.
      drivings: paths of videos; `PIPE` is raw frames from `pipes.input`.
      output: a film, a folder for several, or `PIPE`; see `output_paths`.
      options: what is wanted.
      pipes: for `PIPE`.
      marking: what films say of how they were made, but for what is told by `options` and by the
        pair; None is nothing.

    Returns:
      The files that were written.

    Raises:
      InputError: a file cannot be read or written, or an option does not go with the others.
    """
    if options.paste_back and options.side_by_side:
        raise InputError("--paste_back, --side_by_side: expected one of them")
    paths = output_paths(sources, drivings, output)
    for path in paths.values():
        if path != PIPE:
            check_can_write(path)
    size = animator.config.dataset.frame_shape[:2]
    pictures = {path: _open_source(animator, path, options) for path in sources}
    videos = {path: _open_driving(path, options.crop_driving, size, pipes) for path in drivings}
    sounds = {
        (source, driving): _sound_from(videos[driving], path, options.sound)
        for (source, driving), path in paths.items()
    }
    for driving_path, driving in videos.items():
        moments = _moments(animator, driving, options, is_kept=len(pictures) > 1)
        for source_path, source in pictures.items():
            path, sound = paths[source_path, driving_path], sounds[source_path, driving_path]
            mark = marking and dataclasses.replace(
                marking,
                source_type=source.view.source_type,
                source=source_path,
                driving=None if driving.is_live else driving_path,
            )
            frames = _result(animator, source, moments(), options)
            name = "animate" if path == PIPE else pathlib.Path(path).name
            try:
                with _open_output(path, source.view, driving, sound, mark, pipes) as writer:
                    for frame in tqdm(frames, name, driving.num_frames, unit="frame"):
                        writer.write(frame)
            except BrokenPipeError:
                tqdm.write("standard output was closed; the animation ends there", file=sys.stderr)
    return list(paths.values())


def _moments(
    animator: Animator, driving: Driving, options: AnimationOptions, is_kept: bool
) -> Callable[[], Iterator[_Moment]]:
    """All that a driving video tells, frame by frame, each time anew."""

    def detect() -> Iterator[_Moment]:
        # The detector takes a batch of frames at once, so many wait beside it.
        frames, beside = itertools.tee(driving.frames())
        yield from zip(animator.detect(frames), beside, strict=False)

    if not is_kept:
        return detect
    if driving.is_live and options.side_by_side:
        raise InputError("--side_by_side: expected one --source with --driving=-")
    name = f"keypoints of {pathlib.Path(driving.name).name}"
    found = tqdm(detect(), name, driving.num_frames, unit="frame")
    kept = [keypoints for keypoints, _ in found]
    frames = driving.frames if options.side_by_side else lambda: itertools.repeat(None)
    return lambda: zip(kept, frames(), strict=False)


def _result(
    animator: Animator, source: _Source, moments: Iterator[_Moment], options: AnimationOptions
) -> Iterator[np.ndarray]:
    """Frames as they are shown."""
    moments, beside = itertools.tee(moments)
    predictions = animator.animate_keypoints(
        source.encoded,
        (keypoints for keypoints, _ in moments),
        normalization=options.normalization(animator.config.animate.normalization),
    )
    for prediction, (keypoints, frame) in zip(predictions, beside, strict=False):
        yield source.view.draw(prediction, frame, keypoints.value)


def _open_source(animator: Animator, path: str, options: AnimationOptions) -> _Source:
    picture = _read_still(path)
    size = animator.config.dataset.frame_shape[:2]
    framing = choose_framing(options.crop, [picture], size, path)
    frame = cut_frame(picture, framing, size)
    view = choose_view(picture, frame, framing, options, animator.config.visualize)
    return _Source(animator.encode(frame), view)


def _read_still(path: str) -> np.ndarray:
    try:
        return read_picture(path)
    except InputError as error:
        try:
            probe_video(path)
        except InputError:
            raise error from None
        raise InputError(f"{path}: is a video, expected a picture") from error


def _open_driving(path: str, crop: Crop, size: tuple[int, int], pipes: Pipes) -> Driving:
    if path != PIPE:
        return open_driving(path, crop, size)
    if pipes.form is None:
        raise InputError("--pipe_size: expected WIDTHxHEIGHT of the frames that --driving=- reads")
    return open_driving_pipe(pipes.input, pipes.form, crop, size, "standard input")


def _sound_from(driving: Driving, output: str, wanted: bool | None) -> str | None:
    """The file whose sound goes into the output."""
    if wanted is False:
        return None
    if driving.sound_from is None:
        if wanted:
            raise InputError(f"--sound: {driving.name} has no sound")
        return None
    if output.lower().endswith(".mp4"):
        return driving.sound_from
    what = "raw frames" if output == PIPE else output
    if wanted:
        raise InputError(f"--sound: {what} cannot hold sound; expected an --output in .mp4")
    note = f"{what} cannot hold sound; that of {driving.name} is left out"
    print(f"warning: {note}", file=sys.stderr)
    return None


def _open_output(
    path: str,
    view: View,
    driving: Driving,
    sound_from: str | None,
    marking: Marking | None,
    pipes: Pipes,
) -> VideoWriter | RawWriter:
    if path != PIPE:
        return VideoWriter(
            path,
            driving.fps,
            view.height,
            view.width,
            times=driving.times,
            sound_from=sound_from,
            marking=marking,
        )
    size = f"{view.width}x{view.height}"
    print(f"standard output: RGB24 frames of {size}, {driving.fps:g} a second", file=sys.stderr)
    if marking is not None:
        print("standard output: raw frames cannot say that a model made them", file=sys.stderr)
    return RawWriter(pipes.output)
