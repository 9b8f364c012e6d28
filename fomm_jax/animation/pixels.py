"""Pictures as uint8, outside the networks, and as floats in [0, 1], inside them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped, UInt8


@dataclasses.dataclass(frozen=True)
class AnimatedFrame:
    """One frame of an animation and the frame that drives it, on the host."""

    driving: UInt8[np.ndarray, "h w c"]
    prediction: UInt8[np.ndarray, "h w c"]  # rounded down, as in the original's PNG files
    driving_points: Float[np.ndarray, "k 2"]  # keypoints, in (x, y) order on [-1, 1]
    l1: float  # mean |prediction - driving| on [0, 1], before the prediction is rounded


def to_float(pictures: Shaped[Array | np.ndarray, "..."]) -> Float[Array, "..."]:
    """Convert uint8 to [0, 1] in JAX's default float; leave floats as they are."""
    pictures = jnp.asarray(pictures)
    if jnp.issubdtype(pictures.dtype, jnp.floating):
        return pictures
    return pictures.astype(jnp.zeros(()).dtype) / 255


def to_bytes(pictures: Float[Array, "..."]) -> UInt8[Array, "..."]:
    """Convert [0, 1] to uint8, rounding down as the original does for its PNG files."""
    return jnp.floor(255 * pictures).astype(jnp.uint8)


@jax.jit
def mean_distance(
    predictions: Float[Array, "b h w c"], frames: UInt8[Array | np.ndarray, "b h w c"]
) -> Float[Array, " b"]:
    """Compute each picture's mean |prediction - frame| on [0, 1]."""
    return jnp.mean(jnp.abs(predictions - to_float(frames)), axis=(1, 2, 3))
