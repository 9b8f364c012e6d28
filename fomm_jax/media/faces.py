"""Heads in a frame."""

import dataclasses
import importlib.util
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.framing import Box

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


DETECTION_SIZE = 256  # pixels of the shorter side; smaller frames are enlarged to it


UPSAMPLINGS = 1  # doublings before detection: dlib's detector finds faces from 80 pixels on


@dataclasses.dataclass(frozen=True)
class _Face:
    """The largest face of a frame."""

    picture: np.ndarray  # the frame, enlarged
    factor: float  # how many times
    landmarks: Any  # dlib's, in pixels of the picture


class DlibFaceEvaluator:
    """Faces: dlib's 68 landmarks and its 128 numbers of identity.

    The largest face that dlib's HOG detector finds counts. Frames whose shorter side is less than
    `DETECTION_SIZE` are enlarged to it first; keypoints are in pixels of the frame as it came.

    dlib is under the Boost licence. The weights come with the package face_recognition_models and
    are in the public domain (CC0); but the landmarks were trained on iBUG 300-W, whose licence
    excludes commercial use, and its makers hold that this extends to the trained model.

    Raises:
      InputError: dlib or the weights are not installed.
    """

    def __init__(self) -> None:
        weights = importlib.util.find_spec("face_recognition_models")
        if importlib.util.find_spec("dlib") is None or weights is None:
            raise InputError(
                "config.reconstruct.evaluator: dlib-face needs packages that are not installed:"
                " `pip install fomm_jax[evaluation]`"
            )
        import dlib  # large, and nobody else needs it

        # Found without importing the package, which needs a pkg_resources that is no more.
        folder = pathlib.Path((weights.submodule_search_locations or ["."])[0], "models")
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(
            str(folder / "shape_predictor_68_face_landmarks.dat")
        )
        self._identity = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )
        models = importlib.metadata.version("face_recognition_models")
        self._frame = np.empty(0, np.uint8)
        self._face: _Face | None = None  # of that frame
        self.name = (
            f"dlib {dlib.__version__}, 68 landmarks and 128-vector of face_recognition_models"
            f" {models}"
        )

    def keypoints(self, frame: np.ndarray) -> np.ndarray | None:
        """The 68 landmarks of the largest face, (68, 2) float64 in whole pixels of the detection.

        Args:
          frame: (h, w, 3) uint8.
        """
        face = self._find(frame)
        if face is None:
            return None
        points = np.array([(point.x, point.y) for point in face.landmarks.parts()], np.float64)
        return (points + 0.5) / face.factor - 0.5  # pixel centres of one size to those of the other

    def identity(self, frame: np.ndarray) -> np.ndarray | None:
        """The descriptor of the largest face, (128,) float64.

        Args:
          frame: (h, w, 3) uint8.
        """
        face = self._find(frame)
        if face is None:
            return None
        descriptor = self._identity.compute_face_descriptor(face.picture, face.landmarks)
        return np.array(descriptor, np.float64)

    def _find(self, frame: np.ndarray) -> _Face | None:
        """The largest face; that of the last frame is remembered, since detection is slow."""
        if not np.array_equal(frame, self._frame):
            frame = frame.copy()  # the caller may write over it
            self._frame, self._face = frame, self._detect(frame)
        return self._face

    def _detect(self, frame: np.ndarray) -> _Face | None:
        picture, factor = _enlarged(frame)
        faces = self._detector(picture, UPSAMPLINGS)
        if not faces:
            return None
        largest = max(faces, key=self._dlib.rectangle.area)
        return _Face(picture, factor, self._landmarks(picture, largest))


def _enlarged(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """A frame of at least `DETECTION_SIZE`, and how many times the given one it is."""
    height, width = frame.shape[:2]
    factor = max(1.0, DETECTION_SIZE / min(height, width))
    if factor == 1:
        return np.ascontiguousarray(frame), factor
    size = round(width * factor), round(height * factor)
    return np.array(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)), factor
