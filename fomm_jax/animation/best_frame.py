"""Which driving frame is most like the source: a good one for relative motion to start from.

Relative motion adds to the source what moved since the initial frame, so the two should show the
same pose. The shape of points P (k, 2) is S(P) = (P - mean P) / √A, where A is the area of their
convex hull: neither position nor size counts. The best frame has the smallest |S(P) - S(Q)|² to the
source's points Q, summed over the points; among equals it is the first. The original's demo chooses
the same frame, given the same points.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from fomm_jax.errors import InputError
from fomm_jax.media.faces import DlibFaceEvaluator


def shape_of(points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"] | None:
    """Compute the shape S(P) of points, in float64; None if they have no area."""
    from scipy.spatial import ConvexHull, QhullError  # slow to import, and seldom needed

    try:
        area = ConvexHull(points).volume
    except (QhullError, ValueError):  # on a line, fewer than three, or not finite
        return None
    return (points - points.mean(axis=0, dtype=np.float64)) / np.sqrt(area)


def nearest_shape(
    candidates: Iterable[np.ndarray | None], source: Float[np.ndarray, "k 2"]
) -> int | None:
    """Return the number of the candidate whose shape is nearest to the source's.

    Args:
      candidates: points (k, 2) each. Those that are None or have no area are left out.
      source: the points of the source.

    Returns:
      None if the source's points have no area, or all candidates are left out.
    """
    source_shape = shape_of(source)
    if source_shape is None:
        return None
    best, least = None, np.inf
    for number, points in enumerate(candidates):
        shape = None if points is None else shape_of(points)
        if shape is None:
            continue
        distance = float(np.sum((shape - source_shape) ** 2))
        if distance < least:
            best, least = number, distance
    return best


def choose_frame(
    best_frame: int | str, driving: Sequence[np.ndarray], source: Float[np.ndarray, "k 2"]
) -> int:
    """Return the number of the frame that relative motion starts from.

    Args:
      best_frame: the number of a frame, or "auto" for the frame whose keypoints are nearest in
        shape to the source's.
      driving: keypoints (k, 2) of each driving frame; there is at least one.
      source: the keypoints of the source.

    Raises:
      InputError: there is no such frame, or the keypoints have no area.
    """
    if best_frame == "auto":
        nearest = nearest_shape(driving, source)
        if nearest is None:
            raise InputError(
                "best_frame: the keypoints lie on a line and have no shape to compare; expected"
                " those of a trained model, at least three"
            )
        return nearest
    if not isinstance(best_frame, int) or not 0 <= best_frame < len(driving):
        raise InputError(
            f"best_frame: expected auto or a number below {len(driving)}, that of the driving"
            f" frames; got {best_frame}"
        )
    return best_frame


class FaceWatcher:
    """Chooses the best frame by the landmarks of faces, while frames pass by.

    Raises:
      InputError: dlib or its weights are not installed.
    """

    def __init__(self) -> None:
        self._evaluator = DlibFaceEvaluator()
        self._landmarks: list[np.ndarray | None] = []  # of each frame

    def watch(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass frames (h, w, 3) uint8 on, and find the landmarks in them."""
        for frame in frames:
            self._landmarks.append(self._evaluator.keypoints(np.asarray(frame)))
            yield frame

    def sees(self, picture: np.ndarray) -> bool:
        """Tell whether there is a face in a picture (h, w, 3) uint8."""
        return self._evaluator.keypoints(picture) is not None

    def best_frame(self, source: np.ndarray) -> int:
        """Return the number of the watched frame whose face is most like the source's.

        Raises:
          InputError: there is no face in the source, (h, w, 3) uint8, or in any frame.
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
