"""Animate pictures by videos, from files or a pipe to files or a pipe."""

import dataclasses
import itertools
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.frame_motion import DrivingFrame
from fomm_jax.errors import InputError, naming
from fomm_jax.media.raw_frames import RawWriter, repeat_frames
from fomm_jax.media.reading.frame_times import steady_counts, steady_rate
from fomm_jax.media.writing.sound import SoundState
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter, check_frame_size
from fomm_jax.provenance.mark import Marking
from fomm_jax.readable import readable
from fomm_jax.rendering.driving import Driving, open_driving, open_driving_motion, open_driving_pipe
from fomm_jax.rendering.driving_keypoints import (
    RecordedMotion,
    detect_keypoints,
    record_motion,
)
from fomm_jax.rendering.job import AnimationJob, Pipes, check_options, check_outputs
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE, output_paths
from fomm_jax.rendering.source import Source, open_source

logger = logging.getLogger(__name__)

_UNDECODABLE = "is in a format for which FFmpeg has no decoder"


@dataclasses.dataclass(frozen=True)
class _Film:
    """One animation of a job."""

    path: str  # of the file to write, or `PIPE`
    source: Source
    drivings: Sequence[Driving]  # one for all animated parts of the source, or one for each
    sound_from: str | None  # a file whose sound goes into the film
    marking: Marking | None

    @property
    def driving(self) -> Driving:
        """What sets the times and the sound of the film."""
        return self.drivings[0]


def animate_files(animator: Animator, job: AnimationJob) -> list[str]:
    """Animate each picture of a job by each of its videos and motions.

    Where each face has a video of its own, the first one sets the times and the sound, and the film
    ends with the shortest.

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

    sources = {path: open_source(animator, path, options) for path in job.sources}
    drivings = {path: _open_video(animator, path, options, job.pipes) for path in job.drivings}
    drivings |= {path: _open_motion(animator, path) for path in job.motions}
    films = [
        _plan_film(
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
                _write_film(film, _animate(animator, film, recorded, options), job)
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


def _plan_film(
    path: str,
    source: Source,
    drivings: Sequence[Driving],
    options: AnimationOptions,
    marking: Marking | None,
) -> _Film:
    if len(drivings) not in (1, len(source.parts)):
        raise InputError(
            f"{source.name}: number of faces to animate: {len(source.parts)}; expected one video"
            f" for all or one for each, got {len(drivings)}"
        )
    driving = drivings[0]
    if path != PIPE:
        check_frame_size(path, source.view.height, source.view.width)
    is_video_file = os.path.isfile(driving.name) and driving.frames is not None
    return _Film(
        path=path,
        source=source,
        drivings=drivings,
        sound_from=_choose_sound(driving, path, options.sound),
        marking=marking
        and dataclasses.replace(
            marking,
            source_type=source.view.source_type,
            source=source.name,
            driving=driving.name if is_video_file else None,
        ),
    )


def _choose_sound(driving: Driving, output: str, sound: bool | None) -> str | None:
    """Return the file whose sound goes into a film; see `AnimationOptions.sound`."""
    if sound is False:
        return None
    if driving.sound is SoundState.NONE:
        if sound:
            raise InputError(f"sound: {driving.name} has no sound")
        return None
    if driving.sound is SoundState.UNDECODABLE:
        if sound:
            raise InputError(f"sound: that of {driving.name} {_UNDECODABLE}")
        logger.warning("%s: the sound %s, and is left out", driving.name, _UNDECODABLE)
        return None
    if output.lower().endswith(".mp4"):
        return driving.name
    film = "raw frames" if output == PIPE else output
    if sound:
        raise InputError(f"sound: {film} cannot hold sound; expected an output that ends in .mp4")
    logger.warning("%s cannot hold sound; that of %s is left out", film, driving.name)
    return None


def _animate(
    animator: Animator,
    film: _Film,
    recorded: Mapping[str, RecordedMotion],
    options: AnimationOptions,
) -> Iterator[np.ndarray]:
    """Yield the frames of a film.

    Args:
      animator: the trained model.
      film: the film.
      recorded: by the names of drivings, the keypoints of all their frames; those of the others are
        detected as frames come.
      options: how to animate.
    """
    source = film.source
    streams = [_driving_frames(animator, film, each, recorded, options) for each in film.drivings]
    starts = [
        recorded[driving.name].start(source.name) if driving.name in recorded else None
        for driving in film.drivings
    ]
    if len(streams) < len(source.parts):
        streams = list(itertools.tee(streams[0], len(source.parts)))
        starts = starts * len(source.parts)
    # The model takes a batch of keypoints at once, so frames wait here for their predictions.
    streams[0], waiting = itertools.tee(streams[0])
    predictions = [
        animator.animate_keypoints(
            part,
            (frame.keypoints for frame in stream),
            initial=start,
            normalization=options.normalization(animator.config.animate.normalization),
        )
        for part, stream, start in zip(source.parts, streams, starts, strict=True)
    ]
    for frame, *painted in zip(waiting, *predictions, strict=False):
        yield source.view.draw(painted, frame.picture, animator.points(frame.keypoints))


def _driving_frames(
    animator: Animator,
    film: _Film,
    driving: Driving,
    recorded: Mapping[str, RecordedMotion],
    options: AnimationOptions,
) -> Iterator[DrivingFrame]:
    """Yield the frames of a video or motion, with their keypoints."""
    if driving.name not in recorded:
        return detect_keypoints(animator, driving, options.smooth)
    pictures: Iterator[np.ndarray | None] = itertools.repeat(None)
    if film.source.view.shows_driving and driving.frames is not None:
        pictures = driving.frames()
    return map(DrivingFrame, recorded[driving.name].frames, pictures)


def _write_film(film: _Film, frames: Iterable[np.ndarray], job: AnimationJob) -> None:
    """Write frames and show the progress; a reader that closes the pipe ends the film early."""
    name = "animate" if film.path == PIPE else readable(pathlib.Path(film.path).name)
    try:
        with _open_writer(film, job.pipes) as writer:
            shown = job.progress(frames, name, film.driving.num_frames)
            for frame in _at_steady_rate(film.driving, shown) if film.path == PIPE else shown:
                writer.write(frame)
    except BrokenPipeError:
        logger.info("standard output was closed; the animation ends there")


def _open_writer(film: _Film, pipes: Pipes) -> VideoWriter | RawWriter:
    view, driving = film.source.view, film.driving
    if film.path != PIPE:
        return VideoWriter(
            film.path,
            FilmFormat(view.height, view.width, fps=driving.fps, times=driving.times),
            sound_from=film.sound_from,
            marking=film.marking,
        )
    size = f"{view.width}x{view.height}"
    fps = driving.fps if driving.times is None else steady_rate(driving.times)
    logger.info("standard output: RGB24 frames of %s, %g a second", size, fps)
    if film.marking is not None:
        logger.warning("standard output: raw frames cannot say that a model made them")
    if pipes.output is None:
        raise InputError("pipes.output: expected a stream to write to")
    return RawWriter(pipes.output)


def _at_steady_rate(driving: Driving, frames: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Repeat frames or leave them out, since raw frames do not carry their times."""
    if driving.times is None:
        return frames
    counts = steady_counts(driving.times, steady_rate(driving.times))
    logger.warning(
        "%s: has no constant rate; in the raw frames, to stay in step, %d are repeated and %d are"
        " left out",
        driving.name,
        np.maximum(counts - 1, 0).sum(),
        (counts == 0).sum(),
    )
    return repeat_frames(frames, counts)
