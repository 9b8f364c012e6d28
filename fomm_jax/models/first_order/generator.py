"""The occlusion-aware generator: it encodes the source, warps its features, and decodes a frame."""

import jax
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.first_order.dense_motion import DenseMotionNetwork
from fomm_jax.models.layers import (
    ConvBlock,
    DownBlock,
    Numerics,
    ResBlock,
    UpBlock,
    convolution,
)
from fomm_jax.ops import geometry
from fomm_jax.types import DenseMotion


class Generator(nnx.Module):
    """Generator of the Johnson architecture with warped, occluded features (section 3.2).

    `encode` depends on the source alone, so an animation calls it once.
    """

    def __init__(
        self, config: ModelConfig, numerics: Numerics, *, align_corners: bool, rngs: nnx.Rngs
    ):
        generator = config.generator

        def features(depth: int) -> int:
            return min(generator.max_features, generator.block_expansion * 2**depth)

        depth = generator.num_down_blocks
        self.align_corners = align_corners
        self.dense_motion_network = DenseMotionNetwork(
            config, numerics, align_corners=align_corners, rngs=rngs
        )
        self.first = ConvBlock(
            config.num_channels, generator.block_expansion, numerics, kernel_size=7, rngs=rngs
        )
        self.down_blocks = nnx.List(
            DownBlock(features(i), features(i + 1), numerics, rngs=rngs) for i in range(depth)
        )
        self.bottleneck = nnx.List(
            ResBlock(features(depth), numerics, rngs=rngs)
            for _ in range(generator.num_bottleneck_blocks)
        )
        self.up_blocks = nnx.List(
            UpBlock(features(i + 1), features(i), numerics, rngs=rngs)
            for i in reversed(range(depth))
        )
        self.final = convolution(
            generator.block_expansion, config.num_channels, 7, 3, numerics.for_heads, rngs=rngs
        )

    @jax.named_scope("generator")
    def encode(
        self, source: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b _ _ features"]:
        """Compute features of sources in [0, 1]; each down block halves height and width."""
        out = self.first(source, train=train)
        for block in self.down_blocks:
            out = block(out, train=train)
        return out

    @jax.named_scope("generator")
    def decode(
        self, features: Float[Array, "#b _ _ features"], motion: DenseMotion, *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Warp encoded features by the motion and decode frames in [0, 1].

        The features of a single source serve every motion.
        """
        out = self.warp(features, motion)
        for occlusion_map in motion.occlusion_maps:  # none or one
            out = out * _resize_to(occlusion_map, out).astype(out.dtype)
        for residual in self.bottleneck:
            out = residual(out, train=train)
        for block in self.up_blocks:
            out = block(out, train=train)
        return jax.nn.sigmoid(self.final(geometry.at_full_precision(out)))

    def warp(
        self, pictures: Float[Array, "#b h w c"], motion: DenseMotion
    ) -> Float[Array, "b h w c"]:
        """Warp pictures or features by the deformation, brought to their size."""
        deformation = _resize_to(motion.deformation, pictures)
        return geometry.grid_sample(pictures, deformation, align_corners=self.align_corners)


def _resize_to(field: jax.Array, like: jax.Array) -> jax.Array:
    """Resize a field (b, h, w, c) to the height and width of `like`."""
    height, width = like.shape[1:3]
    if field.shape[1:3] == (height, width):
        return field
    return geometry.resize_bilinear(field, height, width)
