"""Motion without its trembling by the One-Euro filter, and how much it trembles.

Casiez, Roussel and Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012. The filter is causal: a frame is smoothed by those before it alone.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from fomm_jax.animation.frame_motion import FrameMotion


@dataclasses.dataclass(frozen=True)
class OneEuro:
    """How strongly motion is smoothed; frequencies in Hz."""

    fps: float  # frames per second of the video
    min_cutoff: float = 1.0  # cutoff for what rests; lower is calmer
    beta: float = 16.0  # added cutoff per unit of speed; higher follows quick moves closer
    speed_cutoff: float = 1.0  # cutoff for the speed itself


def smooth_motion(frames: Iterable[FrameMotion], settings: OneEuro) -> Iterator[FrameMotion]:
    """Smooth a stream of motion as it comes, each number of a frame on its own."""
    filters: list[OneEuroFilter] = []
    for frame in frames:
        arrays, structure = jax.tree.flatten(frame)
        filters = filters or [OneEuroFilter(settings) for _ in arrays]
        smoothed = [smooth(array) for smooth, array in zip(filters, arrays, strict=True)]
        yield jax.tree.unflatten(structure, smoothed)


class OneEuroFilter:
    """The filter of one signal, an array at each frame.

    The smoothed x̂ follows x by an exponential filter, x̂ ← x̂ + a (x - x̂), with the share
    a(f) = 1 / (1 + fps / (2π f)) of the cutoff frequency f = min_cutoff + beta |v̂|. The speed v̂ is
    (x - x̂) fps, smoothed in the same way with f = speed_cutoff. The first frame stays as it is.
    """

    def __init__(self, settings: OneEuro):
        self._settings = settings
        self._smoothed: np.ndarray | None = None  # float64
        self._speed: np.ndarray | float = 0.0

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """Smooth the signal of the next frame; the result has its dtype."""
        settings = self._settings
        if self._smoothed is None:
            self._smoothed = signal.astype(np.float64)
        difference = signal - self._smoothed
        speed = difference * settings.fps
        self._speed += self._share(settings.speed_cutoff) * (speed - self._speed)
        cutoff = settings.min_cutoff + settings.beta * np.abs(self._speed)
        self._smoothed = self._smoothed + self._share(cutoff) * difference
        return self._smoothed.astype(signal.dtype)

    def _share(self, cutoff: np.ndarray | float) -> np.ndarray | float:
        return 1 / (1 + self._settings.fps / (2 * math.pi * cutoff))


def jitter(keypoints: Float[np.ndarray, "t k 2"]) -> Float[np.ndarray, " steps"]:
    """Compute how much keypoints shake: the norm of their second difference over time.

    It is 0 while they rest or move evenly.

    Args:
      keypoints: the keypoints of the frames in order.

    Returns:
      (max(t - 2, 0),) means over the keypoints, in the unit of the coordinates.
    """
    second_difference = keypoints[2:] - 2 * keypoints[1:-1] + keypoints[:-2]
    return np.linalg.norm(second_difference, axis=-1).mean(axis=-1)


class JitterMeter:
    """Measures the `jitter` of motion that passes by; memory does not grow with it.

    Args:
      points: returns the keypoints (k, 2) of a frame's motion.
    """

    def __init__(self, points: Callable[[FrameMotion], np.ndarray]) -> None:
        self._points = points
        self._last: list[np.ndarray] = []  # keypoints of the two frames before
        self._sum, self._count = 0.0, 0

    @property
    def mean(self) -> float | None:
        """The mean over the frames, in the unit of the coordinates; None below three frames."""
        return self._sum / self._count if self._count else None

    def watch(self, frames: Iterable[FrameMotion]) -> Iterator[FrameMotion]:
        """Pass motion on and measure it."""
        for frame in frames:
            self._last.append(self._points(frame))
            if len(self._last) == 3:
                self._sum += float(jitter(np.stack(self._last))[0])
                self._count += 1
                del self._last[0]
            yield frame
