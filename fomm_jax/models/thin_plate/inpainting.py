"""The inpainting network: it warps features of the source at every size and paints what is hidden.

Every level of the decoder sees the encoder's features of its size, warped by the dense motion and
masked by an occlusion map.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import ConvBlock, DownBlock, Numerics, ResBlock, UpBlock, convolution
from fomm_jax.ops import geometry
from fomm_jax.types import DenseMotion


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SourceFeatures:
    """A source picture and its features."""

    frame: Float[Array, "b h w c"]  # in [0, 1]
    levels: tuple[Float[Array, "b _ _ _"], ...]  # from coarse to fine; the last is of full size


class InpaintingNetwork(nnx.Module):
    """Encoder and decoder with warped and masked skip connections (section 3.3 of the paper)."""

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        settings = config.thin_plate.generator
        depth = settings.num_down_blocks

        def features(level: int) -> int:
            return min(settings.max_features, settings.block_expansion * 2**level)

        self.first = ConvBlock(
            config.num_channels, settings.block_expansion, numerics, kernel_size=7, rngs=rngs
        )
        self.down_blocks = nnx.List(
            DownBlock(features(i), features(i + 1), numerics, rngs=rngs) for i in range(depth)
        )
        # All levels but the coarsest see the decoder's features beside those of the source.
        widths = [features(i) * (1 if i == depth else 2) for i in range(depth, 0, -1)]
        self.resblock = nnx.List(
            ResBlock(width, numerics, rngs=rngs) for width in widths for _ in range(2)
        )
        self.up_blocks = nnx.List(
            UpBlock(width, features(depth - 1 - i), numerics, rngs=rngs)
            for i, width in enumerate(widths)
        )
        self.final = convolution(
            settings.block_expansion, config.num_channels, 7, 3, numerics.for_heads, rngs=rngs
        )

    @jax.named_scope("inpainting")
    def encode(self, source: Float[Array, "b h w c"], *, train: bool) -> SourceFeatures:
        """Compute features of sources in [0, 1]; each down block halves height and width."""
        levels = [self.first(source, train=train)]
        for block in self.down_blocks:
            levels.append(block(levels[-1], train=train))
        return SourceFeatures(source, tuple(reversed(levels)))

    @jax.named_scope("inpainting")
    def decode(
        self, features: SourceFeatures, motion: DenseMotion, *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Warp and mask the features of sources, and paint frames in [0, 1].

        The features of a single source serve every motion.
        """
        warped = warp_levels(features.levels, motion)
        out = warped[0]
        for i, block in enumerate(self.up_blocks):
            if i > 0:
                out = jnp.concatenate([out, warped[i]], axis=-1)
            for residual in self.resblock[2 * i : 2 * i + 2]:
                out = residual(out, train=train)
            out = block(out, train=train)
        out, finest = geometry.at_full_precision(out), geometry.at_full_precision(warped[-1])
        visible = resize(motion.occlusion_maps[-1], out)
        painted = jax.nn.sigmoid(self.final(out * (1 - visible) + finest))
        return painted * (1 - visible) + warp(features.frame, motion) * visible


def warp(pictures: Float[Array, "#b h w c"], motion: DenseMotion) -> Float[Array, "b h w c"]:
    """Warp pictures or features by the deformation, brought to their size."""
    deformation = resize(motion.deformation, pictures)
    return geometry.grid_sample(pictures, deformation, align_corners=True)


def mask_levels(
    levels: tuple[Float[Array, "b _ _ _"], ...], motion: DenseMotion
) -> tuple[Float[Array, "b _ _ _"], ...]:
    """Hide in features of each size, from coarse to fine, what the occlusion maps say is hidden."""
    maps = motion.occlusion_maps
    if len(maps) == 1:
        maps *= len(levels)
    return tuple(
        level * resize(occlusion_map, level).astype(level.dtype)
        for level, occlusion_map in zip(levels, maps, strict=True)
    )


def warp_levels(
    levels: tuple[Float[Array, "#b _ _ _"], ...], motion: DenseMotion
) -> tuple[Float[Array, "b _ _ _"], ...]:
    """Warp and mask features of each size, from coarse to fine."""
    return mask_levels(tuple(warp(level, motion) for level in levels), motion)


def resize(field: Float[Array, "b _ _ c"], like: Float[Array, "_ h w _"]) -> jax.Array:
    """Resize a field to the height and width of pictures."""
    height, width = like.shape[1:3]
    if field.shape[1:3] == (height, width):
        return field
    return geometry.resize_between_corners(field, height, width)
