"""Animations of a user's pictures by a user's videos, from files to files or pipes."""

import dataclasses
import itertools
import logging
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.errors import InputError, naming
from fomm_jax.files import check_can_write
from fomm_jax.media.raw_frames import RawFormat, RawWriter
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.driving import Driving, open_driving, open_driving_motion, open_driving_pipe
from fomm_jax.rendering.driving_keypoints import KeptKeypoints, find_keypoints, keep_keypoints
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE, output_paths
from fomm_jax.rendering.source import Source, open_source
from fomm_jax.rendering.view import View

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Pipes:
    """What stands for standard input and output, where a name is `PIPE`."""

    input: BinaryIO
    output: BinaryIO
    form: RawFormat | None = None  # of the raw frames that come in


def animate_files(
    animator: Animator,
    sources: Sequence[str],
    drivings: Sequence[str],
    motions: Sequence[str],
    output: str,
    options: AnimationOptions,
    pipes: Pipes,
    *,
    marking: Marking | None,
) -> list[str]:
    """Animate each picture by each video or motion.

    All inputs are looked at before the first is animated. Frames are read, animated and written as
    they come; memory does not grow with the length of a video. Of a video that is gone over twice
    (for several pictures, `best_frame` or `save_motion`) the keypoints, some hundred bytes a frame,
    are found once and kept.

    Args:
      animator: trained.
      sources: paths of pictures.
      drivings: paths of videos; `PIPE` is raw frames from `pipes.input`.
      motions: paths of motions that were kept.
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
    options = options.for_model(animator.config.animate)
    is_kept = options.best_frame is not None or options.save_motion or len(set(sources)) > 1
    _check_options(options, [*drivings, *motions], bool(is_kept))
    paths = output_paths(sources, [*drivings, *motions], output)
    written = [*paths.values(), *filter(None, [options.save_motion])]
    _check_outputs([*sources, *drivings, *motions], written)
    pictures = {path: open_source(animator, path, options) for path in sources}
    opened = {path: _open_video(animator, path, options, pipes) for path in drivings}
    opened |= {path: _open_motion(animator, path) for path in motions}
    sounds = {
        (source, driving): _sound_from(opened[driving], path, options.sound)
        for (source, driving), path in paths.items()
    }
    for driving_path, driving in opened.items():
        kept = None
        if is_kept or driving.motion:
            kept = keep_keypoints(animator, driving, list(pictures.values()), options)
        for source_path, source in pictures.items():
            path, sound = paths[source_path, driving_path], sounds[source_path, driving_path]
            mark = marking and dataclasses.replace(
                marking,
                source_type=source.view.source_type,
                source=source_path,
                driving=driving_path if driving.frames and not driving.is_live else None,
            )
            frames = _animate(animator, source, driving, kept, options)
            name = "animate" if path == PIPE else pathlib.Path(path).name
            try:
                with _open_output(path, source.view, driving, sound, mark, pipes) as writer:
                    for frame in tqdm(frames, name, driving.num_frames, unit="frame"):
                        writer.write(frame)
            except BrokenPipeError:
                logger.info("standard output was closed; the animation ends there")
    return list(paths.values())


def _animate(
    animator: Animator,
    source: Source,
    driving: Driving,
    kept: KeptKeypoints | None,
    options: AnimationOptions,
) -> Iterator[np.ndarray]:
    """Yield frames as they are shown."""
    if kept is None:
        initial = None
        moments = find_keypoints(animator, driving, options.smooth)
    else:
        initial = kept.motion[kept.starts[source.name]]
        beside: Iterator[np.ndarray | None] = itertools.repeat(None)
        if options.side_by_side and driving.frames is not None:
            beside = driving.frames()
        moments = zip(kept.motion, beside, strict=False)
    moments, shown = itertools.tee(moments)
    predictions = animator.animate_keypoints(
        source.encoded,
        (keypoints for keypoints, _ in moments),
        initial=initial,
        normalization=options.normalization(animator.config.animate.normalization),
    )
    for prediction, (keypoints, frame) in zip(predictions, shown, strict=False):
        yield source.view.draw(prediction, frame, keypoints.value)


def _check_options(options: AnimationOptions, drivings: Sequence[str], is_kept: bool) -> None:
    """Raise an InputError where options do not go together."""
    if options.paste_back and options.side_by_side:
        raise InputError("--paste_back, --side_by_side: expected one of them")
    if options.side_by_side and is_kept and PIPE in drivings:
        raise InputError(
            "--side_by_side: would need the frames of --driving=- twice; expected one --source, and"
            " neither --best_frame nor --save_motion"
        )
    if options.save_motion and len(set(drivings)) > 1:
        raise InputError(f"--save_motion: expected one video, got {len(set(drivings))}")


def _check_outputs(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise an InputError where a file cannot be written, or would be over another of them."""
    taken = {os.path.realpath(path) for path in inputs if path != PIPE}
    for path in outputs:
        if path == PIPE:
            continue
        check_can_write(path)
        place = os.path.realpath(path)
        if place in taken:
            raise InputError(
                f"{path}: would be written over an input or another output; expected another name"
            )
        taken.add(place)


def _open_video(animator: Animator, path: str, options: AnimationOptions, pipes: Pipes) -> Driving:
    size = animator.config.dataset.frame_shape[:2]
    if path != PIPE:
        return open_driving(path, options.crop_driving, size)
    if pipes.form is None:
        raise InputError("--pipe_size: expected WIDTHxHEIGHT of the frames that --driving=- reads")
    crop = options.crop_driving
    return open_driving_pipe(pipes.input, pipes.form, crop, size, "standard input")


def _open_motion(animator: Animator, path: str) -> Driving:
    driving = open_driving_motion(path)
    if driving.motion:
        with naming(path):
            animator.check_motion(driving.motion)
    return driving


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
    logger.warning("%s cannot hold sound; that of %s is left out", what, driving.name)
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
            FilmFormat(view.height, view.width, fps=driving.fps, times=driving.times),
            sound_from=sound_from,
            marking=marking,
        )
    size = f"{view.width}x{view.height}"
    logger.info("standard output: RGB24 frames of %s, %g a second", size, driving.fps)
    if marking is not None:
        logger.warning("standard output: raw frames cannot say that a model made them")
    return RawWriter(pipes.output)
