"""A clip animated by the functions that `Animator` runs, with the motion in between."""

import dataclasses

import jax
import numpy as np

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.animation.movement_scale import movement_scale
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.models.motion_model import Motion


@dataclasses.dataclass(frozen=True)
class AnimatedClip:
    """A source animated by driving frames."""

    prediction: np.ndarray  # (t, h, w, c) in [0, 1]
    driving: Motion  # as detected in the driving frames; the batch is t
    transferred: Motion  # as transferred to the source; the batch is t


def animate_clip(
    model: CompiledModel, source: np.ndarray, driving: np.ndarray, config: NormalizationConfig
) -> AnimatedClip:
    """Animate a clip, and return what is computed on the way.

    Args:
      model: the trained model.
      source: (1, h, w, c), uint8 or float in [0, 1].
      driving: (t, h, w, c), uint8 or float in [0, 1]; motion is relative to the first frame.
      config: the mode in which motion is transferred.
    """
    encoded = model.encode(source, model.detect(source))
    motion = model.detect(driving)
    initial = jax.tree.map(lambda array: array[:1], motion)
    points = np.asarray(encoded.points[0]), np.asarray(model.points(initial)[0])
    scale = points[0].dtype.type(movement_scale(*points, config))
    transferred = model.transfer(encoded, motion, initial, scale, config)
    prediction, _ = model.paint(encoded, transferred)
    return AnimatedClip(np.asarray(prediction), motion, transferred)
