"""The driving frame that relative motion starts from: what the option `best_frame` chooses."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from fomm_jax.animation.best_frame import FaceWatcher, nearest_shape
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


@dataclasses.dataclass(frozen=True)
class StartCandidates:
    """The driving frames that relative motion may start from."""

    name: str  # of the driving video or motion, for messages
    initial: int  # the frame that the motion itself starts from
    points: Sequence[np.ndarray]  # keypoints (k, 2) of each frame
    faces: FaceWatcher | None  # has watched every frame, if faces are compared


def choose_start_frame(
    best_frame: int | str | None, candidates: StartCandidates, source: Source
) -> int:
    """Return the number of the driving frame that the motion of a source starts from.

    A log line tells which frame was chosen by likeness.

    Args:
      best_frame: see `AnimationOptions.best_frame`.
      candidates: the driving frames.
      source: the picture to animate.

    Raises:
      InputError: there is no such frame, no face to compare with "face", or no keypoints with a
        shape to compare with "auto".
    """
    if best_frame is None:
        return candidates.initial
    if isinstance(best_frame, int):
        if best_frame >= len(candidates.points):
            raise InputError(
                f"best_frame={best_frame}: expected less than {len(candidates.points)}, because"
                f" {candidates.name} has {len(candidates.points)} frames, counted from 0"
            )
        return best_frame
    number = _most_similar_face(best_frame, candidates, source)
    likeness = "face"
    if number is None:
        number = nearest_shape(candidates.points, np.asarray(source.encoded.points[0]))
        likeness = "keypoints"
    if number is None:
        raise InputError(
            f"best_frame={best_frame}: the keypoints of {source.name} or of {candidates.name} have"
            " no area to compare; expected those of a trained model"
        )
    logger.info(
        "%s: motion starts from frame %d, most like %s by its %s",
        candidates.name,
        number,
        source.name,
        likeness,
    )
    return number


def _most_similar_face(best_frame: str, candidates: StartCandidates, source: Source) -> int | None:
    """Return the number of the frame whose face is most like the source's.

    Returns:
      None with "auto" where there are no faces to compare; keypoints are compared then.
    """
    if candidates.faces is None:
        return None
    try:
        with naming(f"best_frame={best_frame}: {source.name}, {candidates.name}"):
            return candidates.faces.best_frame(source.frame)
    except InputError:
        if best_frame == "face":
            raise
        return None
