"""The keypoint detector: keypoints and local affine transformations from one frame."""

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.constants import HEAD_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import Hourglass, convolution
from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import convolve_for_flax
from fomm_jax.types import Keypoints


class KeypointDetector(nnx.Module):
    """Heatmaps whose means are the keypoints; jacobians are means of a map under the same weight.

    Section 3.1 of the paper. With `pad` 0 the heatmap is smaller than the frame by 6 pixels, and
    coordinates are relative to the smaller one.
    """

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        detector = config.kp_detector
        self.temperature = detector.temperature
        self.scale_factor = detector.scale_factor
        self.predictor = Hourglass(
            config.num_channels,
            detector.block_expansion,
            detector.num_blocks,
            detector.max_features,
            rngs=rngs,
        )
        features = self.predictor.out_features
        # The heads run at the full size of the feature map and lose their border afterwards: equal
        # to a padding of `pad`, and faster than the odd sizes that an unpadded 7x7 kernel leaves.
        padding = max(detector.pad, HEAD_KERNEL // 2)
        self.border = padding - detector.pad
        self.kp = convolution(features, config.num_kp, HEAD_KERNEL, padding, rngs=rngs)
        self.jacobian: nnx.Conv | None = nnx.data(None)
        if config.estimate_jacobian:
            maps = 1 if detector.single_jacobian_map else config.num_kp
            self.jacobian = nnx.Conv(
                features,
                4 * maps,
                (HEAD_KERNEL, HEAD_KERNEL),
                padding=padding,
                kernel_init=nnx.initializers.zeros,
                bias_init=lambda key, shape, dtype, *_: jnp.tile(
                    jnp.asarray([1, 0, 0, 1], dtype), maps
                ),
                conv_general_dilated=convolve_for_flax,
                rngs=rngs,
            )

    @jax.named_scope("kp_detector")
    def __call__(self, frame: jax.Array, *, train: bool) -> Keypoints:
        """Find the keypoints of frames (b, h, w, c) in [0, 1]."""
        small = geometry.antialias_downsample(frame, self.scale_factor)
        features = self.predictor(small, train=train)
        logits = self._crop(self.kp(features))
        heatmap = jax.nn.softmax(logits / self.temperature, axis=(1, 2))
        batch, height, width, num_kp = heatmap.shape
        grid = geometry.coordinate_grid(height, width, heatmap.dtype)
        value = jnp.sum(heatmap[..., None] * grid[None, :, :, None], axis=(1, 2))
        if self.jacobian is None:
            return Keypoints(value)
        jacobian_map = self._crop(self.jacobian(features)).reshape(batch, height, width, -1, 4)
        jacobian = jnp.sum(heatmap[..., None] * jacobian_map, axis=(1, 2))
        return Keypoints(value, jacobian.reshape(batch, num_kp, 2, 2))

    def _crop(self, maps: jax.Array) -> jax.Array:
        """Take the border off maps (b, h, w, c)."""
        _, height, width, _ = maps.shape
        return maps[:, self.border : height - self.border, self.border : width - self.border]
