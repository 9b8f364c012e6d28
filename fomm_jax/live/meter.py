"""How many pictures a live animation shows a second, and how late."""

import collections
import dataclasses
import statistics
import time

_REMEMBERED = 50  # pictures that the present figures are of
_MANY = 10_000  # latencies for the median of a run; later ones are not remembered


@dataclasses.dataclass(frozen=True)
class Figures:
    """What was measured; seconds of a monotonic clock."""

    count: int  # pictures shown
    rate: float  # pictures a second
    latency: float  # seconds from the arrival of a camera's frame until its picture is shown
    num_dropped: int  # frames of the camera that were not animated

    def __str__(self) -> str:
        """Return the figures in one line."""
        return (
            f"{self.rate:.1f} frames/s, {1000 * self.latency:.0f} ms late,"
            f" {self.num_dropped} dropped"
        )


class Meter:
    """Measures rate and latency; memory does not grow with the length of a run."""

    def __init__(self) -> None:
        self._count = 0
        self._begin = self._last = 0.0
        self._recent: collections.deque[tuple[float, float]] = collections.deque(maxlen=_REMEMBERED)
        self._latencies: list[float] = []

    def count(self, arrival: float) -> None:
        """Note that the picture of a frame that came at a moment of `time.monotonic` is shown."""
        self._last = time.monotonic()
        self._begin = self._begin or self._last
        self._count += 1
        self._recent.append((self._last, self._last - arrival))
        if len(self._latencies) < _MANY:
            self._latencies.append(self._last - arrival)

    def recent(self, num_dropped: int) -> Figures:
        """Return the figures of the last pictures."""
        times, latencies = zip(*self._recent, strict=True) if self._recent else ((0.0,), (0.0,))
        rate = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
        return Figures(self._count, rate, statistics.median(latencies), num_dropped)

    def overall(self, num_dropped: int) -> Figures:
        """Return the figures of the whole run."""
        rate = (self._count - 1) / max(self._last - self._begin, 1e-9) if self._count > 1 else 0.0
        latency = statistics.median(self._latencies) if self._latencies else 0.0
        return Figures(self._count, rate, latency, num_dropped)
