"""Finding heads that are tilted, and where they are once the picture is turned upright."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from fomm_jax.media.faces import head_tilt
from fomm_jax.media.framing import Box
from fomm_jax.media.turning import turn, turned_point

# Degrees. Heads in talking videos, which models learn from, are tilted as much all the time.
_LEAST_TILT = 8.0


@dataclasses.dataclass(frozen=True)
class UprightHead:
    """A head in a picture that was turned until the head was upright."""

    box: Box  # in pixels of the turned picture
    tilt: float  # the angle in degrees by which the picture was turned; 0 if not at all


def put_upright(
    picture: np.ndarray, head: Box, detect: Callable[[np.ndarray], list[Box]]
) -> UprightHead:
    """Find by how much a picture has to be turned for a head in it, and where the head is then.

    It is not turned if the head is nearly upright, if the landmarks that tell are not installed, or
    if the head is not found again in the turned picture.

    Args:
      picture: (h, w, 3) uint8.
      head: the box of the head.
      detect: finds heads.
    """
    tilt = head_tilt(picture, head)
    if tilt is None or abs(tilt) < _LEAST_TILT:
        return UprightHead(head, 0.0)
    turned = turn(picture, tilt)
    expected = turned_point(_centre(head), tilt, picture.shape[:2], turned.shape[:2])

    def distance(box: Box) -> float:
        return math.dist(_centre(box), expected)

    nearest = min(detect(turned), key=distance, default=None)
    if nearest is None or distance(nearest) > (head[2] - head[0]) / 2:
        return UprightHead(head, 0.0)
    return UprightHead(nearest, tilt)


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
