"""The part of a camera's frames that the model sees: a face that it follows, or the middle."""

import dataclasses
import math
import threading
import time

import numpy as np

from fomm_jax.live.controls import Controls
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box, Framing, frame_centre, frame_inside
from fomm_jax.rendering.cropping import SMALLEST_HEAD, frame_head
from fomm_jax.rendering.heads import main_head

_FOLLOWING = 0.5  # seconds in which the part makes up for 63 % of its distance from the face


class HeadFollower:
    """Looks for the head in frames, in a thread of its own, and follows it smoothly by dlib.

    Args:
      size: the height and width of the model's frame.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._detect: HeadDetector | None = None
        self._seen: Box | None = None  # the part around the head where it was seen last
        self._thread: threading.Thread | None = None
        self._part: np.ndarray | None = None
        self._time = 0.0

    def __call__(self, frame: np.ndarray) -> Box | None:
        """Return the part of a frame that the model sees; None as long as no head was seen."""
        is_first = self._thread is None
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, args=(frame,), daemon=True)
            self._thread.start()
        if is_first:  # its part decides on the neutral pose
            self._thread.join()
        now = time.monotonic()
        passed, self._time = now - self._time, now
        if self._seen is None:
            return None
        seen = np.array(self._seen)
        if self._part is None:
            self._part = seen
        self._part = self._part + (1 - math.exp(-passed / _FOLLOWING)) * (seen - self._part)
        left, top, right, bottom = self._part.tolist()
        return left, top, right, bottom

    def _look(self, frame: np.ndarray) -> None:
        picture = frame.shape[0], frame.shape[1]
        if self._detect is None:
            self._detect = HeadDetector(SMALLEST_HEAD * min(picture))
        head = main_head([self._detect(frame)])
        if head is not None:
            self._seen = frame_head(head, picture, self._size).frame


@dataclasses.dataclass(frozen=True)
class CameraFraming:
    """Chooses the part of each frame."""

    size: tuple[int, int]  # height and width of the model's frame
    follow: HeadFollower | None  # None: the middle is taken

    def __call__(self, frame: np.ndarray, controls: Controls) -> Framing:
        """Return the part of a frame (h, w, 3) that the controls and the face decide."""
        picture = frame.shape[0], frame.shape[1]
        part = self.follow(frame) if self.follow else None
        left, top, right, bottom = part or frame_centre(picture, self.size).frame
        width, height = right - left, bottom - top
        x = (left + right) / 2 + controls.shift[0] * width
        y = (top + bottom) / 2 + controls.shift[1] * height
        half_width, half_height = width / controls.zoom / 2, height / controls.zoom / 2
        box = x - half_width, y - half_height, x + half_width, y + half_height
        return frame_inside(box, picture, self.size)
