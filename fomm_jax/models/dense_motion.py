"""The dense motion network: from sparse motions at keypoints to a motion field."""

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.constants import HEAD_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import Hourglass, convolution
from fomm_jax.ops import geometry
from fomm_jax.types import DenseMotion, Keypoints


def sparse_motions(source: Keypoints, driving: Keypoints, height: int, width: int) -> jax.Array:
    """Where each keypoint's motion takes each pixel of the driving frame in the source (eq. 4).

    T(z) = p_source + J_source J_driving⁻¹ (z - p_driving), and the identity for the background.
    A source of batch 1 serves every driving frame.

    Returns:
      (b, h, w, k+1, 2) in (x, y) order on [-1, 1], background first.
    """
    grid = geometry.coordinate_grid(height, width, driving.value.dtype)[None, :, :, None]
    offsets = grid - driving.value[:, None, None]
    if source.jacobian is not None and driving.jacobian is not None:
        jacobian = geometry.multiply_2x2(source.jacobian, geometry.invert_2x2(driving.jacobian))
        offsets = geometry.apply_2x2(jacobian[:, None, None], offsets)
    motions = offsets + source.value[:, None, None]
    background = jnp.broadcast_to(grid, (*motions.shape[:3], 1, 2))
    return jnp.concatenate([background, motions], axis=3)


class DenseMotionNetwork(nnx.Module):
    """Weighs the sparse motions by a mask and tells what the source does not show (section 3.2)."""

    def __init__(self, config: ModelConfig, *, align_corners: bool, rngs: nnx.Rngs):
        dense_motion = config.generator.dense_motion
        self.align_corners = align_corners
        self.scale_factor = dense_motion.scale_factor
        self.kp_variance = dense_motion.kp_variance
        self.hourglass = Hourglass(
            (config.num_kp + 1) * (config.num_channels + 1),
            dense_motion.block_expansion,
            dense_motion.num_blocks,
            dense_motion.max_features,
            rngs=rngs,
        )
        features = self.hourglass.out_features
        self.mask = convolution(
            features, config.num_kp + 1, HEAD_KERNEL, HEAD_KERNEL // 2, rngs=rngs
        )
        self.occlusion: nnx.Conv | None = nnx.data(None)
        if config.generator.estimate_occlusion_map:
            self.occlusion = convolution(features, 1, HEAD_KERNEL, HEAD_KERNEL // 2, rngs=rngs)

    @jax.named_scope("dense_motion")
    def __call__(
        self, source_frame: jax.Array, source: Keypoints, driving: Keypoints, *, train: bool
    ) -> DenseMotion:
        """The motion from the driving frames' keypoints to those of the source.

        Args:
          source_frame: (b, h, w, c) in [0, 1], or (1, h, w, c) for one source.
          source: keypoints of the source, of the same batch.
          driving: keypoints of the driving frames, of batch b.
          train: whether statistics are those of the batch.
        """
        frame = geometry.antialias_downsample(source_frame, self.scale_factor)
        _, height, width, _ = frame.shape
        # Eq. 6: what moved, as the difference of the keypoints' Gaussians; the background did not.
        heatmaps = geometry.gaussian_heatmaps(
            driving.value, height, width, self.kp_variance
        ) - geometry.gaussian_heatmaps(source.value, height, width, self.kp_variance)
        heatmaps = jnp.concatenate([jnp.zeros_like(heatmaps[..., :1]), heatmaps], axis=-1)
        motions = sparse_motions(source, driving, height, width)
        deformed = geometry.grid_sample(frame, motions, align_corners=self.align_corners)
        inputs = jnp.concatenate([heatmaps[..., None], deformed], axis=-1)
        features = self.hourglass(inputs.reshape(*inputs.shape[:3], -1), train=train)
        mask = jax.nn.softmax(self.mask(features), axis=-1)
        return DenseMotion(
            sparse_deformed=jnp.moveaxis(deformed, 3, 1),
            mask=mask,
            deformation=jnp.sum(mask[..., None] * motions, axis=3),
            occlusion_map=None
            if self.occlusion is None
            else jax.nn.sigmoid(self.occlusion(features)),
        )
