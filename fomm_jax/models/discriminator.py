"""The multi-scale patch discriminator."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.constants import DISCRIMINATOR_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import Numerics, convolution
from fomm_jax.models.normalization import InstanceNorm, SpectralNorm
from fomm_jax.ops import geometry

LEAKY_SLOPE = 0.2  # negative slope of the leaky rectifier, as in pix2pix


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DiscriminatorOutput:
    """The output of the discriminator at one scale."""

    feature_maps: tuple[Float[Array, "b _ _ _"], ...]  # one per block
    prediction_map: Float[Array, "b h w 1"]  # 1 is real, 0 generated (least squares)


@dataclasses.dataclass(frozen=True)
class _BlockOptions:
    """The optional parts of a block of the discriminator."""

    norm: bool  # instance normalisation
    pool: bool  # average pooling at the end
    spectral: bool  # spectral normalisation of the kernel


class DiscriminatorBlock(nnx.Module):
    """4×4 convolution without padding, instance normalisation, rectifier, pooling."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        numerics: Numerics,
        options: _BlockOptions,
        *,
        rngs: nnx.Rngs,
    ):
        conv = convolution(in_features, out_features, DISCRIMINATOR_KERNEL, 0, numerics, rngs=rngs)
        self.conv = SpectralNorm(conv, rngs=rngs) if options.spectral else conv
        self.norm: InstanceNorm | None = nnx.data(
            InstanceNorm(out_features) if options.norm else None
        )
        self.pool = options.pool

    def __call__(self, x: Float[Array, "b _ _ c"], *, train: bool) -> Float[Array, "b _ _ d"]:
        """Convolve, normalise, rectify and pool."""
        out = _convolve(self.conv, x, train=train)
        if self.norm is not None:
            out = self.norm(out, train=train)
        out = jax.nn.leaky_relu(out, LEAKY_SLOPE)
        return geometry.average_pool(out) if self.pool else out


class Discriminator(nnx.Module):
    """Patch discriminator of one scale, like that of pix2pix."""

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        discriminator = config.discriminator

        def features(depth: int) -> int:
            return min(discriminator.max_features, discriminator.block_expansion * 2**depth)

        inputs = config.num_channels + (config.num_kp if discriminator.use_kp else 0)
        last = discriminator.num_blocks - 1
        self.use_kp = discriminator.use_kp
        self.kp_variance = discriminator.kp_variance
        self.down_blocks = nnx.List(
            DiscriminatorBlock(
                features(i) if i else inputs,
                features(i + 1),
                numerics,
                _BlockOptions(norm=i != 0, pool=i != last, spectral=discriminator.sn),
                rngs=rngs,
            )
            for i in range(discriminator.num_blocks)
        )
        conv = convolution(features(last + 1), 1, 1, 0, numerics.for_heads, rngs=rngs)
        self.conv = SpectralNorm(conv, rngs=rngs) if discriminator.sn else conv

    def __call__(
        self, pictures: Float[Array, "b h w c"], points: Float[Array, "b k 2"], *, train: bool
    ) -> DiscriminatorOutput:
        """Judge pictures in [0, 1]. The keypoints count only with `use_kp`."""
        out = pictures
        if self.use_kp:
            height, width = pictures.shape[1:3]
            heatmaps = geometry.gaussian_heatmaps(points, height, width, self.kp_variance)
            out = jnp.concatenate([pictures, heatmaps], axis=-1)
        feature_maps = []
        for block in self.down_blocks:
            out = block(out, train=train)
            feature_maps.append(out)
        prediction_map = _convolve(self.conv, geometry.at_full_precision(out), train=train)
        return DiscriminatorOutput(tuple(feature_maps), prediction_map)


class MultiScaleDiscriminator(nnx.Module):
    """A discriminator for each scale of the image pyramid."""

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        self.scales = config.discriminator.scales
        self.antialias_sigma = numerics.antialias_sigma
        self.discs = nnx.List(Discriminator(config, numerics, rngs=rngs) for _ in self.scales)

    @jax.named_scope("discriminator")
    def __call__(
        self, pictures: Float[Array, "b h w c"], points: Float[Array, "b k 2"], *, train: bool
    ) -> tuple[DiscriminatorOutput, ...]:
        """Judge pictures in [0, 1] at every scale.

        Args:
          pictures: real or generated frames.
          points: keypoints of the driving frames, in (x, y) order on [-1, 1].
          train: whether spectral normalisation takes a step of its power iteration.
        """
        pyramid = geometry.image_pyramid(pictures, self.scales, self.antialias_sigma)
        return tuple(
            disc(level, points, train=train)
            for disc, level in zip(self.discs, pyramid, strict=True)
        )


def _convolve(conv: nnx.Conv | SpectralNorm, x: jax.Array, *, train: bool) -> jax.Array:
    """Call a convolution; only one with spectral normalisation has an argument `train`."""
    return conv(x, train=train) if isinstance(conv, SpectralNorm) else conv(x)
