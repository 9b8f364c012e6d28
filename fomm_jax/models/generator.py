"""The occlusion-aware generator: encodes the source, warps its features, paints the frame."""

import jax
from flax import nnx

from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.dense_motion import DenseMotionNetwork
from fomm_jax.models.layers import ConvBlock, DownBlock, ResBlock, UpBlock, convolution
from fomm_jax.ops import geometry
from fomm_jax.types import DenseMotion, GeneratorOutput, Keypoints


class Generator(nnx.Module):
    """Generator of the Johnson architecture with warped, occluded features (section 3.2).

    `encode` needs the source alone, so an animation calls it once.
    """

    def __init__(self, config: ModelConfig, *, align_corners: bool, rngs: nnx.Rngs):
        generator = config.generator

        def features(depth: int) -> int:
            return min(generator.max_features, generator.block_expansion * 2**depth)

        depth = generator.num_down_blocks
        self.align_corners = align_corners
        self.dense_motion_network = DenseMotionNetwork(
            config, align_corners=align_corners, rngs=rngs
        )
        self.first = ConvBlock(
            config.num_channels, generator.block_expansion, kernel_size=7, rngs=rngs
        )
        self.down_blocks = nnx.List(
            DownBlock(features(i), features(i + 1), rngs=rngs) for i in range(depth)
        )
        self.bottleneck = nnx.List(
            ResBlock(features(depth), rngs=rngs) for _ in range(generator.num_bottleneck_blocks)
        )
        self.up_blocks = nnx.List(
            UpBlock(features(i + 1), features(i), rngs=rngs) for i in reversed(range(depth))
        )
        self.final = convolution(generator.block_expansion, config.num_channels, 7, 3, rngs=rngs)

    @jax.named_scope("generator")
    def encode(self, source: jax.Array, *, train: bool) -> jax.Array:
        """Features (b, h / 2^num_down_blocks, …, c) of source pictures (b, h, w, c) in [0, 1]."""
        out = self.first(source, train=train)
        for block in self.down_blocks:
            out = block(out, train=train)
        return out

    @jax.named_scope("generator")
    def decode(self, features: jax.Array, motion: DenseMotion, *, train: bool) -> jax.Array:
        """Warp encoded features by the motion and paint the frame (b, h, w, c) in [0, 1].

        Features of batch 1, of one source, serve every motion.
        """
        out = self._deform(features, motion.deformation)
        if motion.occlusion_map is not None:
            out = out * _resize_to(motion.occlusion_map, out).astype(out.dtype)
        for residual in self.bottleneck:
            out = residual(out, train=train)
        for block in self.up_blocks:
            out = block(out, train=train)
        return jax.nn.sigmoid(self.final(geometry.at_full_precision(out)))

    def __call__(
        self,
        source: jax.Array,
        source_keypoints: Keypoints,
        driving_keypoints: Keypoints,
        *,
        train: bool,
    ) -> GeneratorOutput:
        """Generate the driving frame from source pictures (b, h, w, c) in [0, 1]."""
        features = self.encode(source, train=train)
        motion = self.dense_motion_network(source, source_keypoints, driving_keypoints, train=train)
        return GeneratorOutput(
            prediction=self.decode(features, motion, train=train),
            deformed=self._deform(source, motion.deformation),
            dense_motion=motion,
        )

    def _deform(self, pictures: jax.Array, deformation: jax.Array) -> jax.Array:
        return geometry.grid_sample(
            pictures, _resize_to(deformation, pictures), align_corners=self.align_corners
        )


def _resize_to(field: jax.Array, like: jax.Array) -> jax.Array:
    """Resize a field (b, h, w, c) to the height and width of `like`."""
    height, width = like.shape[1:3]
    if field.shape[1:3] == (height, width):
        return field
    return geometry.resize_bilinear(field, height, width)
