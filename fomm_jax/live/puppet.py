"""A picture that is animated frame by frame, with a neutral pose that can change."""

from collections.abc import Callable, Iterator

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.frame_motion import FrameMotion
from fomm_jax.animation.smoothing import OneEuro, smooth_motion
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.rendering.source import Source

_RATE = 20.0  # frames a second, which the smoothing takes for granted


class Puppet:
    """Moves pictures by the motion of single frames.

    Args:
      animator: the trained model.
      normalization: the mode of motion transfer.
      smooth: whether the motion is smoothed over time.
    """

    def __init__(
        self, animator: Animator, normalization: NormalizationConfig, *, smooth: bool
    ) -> None:
        self._animator = animator
        self._normalization = normalization
        self._smooth = _one_by_one(OneEuro(_RATE)) if smooth else lambda motion: motion
        self._neutral: FrameMotion | None = None
        self._calibrations = 0

    def move(self, source: Source, frame: np.ndarray, calibrations: int) -> np.ndarray:
        """Return the picture in the motion of a frame.

        Args:
          source: the picture.
          frame: (h, w, 3) uint8 of the model's size.
          calibrations: where it differs from the call before, this frame's pose becomes the
            neutral one, which relative motion starts from. The first frame's pose does so, too.
        """
        (detected,) = self._animator.detect([frame])
        motion = self._smooth(detected)
        if self._neutral is None or calibrations != self._calibrations:
            self._neutral, self._calibrations = motion, calibrations
        predictions = [
            next(
                self._animator.animate_keypoints(
                    part, [motion], initial=self._neutral, normalization=self._normalization
                )
            )
            for part in source.parts
        ]
        return source.view.draw(predictions, frame, self._animator.points(motion))


def _one_by_one(settings: OneEuro) -> Callable[[FrameMotion], FrameMotion]:
    """Return a function that smooths the motion of one frame after the other."""
    waiting: list[FrameMotion] = []

    def frames() -> Iterator[FrameMotion]:
        while True:
            yield waiting.pop()

    smoothed = smooth_motion(frames(), settings)

    def smooth(motion: FrameMotion) -> FrameMotion:
        waiting.append(motion)
        return next(smoothed)

    return smooth
