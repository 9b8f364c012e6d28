"""Results of a comparison with the original: pairs of arrays, and whether they agree.

`results_text` writes them as a table, as Markdown and as JSON; `results_page` as an HTML page.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class ComparedArray:
    """The difference between an array of this project and the original's."""

    array: str  # its name
    absolute: float  # max |ours - original|
    relative: float  # max |ours - original| / max |original|
    tolerance: float | None  # largest allowed difference; None: the array decides nothing
    is_relative: bool = False  # whether the tolerance applies to `relative`, else to `absolute`

    @property
    def verdict(self) -> str:
        """`ok`, `OVER` the tolerance, or `shown` if there is no tolerance."""
        if self.tolerance is None:
            return "shown"
        difference = self.relative if self.is_relative else self.absolute
        return "ok" if difference <= self.tolerance else "OVER"


@dataclasses.dataclass(frozen=True, eq=False)
class ComparedFrames:
    """Predictions of this project and of the original from the same pictures.

    All arrays are (n, h, w, 3) in [0, 1].
    """

    array: str  # the name of the prediction
    source: np.ndarray
    driving: np.ndarray
    original: np.ndarray
    ours: np.ndarray
    is_clip: bool = False  # whether the frames follow one another in time


@dataclasses.dataclass(frozen=True)
class ComparedLosses:
    """The losses of one training step, in this project and in the original."""

    run: str
    step: int
    original: float  # the sum of the original's losses
    ours: float  # the sum of this project's losses
    difference: float  # the largest relative difference of a single loss
    tolerance: float | None  # largest allowed `difference`; None: the step decides nothing


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long both implementations take for a pair of pictures, on the CPU."""

    align_corners: bool  # the setting in both implementations
    our_seconds: float  # median, without compilation
    original_seconds: float  # median
    load: float  # average load of the machine over the minute before
    cores: int  # number of the machine's CPU cores


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that was compared with one recording, or with the running original."""

    arrays: Sequence[ComparedArray]
    frames: Sequence[ComparedFrames]
    losses: Sequence[ComparedLosses] = ()
    timing: Timing | None = None  # measured only beside the running original


Compared = ComparedArray | ComparedFrames | ComparedLosses
Comparisons = Mapping[str, Comparison]  # by name of the recording or of the setting


def compare_arrays(
    array: str,
    ours: np.ndarray,
    original: np.ndarray,
    tolerance: float | None,
    *,
    is_relative: bool = False,
    percentile: float = 100,
) -> ComparedArray:
    """Compare an array with the original's.

    The difference is infinite if the shapes differ or a value is not finite.

    Args:
      array: the name of the array.
      ours: this project's array.
      original: the original's array.
      tolerance: the largest allowed difference. None if the array is only shown.
      is_relative: whether the tolerance applies to the relative difference.
      percentile: the share of the values, in per cent, among which the largest difference is taken.
        The array's name then has it.
    """
    if percentile < 100:
        array = f"{array} ({percentile:g}th percentile)"
    if ours.shape != original.shape:
        return ComparedArray(array, math.inf, math.inf, tolerance, is_relative)
    differences = np.abs(ours.astype(np.float64) - original)
    if percentile < 100 and np.isfinite(differences).all():
        absolute = float(np.percentile(differences, percentile))
    else:
        absolute = float(np.max(differences, initial=0))
    largest = float(np.max(np.abs(original), initial=0))
    relative = absolute / largest if largest else (math.inf if absolute else 0.0)
    if not math.isfinite(absolute):
        absolute = relative = math.inf
    return ComparedArray(array, absolute, relative, tolerance, is_relative)


def all_arrays(comparisons: Comparisons) -> list[ComparedArray]:
    """Return the arrays of all comparisons."""
    return [array for comparison in comparisons.values() for array in comparison.arrays]


def exceeds_tolerance(comparisons: Comparisons) -> bool:
    """Return whether any array differs from the original's by more than its tolerance."""
    return any(array.verdict == "OVER" for array in all_arrays(comparisons))
