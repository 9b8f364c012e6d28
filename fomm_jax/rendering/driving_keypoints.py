"""The keypoints of a driving video: detected frame by frame, or recorded for the whole video."""

import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.frame_motion import DrivingFrame, FrameMotion
from fomm_jax.animation.motion import Motion
from fomm_jax.animation.smoothing import JitterMeter, OneEuro, smooth_motion
from fomm_jax.readable import readable
from fomm_jax.rendering.driving import Driving
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.progress import Progress
from fomm_jax.rendering.source import Source
from fomm_jax.rendering.start_frame import (
    StartCandidates,
    choose_start_frame,
    make_face_watcher,
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RecordedMotion:
    """The keypoints of all driving frames, and where the motion of each source starts."""

    motion: Motion
    frames: Sequence[FrameMotion]
    start_frames: Mapping[str, int]  # number of the frame, by the name of the source

    def start(self, source: str) -> FrameMotion:
        """Return the keypoints that the motion of a source starts from."""
        return self.frames[self.start_frames[source]]


def detect_keypoints(animator: Animator, driving: Driving, smooth: bool) -> Iterator[DrivingFrame]:
    """Yield each driving frame with its keypoints, detected as the frames come.

    A driving motion has keypoints and no frames. With smoothing, a log line at the end tells how
    much the keypoints trembled before and after.
    """
    keypoints: Iterable[FrameMotion]
    pictures: Iterable[np.ndarray | None]
    if driving.frames is None:
        keypoints = animator.frames_of(driving.motion) if driving.motion else ()
        pictures = itertools.repeat(None)
    else:
        # The detector takes a batch of frames at once, so frames wait here for their keypoints.
        frames, pictures = itertools.tee(driving.frames())
        keypoints = animator.detect(frames)
    before, after = JitterMeter(animator.points), JitterMeter(animator.points)
    if smooth:
        keypoints = smooth_motion(before.watch(keypoints), OneEuro(driving.fps))
        keypoints = after.watch(keypoints)
    yield from map(DrivingFrame, keypoints, pictures)
    if before.mean is not None:
        logger.info(
            "%s: jitter of the keypoints %.5f, smoothed %.5f", driving.name, before.mean, after.mean
        )


def record_motion(
    animator: Animator,
    driving: Driving,
    sources: Sequence[Source],
    options: AnimationOptions,
    progress: Progress,
) -> RecordedMotion:
    """Detect the keypoints of all driving frames and choose each source's frame to start from.

    The motion is also written to the file `options.save_motion`, if there is one.

    Raises:
      InputError: there is no frame to start from, or the motion cannot be saved.
    """
    faces = make_face_watcher(driving, sources, options.best_frame)
    if faces is not None and driving.frames is not None:
        pictures = driving.frames
        driving = dataclasses.replace(driving, frames=lambda: faces.watch(pictures()))
    detected: Iterable[DrivingFrame] = detect_keypoints(animator, driving, options.smooth)
    if driving.motion is None:  # which takes no time
        name = f"keypoints of {readable(pathlib.Path(driving.name).name)}"
        detected = progress(detected, name, driving.num_frames)
    frames = [frame.keypoints for frame in detected]
    motion = Motion.from_frames(
        frames,
        driving.fps,
        times=driving.times,
        initial=driving.motion.initial if driving.motion else 0,
        model=animator.fingerprint,
    )
    candidates = StartCandidates(
        driving.name, motion.initial, [animator.points(frame) for frame in frames], faces
    )
    start_frames = {
        source.name: choose_start_frame(options.best_frame, candidates, source)
        for source in sources
    }
    if options.save_motion:
        if len(sources) == 1:
            motion = dataclasses.replace(motion, initial=start_frames[sources[0].name])
        motion.save(options.save_motion)
    return RecordedMotion(motion, frames, start_frames)
