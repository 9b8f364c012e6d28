"""The dense motion network: from sparse motions at keypoints to a motion field."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.constants import HEAD_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.layers import Hourglass, Numerics, convolution
from fomm_jax.ops import geometry
from fomm_jax.types import DenseMotion


def sparse_motions(
    source: Keypoints, driving: Keypoints, height: int, width: int
) -> Float[Array, "b h w motions 2"]:
    """Compute where each keypoint's motion takes each pixel of the driving frame (eq. 4).

    The motion of a keypoint is T(z) = p_source + J_source J_driving⁻¹ (z - p_driving); that of the
    background, which comes first, is the identity.

    Args:
      source: keypoints of the source; a single source serves every driving frame.
      driving: keypoints of the driving frames.
      height: height of the field in pixels.
      width: width of the field in pixels.

    Returns:
      Coordinates in the source, in (x, y) order on [-1, 1].
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
    """Weighs the sparse motions by a mask and predicts what the source hides (section 3.2)."""

    def __init__(
        self, config: ModelConfig, numerics: Numerics, *, align_corners: bool, rngs: nnx.Rngs
    ):
        dense_motion = config.generator.dense_motion
        self.align_corners = align_corners
        self.scale_factor = dense_motion.scale_factor
        self.antialias_sigma = numerics.antialias_sigma
        self.kp_variance = dense_motion.kp_variance
        self.hourglass = Hourglass(
            (config.num_kp + 1) * (config.num_channels + 1),
            dense_motion.block_expansion,
            dense_motion.num_blocks,
            dense_motion.max_features,
            numerics,
            rngs=rngs,
        )

        def head(out_features: int) -> nnx.Conv:
            return convolution(
                self.hourglass.out_features[-1],
                out_features,
                HEAD_KERNEL,
                HEAD_KERNEL // 2,
                numerics.for_heads,
                rngs=rngs,
            )

        self.mask = head(config.num_kp + 1)
        self.occlusion: nnx.Conv | None = nnx.data(None)
        if config.generator.estimate_occlusion_map:
            self.occlusion = head(1)

    @jax.named_scope("dense_motion")
    def __call__(
        self,
        source_frame: Float[Array, "#b h w c"],
        source: Keypoints,
        driving: Keypoints,
        *,
        train: bool,
    ) -> DenseMotion:
        """Compute the motion from the driving frames' keypoints to those of the source.

        Args:
          source_frame: the sources in [0, 1]; a single one serves every driving frame.
          source: keypoints of the sources.
          driving: keypoints of the driving frames.
          train: whether to normalise by the statistics of the batch.
        """
        frame = geometry.antialias_downsample(source_frame, self.scale_factor, self.antialias_sigma)
        _, height, width, _ = frame.shape
        # Eq. 6: the difference of the Gaussians shows what moved. The background did not.
        heatmaps = geometry.gaussian_heatmaps(
            driving.value, height, width, self.kp_variance
        ) - geometry.gaussian_heatmaps(source.value, height, width, self.kp_variance)
        heatmaps = jnp.concatenate([jnp.zeros_like(heatmaps[..., :1]), heatmaps], axis=-1)
        motions = sparse_motions(source, driving, height, width)
        deformed = self._deform(frame, jnp.moveaxis(motions, 3, 1))
        inputs = jnp.concatenate([heatmaps[..., None], jnp.moveaxis(deformed, 1, 3)], axis=-1)
        features = self.hourglass(inputs.reshape(*inputs.shape[:3], -1), train=train)
        mask = jax.nn.softmax(self.mask(features), axis=-1)
        return DenseMotion(
            sparse_deformed=deformed,
            mask=mask,
            deformation=jnp.sum(mask[..., None] * motions, axis=3),
            occlusion_maps=()
            if self.occlusion is None
            else (jax.nn.sigmoid(self.occlusion(features)),),
        )

    def _deform(self, frames: jax.Array, motions: jax.Array) -> jax.Array:
        """Warp sources (b, h, w, c) by each of the motions (b, m, h, w, 2): (b, m, h, w, c).

        Each motion gets a copy of the source. On TPU, by the compiler's model, gathers from a copy
        each take a fourteenth of the cycles of all gathers from one (docs/performance.md).
        """
        batch, count = motions.shape[:2]
        copies = jnp.broadcast_to(frames[:, None], (batch, count, *frames.shape[1:]))
        deformed = geometry.grid_sample(
            copies.reshape(-1, *frames.shape[1:]),
            motions.reshape(-1, *motions.shape[2:]),
            align_corners=self.align_corners,
        )
        return deformed.reshape(batch, count, *deformed.shape[1:])
