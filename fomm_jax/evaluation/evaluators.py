"""Evaluators: they detect the keypoints and identities that AKD, MKR and AED compare.

An evaluator is a class with a name and two methods, described by `Evaluator`. The config field
`reconstruct.evaluator` chooses one by its name in `EVALUATORS`. A config file can add another:

    from fomm_jax.evaluation.evaluators import EVALUATORS
    EVALUATORS["body"] = BodyEvaluator

The original's authors used face-alignment and OpenFace for faces, and a pose estimator and a
re-identification network for bodies. Values from different evaluators are not comparable.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.media.faces import DlibFaceEvaluator


class Evaluator(Protocol):
    """Detects the keypoints and the identity of a person, independently of our model.

    For every frame `keypoints` is called first and `identity` next, so that an evaluator can detect
    the person once and remember the result.
    """

    name: str  # what it consists of, with versions, for the report

    def keypoints(self, frame: np.ndarray) -> np.ndarray | None:
        """Detect the keypoints of the person in a frame.

        Args:
          frame: (h, w, 3) uint8.

        Returns:
          (k, 2) in pixels, in (x, y) order; NaN for a point that is not detected. None if no person
          is detected.
        """
        ...

    def identity(self, frame: np.ndarray) -> np.ndarray | None:
        """Compute a vector (n,) that is near to other vectors of the same person.

        Args:
          frame: (h, w, 3) uint8.

        Returns:
          The vector, or None if no person is detected.
        """
        ...


EVALUATORS: dict[str, Callable[[], Evaluator]] = {"dlib-face": DlibFaceEvaluator}


def make_evaluator(name: str) -> Evaluator:
    """Make the evaluator of a name in `EVALUATORS`.

    Raises:
      InputError: the name is unknown, or packages that the evaluator needs are missing.
    """
    if name not in EVALUATORS:
        known = ", ".join(EVALUATORS)
        raise InputError(f"config.reconstruct.evaluator: expected one of {known}, got {name!r}")
    return EVALUATORS[name]()
