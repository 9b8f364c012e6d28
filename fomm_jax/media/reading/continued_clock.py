"""The clock of a file whose parts were joined: it may start again, or jump, at each joint.

Recordings (MPEG-TS, MPEG-PS, Ogg) are joined by writing one behind the other.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from av.container import InputContainer

# In seconds. The longest distance forward is FFmpeg's `dts_delta_threshold`. Steps back that are
# smaller than the second come from damage or from rounding.
_FORWARD, _BACK = 10, 1

_TS_DISCONT = 0x0200  # FFmpeg's AVFMT_TS_DISCONT: the times of a format may jump


class ContinuedClock:
    """Lets the times of a track go on where its clock starts again.

    Args:
      container: the file. Only some formats may jump forward; in others, a frame may stand long.
      tick: the unit of the times, in seconds.
      others: returns the `offsets` of another track, with which this one stays in step. In each
        part, one may last longer than the other.

    Attributes:
      offsets: what was added to the times after each joint, in seconds.
    """

    def __init__(
        self,
        container: InputContainer,
        tick: Fraction,
        others: Callable[[], Sequence[Fraction]] = tuple,
    ) -> None:
        self.offsets: list[Fraction] = []
        self._others = others
        self._may_jump = bool(container.format.flags & _TS_DISCONT)
        self._tick = tick
        self._offset = 0
        self._last: int | None = None

    def __call__(self, time: int, duration: int) -> int:
        """Return the time at which a packet or frame is shown, and remember it.

        Args:
          time: as the file states it, in ticks.
          duration: how long the one before usually lasts, in ticks.
        """
        continued = time + self._offset
        if self._last is not None:
            seconds = (continued - self._last) * self._tick
            if seconds < -_BACK or (self._may_jump and seconds > _FORWARD):
                self._offset = self._join(self._last + duration - time)
                continued = time + self._offset
        self._last = continued
        return continued

    def _join(self, offset: int) -> int:
        """Return the offset after a joint, given the one with which the track has no gap."""
        others = [round(other / self._tick) for other in self._others()]
        nearest = min(others, key=lambda other: abs(other - offset), default=offset)
        if abs(nearest - offset) * self._tick <= _BACK:
            offset = nearest
        self.offsets.append(offset * self._tick)
        return offset
