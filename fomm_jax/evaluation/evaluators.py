"""Evaluators: what AKD, MKR and AED are measured with.

An evaluator is a class with a name and two methods. It is chosen by its key in `EVALUATORS`
(`config.reconstruct.evaluator`); another one is an entry more, which a config file may make:

    from fomm_jax.evaluation.evaluators import EVALUATORS
    EVALUATORS["body"] = BodyEvaluator

The original's authors used face-alignment and OpenFace for faces, and a pose estimator and a
re-identification network for bodies. Figures of different evaluators do not compare.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.media.faces import DlibFaceEvaluator


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
