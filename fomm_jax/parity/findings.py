"""What a comparison finds: arrays beside one another, and whether they are near enough."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One array of ours beside that of the original."""

    array: str
    absolute: float  # largest |ours - theirs|
    relative: float  # largest |ours - theirs| over the largest |theirs|
    tolerance: float | None  # of one of the two; None where the array is shown alone
    is_relative: bool = False  # which of the two the tolerance is of

    @property
    def verdict(self) -> str:
        """`ok`, `OVER`, or `shown` where it decides nothing."""
        if self.tolerance is None:
            return "shown"
        difference = self.relative if self.is_relative else self.absolute
        return "ok" if difference <= self.tolerance else "OVER"


@dataclasses.dataclass(frozen=True)
class Frames:
    """What both made of the same pictures; all (n, h, w, 3) in [0, 1]."""

    array: str  # its name
    source: np.ndarray
    driving: np.ndarray
    original: np.ndarray
    ours: np.ndarray
    is_clip: bool = False  # whether they follow one another in time


@dataclasses.dataclass(frozen=True)
class StepLosses:
    """The losses of both in one step of training."""

    run: str
    step: int
    original: float  # their sum
    ours: float  # their sum
    difference: float  # the largest relative one among them
    tolerance: float | None  # of that; None where the step decides nothing


@dataclasses.dataclass(frozen=True)
class Timing:
    """What a pair of pictures took on either side, on the CPU."""

    align_corners: bool  # on both sides
    our_seconds: float  # median, compiled before
    original_seconds: float  # median
    load: float  # of the machine over the minute before
    cores: int  # of the machine


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that came out beside one recording, or beside the original itself."""

    rows: Sequence[Comparison]
    frames: Sequence[Frames]
    losses: Sequence[StepLosses] = ()
    timing: Timing | None = None  # beside the original itself


Comparisons = Mapping[str, Findings]  # by what was compared


def compare(
    array: str,
    ours: np.ndarray,
    theirs: np.ndarray,
    tolerance: float | None,
    *,
    is_relative: bool = False,
) -> Comparison:
    """Compare two arrays; one of another shape, or of values that are not finite, is over.

    Args:
      array: its name.
      ours, theirs: of one shape.
      tolerance: see `Comparison`.
      is_relative: see `Comparison`.
    """
    if ours.shape != theirs.shape:
        return Comparison(array, math.inf, math.inf, tolerance, is_relative)
    absolute = float(np.max(np.abs(ours.astype(np.float64) - theirs), initial=0))
    largest = float(np.max(np.abs(theirs), initial=0))
    relative = absolute / largest if largest else (math.inf if absolute else 0.0)
    if not math.isfinite(absolute):
        absolute = relative = math.inf
    return Comparison(array, absolute, relative, tolerance, is_relative)
