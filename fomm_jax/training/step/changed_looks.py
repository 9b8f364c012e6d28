"""Other looks for the frames whose keypoints the equivariance losses compare.

The equivariance losses ask that keypoints move with the frame when it is warped. If the warped
frame has other colours, too, and parts of it are covered, they also ask that keypoints depend on
the pose and not on the looks. An absolute motion then carries less of the driving object's looks to
the source. docs/demo_model.md has what this did for the demo model. The originals only warp the
frame (`config.compat.change_looks`).

The detector's running statistics are those of all its passes, so that these frames are part of
them, as warped frames are in the originals.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from fomm_jax.config.schema import AugmentationConfig
from fomm_jax.ops.geometry import coordinate_grid
from fomm_jax.training.step.augmentation import jitter

# Every hue, since the colours of hair, hats and clothes are what keypoints shall not depend on.
COLOURS = AugmentationConfig(brightness=0.3, contrast=0.4, saturation=0.6, hue=0.5)
NUM_PATCHES = 3
RADII = (0.05, 0.3)  # the smallest and the largest; the frame is 2 wide


@jax.named_scope("augmentation")
def change_looks(
    keys: Key[Array, " b"], frames: Float[Array, "b h w 3"]
) -> Float[Array, "b h w 3"]:
    """Jitter the colours of frames in [0, 1], and cover parts of them with ellipses of one colour.

    Each frame has its own colours and patches.
    """
    return jax.vmap(_change_one)(keys, frames)


def _change_one(key: jax.Array, frame: jax.Array) -> jax.Array:
    colour_key, patch_key = jax.random.split(key)
    frame = jitter(colour_key, frame, COLOURS)
    for ellipse_key in jax.random.split(patch_key, NUM_PATCHES):
        frame = _cover_ellipse(ellipse_key, frame)
    return frame


def _cover_ellipse(key: jax.Array, frame: jax.Array) -> jax.Array:
    centre_key, radii_key, colour_key = jax.random.split(key, 3)
    centre = jax.random.uniform(centre_key, (1, 1, 2), frame.dtype, -1, 1)
    radii = jax.random.uniform(radii_key, (1, 1, 2), frame.dtype, *RADII)
    colour = jax.random.uniform(colour_key, (1, 1, 3), frame.dtype)
    height, width, _ = frame.shape
    grid = coordinate_grid(height, width, frame.dtype)
    distance = jnp.sum(((grid - centre) / radii) ** 2, axis=-1, keepdims=True)
    return jnp.where(distance < 1, colour, frame)
