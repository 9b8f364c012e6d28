"""Which driving frame is most like the source: a good one for relative motion to start from.

Relative motion adds to the source what moved since the initial frame, so the two should show the
same pose. The shape of points P (k, 2) is S(P) = (P - mean P) / √A, where A is the area of their
convex hull: neither position nor size counts. The best frame has the smallest |S(P) - S(Q)|² to the
source's Q, summed over the points; among equals it is the first. The original's demo finds the same
frame, given the same points.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from fomm_jax.errors import InputError
from fomm_jax.media.faces import DlibFaceEvaluator
from fomm_jax.types import FrameKeypoints, Keypoints


def shape_of(points: np.ndarray) -> np.ndarray | None:
    """S(P) of points (k, 2), float64; None where they have no area."""
    try:
        area = ConvexHull(points).volume
    except (QhullError, ValueError):  # on a line, less than three, not finite
        return None
    return (points - points.mean(axis=0, dtype=np.float64)) / np.sqrt(area)


def nearest_shape(points: Iterable[np.ndarray | None], source: np.ndarray) -> int | None:
    """The number of the points whose shape is nearest to that of the source's.

    Args:
      points: (k, 2) each. Those that are None, not found, or without area are left out.
      source: (k, 2).

    Returns:
      None where the source's points have no area, or all others are left out.
    """
    wanted = shape_of(source)
    best, least = None, np.inf
    for number, candidate in enumerate(points):
        shape = None if candidate is None else shape_of(candidate)
        if wanted is None or shape is None:
            continue
        distance = float(np.sum((shape - wanted) ** 2))
        if distance < least:
            best, least = number, distance
    return best


def choose_frame(
    best_frame: int | str, driving: Sequence[FrameKeypoints], source: Keypoints
) -> FrameKeypoints | None:
    """The keypoints that relative motion starts from; None where there are no frames.

    Args:
      best_frame: the number of a frame, or "auto" for that whose keypoints are nearest in shape.
      driving: of each frame.
      source: of batch 1.

    Raises:
      InputError: there is no such frame, or the keypoints have no area.
    """
    if not driving:
        return None
    if best_frame == "auto":
        found = nearest_shape((frame.value for frame in driving), np.asarray(source.value[0]))
        if found is None:
            raise InputError(
                "best_frame: the keypoints lie on a line and have no shape to compare; expected"
                " those of a trained model, at least three"
            )
        return driving[found]
    if not isinstance(best_frame, int) or not 0 <= best_frame < len(driving):
        raise InputError(
            f"best_frame: expected auto or a number below {len(driving)}, that of the driving"
            f" frames; got {best_frame}"
        )
    return driving[best_frame]


class FaceWatcher:
    """Chooses by the landmarks of faces, of frames on their way to somewhere else.

    Raises:
      InputError: dlib or its weights are not installed.
    """

    def __init__(self) -> None:
        self._evaluator = DlibFaceEvaluator()
        self._landmarks: list[np.ndarray | None] = []  # of each frame

    def watch(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass frames (h, w, 3) uint8 on."""
        for frame in frames:
            self._landmarks.append(self._evaluator.keypoints(np.asarray(frame)))
            yield frame

    def sees(self, picture: np.ndarray) -> bool:
        """Tell whether there is a face in a picture (h, w, 3) uint8."""
        return self._evaluator.keypoints(picture) is not None

    def best_frame(self, source: np.ndarray) -> int:
        """The number of the frame that was watched whose face is most like the source's.

        Raises:
          InputError: there is no face in the source, (h, w, 3) uint8, or in no frame.
        """
        landmarks = self._evaluator.keypoints(source)
        if landmarks is None:
            raise InputError("best_frame: no face is found in the source; expected one")
        best = nearest_shape(self._landmarks, landmarks)
        if best is None:
            raise InputError(
                f"best_frame: no face is found in any of {len(self._landmarks)} driving frames"
            )
        return best
