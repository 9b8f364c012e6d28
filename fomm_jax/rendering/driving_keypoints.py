"""The keypoints of what drives an animation: as they come, or all of them kept."""

import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.best_frame import FaceWatcher, nearest_shape
from fomm_jax.animation.motion import Motion
from fomm_jax.animation.smoothing import JitterMeter, OneEuro, smooth_keypoints
from fomm_jax.errors import InputError, naming
from fomm_jax.rendering.driving import Driving
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.source import Source
from fomm_jax.types import FrameKeypoints

logger = logging.getLogger(__name__)

# The keypoints of a driving frame, and that itself where it is at hand.
Moment = tuple[FrameKeypoints, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class KeptKeypoints:
    """Those of all frames."""

    motion: Motion
    starts: dict[str, int]  # by the name of the source: the frame that relative motion starts from


def find_keypoints(animator: Animator, driving: Driving, smooth: bool) -> Iterator[Moment]:
    """Find keypoints frame by frame, lazily.

    With smoothing, a line on stderr tells at the end by how much they shook before and after.
    """
    keypoints: Iterable[FrameKeypoints]
    beside: Iterable[np.ndarray | None]
    if driving.frames is None:
        keypoints, beside = driving.motion or (), itertools.repeat(None)
    else:
        # The detector takes a batch of frames at once, so many wait beside it.
        frames, beside = itertools.tee(driving.frames())
        keypoints = animator.detect(frames)
    before, after = JitterMeter(), JitterMeter()
    if smooth:
        keypoints = smooth_keypoints(before.watch(keypoints), OneEuro(driving.fps))
        keypoints = after.watch(keypoints)
    yield from zip(keypoints, beside, strict=False)
    if before.mean is not None:
        logger.info(
            "%s: jitter of the keypoints %.5f, smoothed %.5f", driving.name, before.mean, after.mean
        )


def keep_keypoints(
    animator: Animator, driving: Driving, sources: Sequence[Source], options: AnimationOptions
) -> KeptKeypoints:
    """Find the keypoints of all frames, and for each source where to start; save the motion.

    Raises:
      InputError: there is no frame to start from, or the motion cannot be saved.
    """
    faces = _face_watcher(driving, sources, options.best_frame)
    if faces is not None and driving.frames is not None:
        frames = driving.frames
        driving = dataclasses.replace(driving, frames=lambda: faces.watch(frames()))
    name = f"keypoints of {pathlib.Path(driving.name).name}"
    moments = find_keypoints(animator, driving, options.smooth)
    is_quick = driving.motion is not None
    found = tqdm(moments, name, driving.num_frames, unit="frame", disable=is_quick)
    motion = Motion.from_keypoints(
        (keypoints for keypoints, _ in found),
        driving.fps,
        initial=driving.motion.initial if driving.motion else 0,
        model=animator.fingerprint,
    )
    starts = {
        source.name: _best_frame(options.best_frame, motion, faces, driving.name, source)
        for source in sources
    }
    if options.save_motion:
        if len(sources) == 1:
            motion = dataclasses.replace(motion, initial=starts[sources[0].name])
        motion.save(options.save_motion)
    return KeptKeypoints(motion, starts)


def _face_watcher(
    driving: Driving, sources: Sequence[Source], best_frame: int | str | None
) -> FaceWatcher | None:
    """What looks for faces, where they are wanted, or wanted if there are some."""
    if best_frame not in ("auto", "face"):
        return None
    with naming(f"--best_frame={best_frame}"):
        if best_frame == "face":
            if driving.frames is None:
                raise InputError(f"{driving.name} shows no faces; expected a --driving")
            return FaceWatcher()
    try:
        faces = FaceWatcher()
    except InputError:  # not installed
        return None
    return faces if any(faces.sees(source.frame) for source in sources) else None


def _best_frame(
    wanted: int | str | None,
    motion: Motion,
    faces: FaceWatcher | None,
    name: str,
    source: Source,
) -> int:
    """The number of the frame that relative motion starts from; what was looked for is told."""
    if wanted is None:
        return motion.initial
    if isinstance(wanted, int):
        if wanted >= len(motion):
            raise InputError(
                f"--best_frame={wanted}: expected less, {name} has {len(motion)} frames from 0 on"
            )
        return wanted
    best, likeness = None, "face"
    if faces is not None:
        try:
            with naming(f"--best_frame={wanted}: {source.name}, {name}"):
                best = faces.best_frame(source.frame)
        except InputError:
            if wanted == "face":
                raise
    if best is None:
        likeness = "keypoints"
        best = nearest_shape(motion.value, np.asarray(source.encoded.keypoints.value[0]))
    if best is None:
        raise InputError(
            f"--best_frame={wanted}: the keypoints of {source.name} or of {name} have no area to"
            " compare; expected those of a trained model"
        )
    logger.info(
        "%s: motion starts from frame %d, most like %s by its %s",
        name,
        best,
        source.name,
        likeness,
    )
    return best
