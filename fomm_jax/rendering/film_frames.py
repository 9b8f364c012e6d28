"""The frames of a film, one batch after the other."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.frame_motion import DrivingFrame
from fomm_jax.rendering.driving import Driving
from fomm_jax.rendering.driving_keypoints import RecordedMotion, detect_keypoints
from fomm_jax.rendering.film import Film
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.source import SourceVideo


def film_frames(
    animator: Animator,
    film: Film,
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
    if source.video is not None:
        yield from _reenact(animator, source.video, film, recorded, options)
        return
    streams = [_driving_frames(animator, film, each, recorded, options) for each in film.drivings]
    starts = [
        recorded[driving.name].start(source.name) if driving.name in recorded else None
        for driving in film.drivings
    ]
    if len(streams) < len(source.parts):
        streams = list(itertools.tee(streams[0], len(source.parts)))
        starts = starts * len(source.parts)
    normalization = options.normalization(animator.config.animate.normalization)
    # The model takes a batch of keypoints at once, so frames wait here for their predictions.
    streams[0], waiting = itertools.tee(streams[0])
    predictions = [
        animator.animate_keypoints(
            part,
            (frame.keypoints for frame in stream),
            initial=start,
            normalization=normalization,
        )
        for part, stream, start in zip(source.parts, streams, starts, strict=True)
    ]
    for frame, *painted in zip(waiting, *predictions, strict=False):
        yield source.view.draw(painted, frame.picture, animator.points(frame.keypoints))


def _reenact(
    animator: Animator,
    video: SourceVideo,
    film: Film,
    recorded: Mapping[str, RecordedMotion],
    options: AnimationOptions,
) -> Iterator[np.ndarray]:
    """Yield the frames of a source video, each animated by the driving frame of its number."""
    normalization = options.normalization(animator.config.animate.normalization)
    driving = film.driving
    start = recorded[driving.name].start(film.source.name) if driving.name in recorded else None
    frames = _driving_frames(animator, film, driving, recorded, options)
    for moment, frame in zip(video.moments(), frames, strict=False):
        start = frame.keypoints if start is None else start
        (prediction,) = animator.animate_keypoints(
            moment.encoded, [frame.keypoints], initial=start, normalization=normalization
        )
        yield moment.view.draw([prediction], frame.picture, animator.points(frame.keypoints))


def _driving_frames(
    animator: Animator,
    film: Film,
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
