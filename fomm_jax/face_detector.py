"""Heads in a frame."""

import importlib.util
from typing import Any

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.framing import Box

# Sides, in pixels, of the smallest face that dlib's detector sees.
_SMALLEST_FACE = 80

# dlib's box goes from the brows to the chin and from cheek to cheek. The head goes this far beyond
# it, in shares of the box: to the left, above, to the right, below. Measured by eye.
_HEAD = (0.15, 0.45, 0.15, 0.1)
_HEAD_HEIGHT = 1 + _HEAD[1] + _HEAD[3]


class HeadDetector:
    """Heads by dlib's HOG detector of faces, which sees them from the front and half turned.

    Args:
      min_height: pixels of the frame; heads from this height on are found. Frames are resized so
        that the detector sees these and none smaller, which sets the time that it takes.

    Raises:
      InputError: dlib is not installed.
    """

    def __init__(self, min_height: float) -> None:
        if importlib.util.find_spec("dlib") is None:
            raise InputError(
                "faces are found by packages that are not installed:"
                " `pip install fomm_jax[evaluation]`"
            )
        import dlib  # large, and nobody else needs it

        self._detector: Any = dlib.get_frontal_face_detector()
        self._scale = _SMALLEST_FACE * _HEAD_HEIGHT / min_height

    def __call__(self, frame: np.ndarray) -> list[Box]:
        """Return the heads in a frame (h, w, 3) uint8.

        Returns:
          (left, top, right, bottom) of each, in pixels; it may lie partly outside of the frame.
        """
        height, width = frame.shape[:2]
        # Without colour it is quicker by a sixth and finds the same.
        grey = Image.fromarray(frame).convert("L")
        size = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        picture = np.asarray(grey.resize(size, Image.Resampling.BILINEAR))
        return [
            self._head(face.left(), face.top(), face.right() + 1, face.bottom() + 1)
            for face in self._detector(picture)
        ]

    def _head(self, left: int, top: int, right: int, bottom: int) -> Box:
        width, height = right - left, bottom - top
        return (
            (left - _HEAD[0] * width) / self._scale,
            (top - _HEAD[1] * height) / self._scale,
            (right + _HEAD[2] * width) / self._scale,
            (bottom + _HEAD[3] * height) / self._scale,
        )
