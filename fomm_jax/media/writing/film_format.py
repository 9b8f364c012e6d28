"""The format of a film that is written."""

import dataclasses
from fractions import Fraction

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no equality of their own
class FilmFormat:
    """The size of a film's frames, and when they are shown."""

    height: int  # of a frame, in pixels
    width: int
    _: dataclasses.KW_ONLY
    fps: float  # frames a second, above 0
    # (t + 1,), see `frame_times`, in place of `fps`, which then only spaces the frames after these.
    # None: every frame at `fps`.
    times: np.ndarray | None = None
    keyframe_every: int | None = None  # frames between key frames of a `.mp4`; None: the encoder's

    def is_last(self, number: int) -> bool:
        """Tell whether a frame is the last one that `times` lists."""
        return self.times is not None and number == len(self.times) - 2

    @property
    def rate(self) -> Fraction:
        """`fps` as a ratio of small numbers, such as 30000/1001."""
        return Fraction(self.fps).limit_denominator(1001)

    def time_of(self, number: int) -> Fraction:
        """Return when a frame is shown, and when the one before it ends, in seconds."""
        if self.times is None:
            return number / self.rate
        listed = min(number, len(self.times) - 1)
        return Fraction(float(self.times[listed])) + (number - listed) / self.rate
