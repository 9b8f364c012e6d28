"""Evaluators: what AKD, MKR and AED are measured with.

An evaluator is a class with a name and two methods. It is chosen by its key in `EVALUATORS`
(`config.reconstruct.evaluator`); another one is an entry more, which a config file may make:

    from fomm_jax.evaluators import EVALUATORS
    EVALUATORS["body"] = BodyEvaluator

The original's authors used face-alignment and OpenFace for faces, and a pose estimator and a
re-identification network for bodies. Figures of different evaluators do not compare.
"""

import dataclasses
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError

DETECTION_SIZE = 256  # pixels of the shorter side; smaller frames are enlarged to it
UPSAMPLINGS = 1  # doublings before detection: dlib's detector finds faces from 80 pixels on


class Evaluator(Protocol):
    """What finds keypoints and identity in a frame, independently of our model.

    Of each frame both are asked for, one after the other.
    """

    name: str  # for the report: what it is made of, with versions

    def keypoints(self, frame: np.ndarray) -> np.ndarray | None:
        """Keypoints of the one who is seen.

        Args:
          frame: (h, w, 3) uint8.

        Returns:
          (k, 2) in pixels, (x, y), NaN for single points that are not found; None where nobody is.
        """
        ...

    def identity(self, frame: np.ndarray) -> np.ndarray | None:
        """A vector (n,) that is near to that of the same person; None where nobody is found."""
        ...


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


EVALUATORS: dict[str, Callable[[], Evaluator]] = {"dlib-face": DlibFaceEvaluator}


def _enlarged(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """A frame of at least `DETECTION_SIZE`, and how many times the given one it is."""
    height, width = frame.shape[:2]
    factor = max(1.0, DETECTION_SIZE / min(height, width))
    if factor == 1:
        return np.ascontiguousarray(frame), factor
    size = round(width * factor), round(height * factor)
    return np.array(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)), factor
