"""Pasting the model's frame back into the picture that it was cut out of."""

import numpy as np

from fomm_jax.media.framing import Framing, resize_shown
from fomm_jax.media.turning import turn, turn_back

_FEATHER = 0.12  # width of a pasted part's soft border, as a share of the part's shorter side


class PasteBack:
    """Pastes frames of the model back into the picture, with a soft border.

    The border is hard where the shown part reaches the edge of the picture, since there is nothing
    to blend with. What was put upright is tilted again.

    Args:
      picture: (h, w, 3) uint8.
      framing: the framing of the picture.
    """

    def __init__(self, picture: np.ndarray, framing: Framing) -> None:
        left, top, right, bottom = framing.shown
        self._picture = picture
        self._framing = framing
        self._upright = np.array(turn(picture, framing.tilt))  # each frame is put into it
        self._region = (slice(top, bottom), slice(left, right))
        self._size = bottom - top, right - left
        height, width = self._upright.shape[:2]
        feather = _FEATHER * min(self._size)
        rows = _ramp(bottom - top, feather, top > 0, bottom < height)
        columns = _ramp(right - left, feather, left > 0, right < width)
        weight = np.zeros((height, width), np.float32)  # the share of the frame in the picture
        weight[self._region] = rows[:, None] * columns
        weight = turn_back(weight, framing.tilt, *picture.shape[:2])
        self._place = _around(weight > 0)
        self._weight = np.clip(weight[self._place], 0, 1)[..., None]

    def __call__(self, frame: np.ndarray, onto: np.ndarray | None = None) -> np.ndarray:
        """Return a whole picture, (h, w, 3) uint8, with a frame of the model pasted in.

        Args:
          frame: (h, w, 3) uint8.
          onto: a picture like the first one, in which another frame was pasted; None: the first.
        """
        self._upright[self._region] = resize_shown(frame, self._framing, self._size)
        tilted = turn_back(self._upright, self._framing.tilt, *self._picture.shape[:2])
        pasted = (self._picture if onto is None else onto).copy()
        old = pasted[self._place].astype(np.float32)
        new = tilted[self._place].astype(np.float32)
        pasted[self._place] = np.rint(old + self._weight * (new - old)).astype(np.uint8)
        return pasted


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of (h, w) outside which nothing is true."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _ramp(length: int, feather: float, soft_start: bool, soft_end: bool) -> np.ndarray:
    """Return (length,) weights in [0, 1] that rise from a soft start and fall to a soft end."""
    distance = np.full(length, np.inf)
    position = np.arange(length) + 0.5
    if soft_start:
        distance = position
    if soft_end:
        distance = np.minimum(distance, length - position)
    share = np.clip(distance / max(feather, 1), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)
