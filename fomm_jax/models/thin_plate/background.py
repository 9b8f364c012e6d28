"""The background predictor: one affine transformation for all that moves with the camera."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from fomm_jax.models.layers import Numerics
from fomm_jax.models.thin_plate.resnet import ResNet18
from fomm_jax.ops import geometry


class BackgroundPredictor(nnx.Module):
    """Predicts where in the source the background of a driving frame is, by a ResNet-18."""

    def __init__(self, num_channels: int, numerics: Numerics, *, rngs: nnx.Rngs):
        self.encoder = ResNet18(2 * num_channels, 6, numerics, rngs=rngs)
        # In a new network the background stands still.
        self.encoder.last.kernel.set_value(jnp.zeros_like(self.encoder.last.kernel[...]))
        assert self.encoder.last.bias is not None
        self.encoder.last.bias.set_value(jnp.eye(2, 3).reshape(-1))

    @jax.named_scope("bg_predictor")
    def __call__(
        self,
        source: Float[Array, "b h w c"],
        driving: Float[Array, "b h w c"],
        *,
        train: bool,
        begun: Bool[Array, ""] | None = None,
    ) -> Float[Array, "b 3 3"]:
        """Predict the matrices that take homogeneous driving coordinates to those of the source.

        Args:
          source: the source frames in [0, 1].
          driving: the driving frames.
          train: whether to normalise by the statistics of the batch.
          begun: False leaves the running statistics as they are, and returns identities, through
            which no gradient flows. None is True.
        """
        before = jax.tree.map(jnp.asarray, nnx.state(self, nnx.BatchStat))  # variables of its own
        frames = jnp.concatenate([source, driving], axis=-1)
        rows = self.encoder(frames, train=train).reshape(-1, 2, 3)
        last = jnp.broadcast_to(jnp.eye(3, dtype=rows.dtype)[None, 2:], (rows.shape[0], 1, 3))
        matrices = jnp.concatenate([rows, last], axis=1)
        if begun is None:
            return matrices
        after = nnx.state(self, nnx.BatchStat)
        nnx.update(self, jax.tree.map(lambda old, new: jnp.where(begun, new, old), before, after))
        return jnp.where(begun, matrices, identities(matrices.shape[0], matrices.dtype))


def identities(count: int, dtype: jnp.dtype) -> Float[Array, "b 3 3"]:
    """Return the matrices of a background that stands still."""
    return jnp.broadcast_to(jnp.eye(3, dtype=dtype), (count, 3, 3))


def transform_grid(
    matrices: Float[Array, "b 3 3"], height: int, width: int
) -> Float[Array, "b {height} {width} 2"]:
    """Transform the coordinates of all pixels, in (x, y) order on [-1, 1]."""
    grid = geometry.coordinate_grid(height, width, matrices.dtype)
    homogeneous = jnp.concatenate([grid, jnp.ones_like(grid[..., :1])], axis=-1)
    moved = jnp.sum(matrices[:, None, None] * homogeneous[None, :, :, None], axis=-1)
    return moved[..., :2] / moved[..., 2:]
