"""The animation and its parts as pure functions from arrays to arrays, for any device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from fomm_jax.animation.compiled_model import (
    CompiledModel,
    EncodedSource,
    paint_frames,
    transfer_motion,
)
from fomm_jax.animation.pixels import to_bytes, to_float
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.models.motion_model import Motion, MotionModel


class Functions(NamedTuple):
    """The animation as one function, and the parts that it is made of. All pictures are uint8."""

    # From source (1, h, w, c), driving (t, h, w, c) and initial (1, h, w, c) to (t, h, w, c).
    animation: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
    detector: Callable[[jax.Array], Motion]  # from frames (t, h, w, c)
    encoder: Callable[[jax.Array], Any]  # from pictures (t, h, w, c) to the model's features
    # From a source (1, h, w, c), its features, and the motions of source, driving frames and
    # initial frame to (t, h, w, c).
    painter: Callable[[jax.Array, Any, Motion, Motion, Motion], jax.Array]


def check_exportable(compiled: CompiledModel, config: NormalizationConfig) -> None:
    """Check that motion can be transferred in a mode by a pure function.

    Raises:
      InputError: the config asks for a movement scale, which only the host can compute, or for a
        network that the model does not have.
    """
    compiled.check_transfer(config)
    if config.scales_movement:
        raise InputError(
            "normalization.adapt_movement_scale: cannot be exported, since the hulls of keypoints"
            " are found on the host; expected False"
        )


def make_functions(model: MotionModel, config: NormalizationConfig) -> Functions:
    """Make pure functions of a model.

    Args:
      model: the trained model.
      config: the mode in which motion is transferred.
    """

    def detect(frames: UInt8[Array, "t h w c"]) -> Motion:
        return model.detect(to_float(frames), train=False)

    def encode(source: UInt8[Array, "t h w c"]) -> Any:
        return model.encode(to_float(source), train=False)

    def paint(
        source: UInt8[Array, "1 h w c"],
        features: Any,
        source_motion: Motion,
        driving_motion: Motion,
        initial_motion: Motion,
    ) -> Array:
        motion = transfer_motion(
            model, source_motion, driving_motion, initial_motion, jnp.ones(()), config
        )
        points = model.points(source_motion)
        encoded = EncodedSource(to_float(source), source_motion, points, features)
        return to_bytes(paint_frames(model, encoded, motion))

    def animate(
        source: UInt8[Array, "1 h w c"],
        driving: UInt8[Array, "t h w c"],
        initial: UInt8[Array, "1 h w c"],
    ) -> Array:
        # One call for both pictures keeps the program small.
        both = detect(jnp.concatenate([source, initial]))
        source_motion, initial_motion = (
            jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], both) for i in (0, 1)
        )
        return paint(source, encode(source), source_motion, detect(driving), initial_motion)

    return Functions(animate, detect, encode, paint)
