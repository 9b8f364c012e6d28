"""The keypoint detector: keypoints and local affine transformations from one frame."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.constants import HEAD_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.layers import Hourglass, Numerics, convolution
from fomm_jax.models.random_parameters import Source
from fomm_jax.ops import geometry


class KeypointDetector(nnx.Module):
    """Predicts heatmaps, whose means are the keypoints (section 3.1 of the paper).

    The jacobians are means of a second map under the same heatmaps. With `pad` 0 the heatmap is 6
    pixels smaller than the feature map, and coordinates are normalised over the smaller grid.
    """

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        detector = config.kp_detector
        self.temperature = detector.temperature
        self.scale_factor = detector.scale_factor
        self.antialias_sigma = numerics.antialias_sigma
        self.predictor = Hourglass(
            config.num_channels,
            detector.block_expansion,
            detector.num_blocks,
            detector.max_features,
            numerics,
            rngs=rngs,
        )
        features = self.predictor.out_features[-1]
        # The heads run at the full size of the feature map and lose their border afterwards. That
        # equals a padding of `pad`, and is faster than the odd sizes that an unpadded 7×7 kernel
        # leaves.
        padding = max(detector.pad, HEAD_KERNEL // 2)
        self.border = padding - detector.pad
        self.kp = convolution(features, config.num_kp, HEAD_KERNEL, padding, numerics, rngs=rngs)
        self.jacobian: nnx.Conv | None = nnx.data(None)
        if config.estimate_jacobian:
            maps = 1 if detector.single_jacobian_map else config.num_kp
            self.jacobian = convolution(
                features,
                4 * maps,
                HEAD_KERNEL,
                padding,
                numerics,
                initializers=(nnx.initializers.zeros, _identity_matrices),
                rngs=rngs,
            )

    @jax.named_scope("kp_detector")
    def __call__(self, frames: Float[Array, "b *passes h w c"], *, train: bool) -> Keypoints:
        """Find the keypoints of frames in [0, 1]; those of (b, passes, …) are (b, passes, …), too.

        In training, each pass is normalised by its own statistics.
        """
        leading = frames.shape[:-3]
        small = geometry.antialias_downsample(
            _merged(frames), self.scale_factor, self.antialias_sigma
        )
        features = self.predictor(small.reshape(*leading, *small.shape[1:]), train=train)
        features = _merged(features)
        logits = self._crop(self.kp(features))
        heatmap = jax.nn.softmax(logits / self.temperature, axis=(1, 2))
        batch, height, width, num_kp = heatmap.shape
        grid = geometry.coordinate_grid(height, width, heatmap.dtype)
        value = jnp.sum(heatmap[..., None] * grid[None, :, :, None], axis=(1, 2))
        value = value.reshape(*leading, num_kp, 2)
        if self.jacobian is None:
            return Keypoints(value)
        jacobian_map = self._crop(self.jacobian(features)).reshape(batch, height, width, -1, 4)
        jacobian = jnp.sum(heatmap[..., None] * jacobian_map, axis=(1, 2))
        return Keypoints(value, jacobian.reshape(*leading, num_kp, 2, 2))

    def _crop(self, maps: jax.Array) -> jax.Array:
        """Cut the border off maps (b, h, w, c)."""
        _, height, width, _ = maps.shape
        return maps[:, self.border : height - self.border, self.border : width - self.border]


def _merged(pictures: jax.Array) -> jax.Array:
    """Merge the passes of pictures (b, *passes, h, w, c) with the batch."""
    return pictures.reshape(-1, *pictures.shape[-3:])


def _identity_matrices(
    source: Source, shape: tuple[int, ...], dtype: jnp.dtype, out_sharding: object = None
) -> Any:
    """Initialise a bias (4n,) to n identity matrices, row by row."""
    del source, out_sharding
    return np.tile(np.asarray([1, 0, 0, 1], dtype), shape[0] // 4)
