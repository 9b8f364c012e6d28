"""Times at which frames are shown, constant and other rates.

Times are (t + 1,) float64 ascending seconds from the first frame: when each of t frames is shown,
and when the last one ends.
"""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

# Seconds. Matroska rounds times to milliseconds, and such times are often copied to other files.
_MILLISECOND, _GIF_TICK = 1e-3, 1e-2

_SLOWEST_RATE = Fraction(1, 1001)  # the lowest that `FilmFormat` can have

# Frames a second of a constant rate for frames that come at another. At the lowest, a frame is 20
# ms early or late at most; people notice 45 ms (ITU-R BT.1359).
_STEADY_RATES = 25, 60


def constant_rate(
    times: np.ndarray, stated: Iterable[Fraction | None], tick: float
) -> Fraction | None:
    """Return the rate of frames that come at a constant one.

    Containers round the times of frames: to their tick, or earlier to milliseconds. A rate is
    accepted if no distance of two frames differs from it by more than such roundings explain. That
    is 10 ms at most, for GIFs, since coarser ticks count frames, and at most a quarter of a frame's
    time. Times that are not accepted are kept as they are, so a narrow tolerance costs nothing.

    Args:
      times: (t + 1,) seconds at which the frames are shown, and at which the last one ends.
      stated: rates that the container states, which are tried before the average; they may be
        wrong.
      tick: the unit of the container's times, in seconds.

    Returns:
      Frames a second; None if the rate is not constant.
    """
    num_frames = len(times) - 1
    tolerance = min(2 * max(tick, _MILLISECOND), _GIF_TICK, times[-1] / num_frames / 4)
    average = Fraction(num_frames / times[-1]).limit_denominator(1001)
    for rate in (*stated, average):
        if rate is None or rate < _SLOWEST_RATE:
            continue
        if np.ptp(times - np.arange(num_frames + 1) / float(rate)) <= tolerance:
            return rate
    return None


def usual_rate(times: np.ndarray) -> Fraction:
    """Return frames a second by the usual distance of two frames."""
    intervals = np.diff(times)
    if len(intervals) > 1:
        intervals = intervals[:-1]  # without the last frame, which often stands longer
    if not intervals.any():
        intervals = np.diff(times)[-1:]
    median = np.quantile(intervals[intervals > 0], 0.5, method="lower")  # one of the intervals
    usual = intervals[np.abs(intervals - median) <= 0.4 * median].mean()  # as times are rounded
    return max(Fraction(1 / usual).limit_denominator(1001), _SLOWEST_RATE)


def steady_rate(times: np.ndarray) -> Fraction:
    """Return a constant rate at which nearly all frames can be shown near their times."""
    shortest = np.quantile(np.diff(times), 0.1)  # leaves out odd frames that come too close
    lowest, highest = _STEADY_RATES
    return Fraction(round(np.clip(1 / max(shortest, 1 / highest), lowest, highest)))


def steady_counts(times: np.ndarray, rate: Fraction) -> np.ndarray:
    """Return how often each frame is shown at a constant rate: (t,) int64, 0 for one left out."""
    numbers = np.floor(times * float(rate) + 0.5).astype(np.int64)
    return np.diff(numbers)
