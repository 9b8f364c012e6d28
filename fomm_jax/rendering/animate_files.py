"""Animate pictures by videos, from files or a pipe to files or a pipe."""

import logging
import pathlib
from collections.abc import Iterable

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.errors import InputError, naming
from fomm_jax.media.raw_frames import RawWriter, repeat_frames
from fomm_jax.media.reading.frame_times import steady_counts, steady_rate
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.readable import readable
from fomm_jax.rendering.driving import Driving, open_driving, open_driving_motion, open_driving_pipe
from fomm_jax.rendering.driving_keypoints import record_motion
from fomm_jax.rendering.film import Film, plan_film
from fomm_jax.rendering.film_frames import film_frames
from fomm_jax.rendering.job import AnimationJob, Pipes, check_options, check_outputs
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE, output_paths
from fomm_jax.rendering.source import SourceVideo, open_source_or_video

logger = logging.getLogger(__name__)


def animate_files(animator: Animator, job: AnimationJob) -> list[str]:
    """Animate each source of a job by each of its videos and motions.

    A source is a picture, or a video, each frame of which is animated by the driving frame of the
    same number; the film then ends with the shorter one. Where each face has a video of its own,
    the first one sets the times and the sound, and the film ends with the shortest.

    All inputs are opened before the first film is begun. Frames are read, animated and written one
    batch after the other, so memory does not grow with the length of a video. Where a video would
    have to be read twice (several pictures, `best_frame` or `save_motion`), its keypoints are
    detected once and stored; they take a few hundred bytes per frame.

    Args:
      animator: the trained model.
      job: what to animate.

    Returns:
      The paths of the films.

    Raises:
      InputError: a file cannot be read or written, or an option does not suit the others.
    """
    options = job.options.for_model(animator.config.animate)
    check_options(job)
    animator.check_transfer(options.normalization(animator.config.animate.normalization))
    movers = {group[0]: group for group in job.films}
    paths = output_paths(job.sources, [*movers], job.output)
    motion_files = [options.save_motion] if options.save_motion else []
    check_outputs([*job.sources, *job.movers], [*paths.values(), *motion_files])

    sources = {path: open_source_or_video(animator, path, options) for path in job.sources}
    drivings = {path: _open_video(animator, path, options, job.pipes) for path in job.drivings}
    drivings |= {path: _open_motion(animator, path) for path in job.motions}
    films = [
        plan_film(
            path,
            sources[source],
            [drivings[mover] for mover in movers[first]],
            options,
            job.marking,
        )
        for (source, first), path in paths.items()
    ]
    for group in movers.values():
        recorded = {}
        for driving in (drivings[mover] for mover in group):
            if job.needs_all_keypoints or driving.motion:
                recorded[driving.name] = record_motion(
                    animator, driving, list(sources.values()), options, job.progress
                )
        for film in films:
            if film.driving is drivings[group[0]]:
                _write_film(film, film_frames(animator, film, recorded, options), job)
    return list(paths.values())


def _open_video(animator: Animator, path: str, options: AnimationOptions, pipes: Pipes) -> Driving:
    size = animator.config.dataset.frame_shape[:2]
    if path != PIPE:
        return open_driving(path, options.crop_driving, size)
    if pipes.input is None:
        raise InputError("pipes.input: expected a stream to read from")
    if pipes.raw_format is None:
        raise InputError("pipes.raw_format: expected the size of the frames in the pipe")
    return open_driving_pipe(
        pipes.input, pipes.raw_format, options.crop_driving, size, "standard input"
    )


def _open_motion(animator: Animator, path: str) -> Driving:
    driving = open_driving_motion(path)
    if driving.motion:
        with naming(path):
            animator.check_motion(driving.motion)
    return driving


def _write_film(film: Film, frames: Iterable[np.ndarray], job: AnimationJob) -> None:
    """Write frames and show the progress; a reader that closes the pipe ends the film early."""
    name = "animate" if film.path == PIPE else readable(pathlib.Path(film.path).name)
    try:
        with _open_writer(film, job.pipes) as writer:
            shown = job.progress(frames, name, film.num_frames)
            for frame in _at_steady_rate(film.clock, shown) if film.path == PIPE else shown:
                writer.write(frame)
    except BrokenPipeError:
        logger.info("standard output was closed; the animation ends there")


def _open_writer(film: Film, pipes: Pipes) -> VideoWriter | RawWriter:
    view, clock = film.source.view, film.clock
    if film.path != PIPE:
        return VideoWriter(
            film.path,
            FilmFormat(view.height, view.width, fps=clock.fps, times=clock.times),
            sound_from=film.sound_from,
            marking=film.marking,
        )
    size = f"{view.width}x{view.height}"
    fps = clock.fps if clock.times is None else steady_rate(clock.times)
    logger.info("standard output: RGB24 frames of %s, %g a second", size, fps)
    if film.marking is not None:
        logger.warning("standard output: raw frames cannot say that a model made them")
    if pipes.output is None:
        raise InputError("pipes.output: expected a stream to write to")
    return RawWriter(pipes.output)


def _at_steady_rate(
    clock: Driving | SourceVideo, frames: Iterable[np.ndarray]
) -> Iterable[np.ndarray]:
    """Repeat frames or leave them out, since raw frames do not carry their times."""
    if clock.times is None:
        return frames
    counts = steady_counts(clock.times, steady_rate(clock.times))
    logger.warning(
        "%s: has no constant rate; in the raw frames, to stay in step, %d are repeated and %d are"
        " left out",
        clock.name,
        np.maximum(counts - 1, 0).sum(),
        (counts == 0).sum(),
    )
    return repeat_frames(frames, counts)
