"""The driving frame that relative motion starts from: what the option `best_frame` chooses."""

import logging
from collections.abc import Sequence

import numpy as np

from fomm_jax.animation.best_frame import FaceWatcher, nearest_shape
from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError, naming
from fomm_jax.rendering.driving import Driving
from fomm_jax.rendering.source import Source

logger = logging.getLogger(__name__)


def make_face_watcher(
    driving: Driving, sources: Sequence[Source], best_frame: int | str | None
) -> FaceWatcher | None:
    """Return a watcher for faces in the driving frames, or None where faces are not compared.

    With "auto" they are compared if the packages are installed and a source shows a face.

    Raises:
      InputError: `best_frame` is "face", and the driving has no frames or a package is missing.
    """
    if best_frame not in ("auto", "face"):
        return None
    if best_frame == "face":
        with naming("best_frame=face"):
            if driving.frames is None:
                raise InputError(f"{driving.name} shows no faces; expected a driving video")
            return FaceWatcher()
    try:
        faces = FaceWatcher()
    except InputError:  # the packages are not installed
        return None
    return faces if any(faces.sees(source.frame) for source in sources) else None


def choose_start_frame(
    best_frame: int | str | None,
    motion: Motion,
    motion_name: str,
    source: Source,
    faces: FaceWatcher | None,
) -> int:
    """Return the number of the driving frame that the motion of a source starts from.

    A log line tells which frame was chosen by likeness.

    Args:
      best_frame: see `AnimationOptions.best_frame`.
      motion: the keypoints of all driving frames.
      motion_name: the name of the driving video or motion, for messages.
      source: the picture to animate.
      faces: the watcher that every driving frame has passed, if faces are compared.

    Raises:
      InputError: there is no such frame, no face to compare with "face", or no keypoints with a
        shape to compare with "auto".
    """
    if best_frame is None:
        return motion.initial
    if isinstance(best_frame, int):
        if best_frame >= len(motion):
            raise InputError(
                f"best_frame={best_frame}: expected less than {len(motion)}, because {motion_name}"
                f" has {len(motion)} frames, counted from 0"
            )
        return best_frame
    number = _most_similar_face(best_frame, motion_name, source, faces)
    likeness = "face"
    if number is None:
        number = nearest_shape(motion.value, np.asarray(source.encoded.keypoints.value[0]))
        likeness = "keypoints"
    if number is None:
        raise InputError(
            f"best_frame={best_frame}: the keypoints of {source.name} or of {motion_name} have no"
            " area to compare; expected those of a trained model"
        )
    logger.info(
        "%s: motion starts from frame %d, most like %s by its %s",
        motion_name,
        number,
        source.name,
        likeness,
    )
    return number


def _most_similar_face(
    best_frame: str, motion_name: str, source: Source, faces: FaceWatcher | None
) -> int | None:
    """Return the number of the frame whose face is most like the source's.

    Returns:
      None with "auto" where there are no faces to compare; keypoints are compared then.
    """
    if faces is None:
        return None
    try:
        with naming(f"best_frame={best_frame}: {source.name}, {motion_name}"):
            return faces.best_frame(source.frame)
    except InputError:
        if best_frame == "face":
            raise
        return None
