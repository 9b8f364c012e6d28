"""Faces in a frame, found by dlib: heads to crop to, and landmarks and identities to compare."""

import dataclasses
import functools
import importlib.util
import math
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.framing import Box

# Side, in pixels, of the smallest face that dlib's detector finds.
_SMALLEST_FACE = 80

# dlib's box reaches from the brows to the chin and from cheek to cheek. A head reaches this far
# beyond it, as shares of the box: to the left, above, to the right, below. Measured by eye.
_HEAD = (0.15, 0.45, 0.15, 0.1)
_HEAD_HEIGHT = 1 + _HEAD[1] + _HEAD[3]

# The landmarks around the eye on the left of the frame, and around the other one.
_EYES = slice(36, 42), slice(42, 48)

# For the description of faces: the shorter side, in pixels, to which smaller frames are enlarged,
# and how many times detection then doubles them, since dlib's detector finds no smaller face.
DETECTION_SIZE = 256
UPSAMPLINGS = 1


class HeadDetector:
    """Finds heads by dlib's HOG detector, which knows faces from the front and half turned.

    Args:
      min_height: the height of the smallest heads to find, in pixels of the frame. Frames are
        resized so that the detector finds these and none smaller, which determines its speed.

    Raises:
      InputError: dlib is not installed.
    """

    def __init__(self, min_height: float) -> None:
        if importlib.util.find_spec("dlib") is None:
            raise InputError(
                "faces are found by packages that are not installed:"
                " `pip install fomm_jax[evaluation]`"
            )
        import dlib  # optional and large

        self._detector: Any = dlib.get_frontal_face_detector()
        self._scale = _SMALLEST_FACE * _HEAD_HEIGHT / min_height

    def __call__(self, frame: np.ndarray) -> list[Box]:
        """Return the heads in a frame (h, w, 3) uint8.

        Returns:
          The box of each head, (left, top, right, bottom) in pixels. It may lie partly outside the
          frame.
        """
        height, width = frame.shape[:2]
        # Without colour, detection takes a sixth less time and finds the same.
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


def head_tilt(frame: np.ndarray, head: Box) -> float | None:
    """Measure the angle of the line between the eyes.

    Args:
      frame: (h, w, 3) uint8.
      head: one of the boxes that a `HeadDetector` found in it.

    Returns:
      The angle in degrees, positive if the head is tilted clockwise; None if the weights that find
      landmarks are not installed.
    """
    if _weights_folder() is None:
        return None
    import dlib  # found the head

    left, top, right, bottom = head
    width, height = (right - left) / (1 + _HEAD[0] + _HEAD[2]), (bottom - top) / _HEAD_HEIGHT
    x, y = left + _HEAD[0] * width, top + _HEAD[1] * height
    face = dlib.rectangle(*(round(side) for side in (x, y, x + width, y + height)))
    landmarks = _landmark_detector()(np.ascontiguousarray(frame), face)
    points = np.array([(point.x, point.y) for point in landmarks.parts()])
    across, down = points[_EYES[1]].mean(axis=0) - points[_EYES[0]].mean(axis=0)
    return math.degrees(math.atan2(down, across))


def _weights_folder() -> pathlib.Path | None:
    """Return the folder of the weights of face_recognition_models, if it is installed."""
    weights = importlib.util.find_spec("face_recognition_models")
    # The package itself cannot be imported: it needs pkg_resources, which no longer exists.
    if weights is None or not weights.submodule_search_locations:
        return None
    return pathlib.Path(weights.submodule_search_locations[0], "models")


@functools.cache  # it takes half a second to load
def _landmark_detector() -> Any:
    import dlib

    return dlib.shape_predictor(f"{_weights_folder()}/shape_predictor_68_face_landmarks.dat")


@dataclasses.dataclass(frozen=True)
class _Face:
    """The largest face of a frame."""

    picture: np.ndarray  # the frame, enlarged
    factor: float  # of the enlargement
    landmarks: Any  # of dlib's type, in pixels of the enlarged frame


class DlibFaceEvaluator:
    """Describes the largest face of a frame by dlib: 68 landmarks, and 128 numbers for identity.

    Frames whose shorter side is less than `DETECTION_SIZE` are enlarged to it before detection.
    Keypoints are in pixels of the original frame.

    dlib has the Boost licence. The weights come with the package face_recognition_models and are in
    the public domain (CC0). But the landmark detector was trained on iBUG 300-W, whose licence
    excludes commercial use, and its makers hold that this extends to trained models.

    Raises:
      InputError: dlib or the weights are not installed.
    """

    def __init__(self) -> None:
        folder = _weights_folder()
        if importlib.util.find_spec("dlib") is None or folder is None:
            raise InputError(
                "config.reconstruct.evaluator: dlib-face needs packages that are not installed:"
                " `pip install fomm_jax[evaluation]`"
            )
        import dlib  # optional and large

        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = _landmark_detector()
        self._identity = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )
        models = importlib.metadata.version("face_recognition_models")
        self._frame = np.empty(0, np.uint8)  # the latest one
        self._face: _Face | None = None  # in that frame
        self.name = (
            f"dlib {dlib.__version__}, 68 landmarks and 128-vector of face_recognition_models"
            f" {models}"
        )

    def keypoints(self, frame: np.ndarray) -> np.ndarray | None:
        """Find the 68 landmarks of the largest face.

        Args:
          frame: (h, w, 3) uint8.

        Returns:
          (68, 2) float64, x and y in pixels of the frame, from whole pixels of the enlarged frame;
          None if there is no face.
        """
        face = self._find(frame)
        if face is None:
            return None
        points = np.array([(point.x, point.y) for point in face.landmarks.parts()], np.float64)
        return (points + 0.5) / face.factor - 0.5  # pixel centres are at halves

    def identity(self, frame: np.ndarray) -> np.ndarray | None:
        """Describe whose face the largest one is.

        Args:
          frame: (h, w, 3) uint8.

        Returns:
          (128,) float64, close to each other for faces of one person; None if there is no face.
        """
        face = self._find(frame)
        if face is None:
            return None
        descriptor = self._identity.compute_face_descriptor(face.picture, face.landmarks)
        return np.array(descriptor, np.float64)

    def _find(self, frame: np.ndarray) -> _Face | None:
        """Return the largest face, from memory if the frame is that of the last call."""
        if not np.array_equal(frame, self._frame):
            frame = frame.copy()  # the caller may overwrite it
            self._frame, self._face = frame, self._detect(frame)
        return self._face

    def _detect(self, frame: np.ndarray) -> _Face | None:
        picture, factor = _enlarge(frame)
        faces = self._detector(picture, UPSAMPLINGS)
        if not faces:
            return None
        largest = max(faces, key=self._dlib.rectangle.area)
        return _Face(picture, factor, self._landmarks(picture, largest))


def _enlarge(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a frame of at least `DETECTION_SIZE`, and the factor by which it was enlarged."""
    height, width = frame.shape[:2]
    factor = max(1.0, DETECTION_SIZE / min(height, width))
    if factor == 1:
        return np.ascontiguousarray(frame), factor
    size = round(width * factor), round(height * factor)
    return np.array(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)), factor
