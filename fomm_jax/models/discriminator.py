"""The multi-scale patch discriminator."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.constants import DISCRIMINATOR_KERNEL
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import InstanceNorm, SpectralNorm, convolution
from fomm_jax.ops import geometry
from fomm_jax.types import Keypoints

LEAKY_SLOPE = 0.2  # of the rectifier, as in pix2pix


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DiscriminatorOutput:
    """What one scale of the discriminator saw and thinks."""

    feature_maps: tuple[jax.Array, ...]  # (b, h, w, c), one a block
    prediction_map: jax.Array  # (b, h, w, 1): 1 is real, 0 generated (least squares)


class DiscriminatorBlock(nnx.Module):
    """4x4 convolution without padding, instance norm, rectifier, pooling."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        norm: bool,
        pool: bool,
        spectral: bool,
        rngs: nnx.Rngs,
    ):
        conv = convolution(in_features, out_features, DISCRIMINATOR_KERNEL, 0, rngs=rngs)
        self.conv: nnx.Conv | SpectralNorm = SpectralNorm(conv, rngs=rngs) if spectral else conv
        self.norm: InstanceNorm | None = nnx.data(InstanceNorm(out_features) if norm else None)
        self.pool = pool

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(b, h, w, in_features) to (b, h-3, w-3, out_features), halved where it pools."""
        out = _convolve(self.conv, x, train=train)
        if self.norm is not None:
            out = self.norm(out)
        out = jax.nn.leaky_relu(out, LEAKY_SLOPE)
        return geometry.average_pool(out) if self.pool else out


class Discriminator(nnx.Module):
    """Patch discriminator of one scale, like that of pix2pix."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
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
                norm=i != 0,
                pool=i != last,
                spectral=discriminator.sn,
                rngs=rngs,
            )
            for i in range(discriminator.num_blocks)
        )
        conv = convolution(features(last + 1), 1, 1, 0, rngs=rngs)
        self.conv: nnx.Conv | SpectralNorm = (
            SpectralNorm(conv, rngs=rngs) if discriminator.sn else conv
        )

    def __call__(
        self, pictures: jax.Array, keypoints: Keypoints, *, train: bool
    ) -> DiscriminatorOutput:
        """Judge pictures (b, h, w, c) in [0, 1]; the keypoints are seen only with `use_kp`."""
        out = pictures
        if self.use_kp:
            height, width = pictures.shape[1:3]
            heatmaps = geometry.gaussian_heatmaps(keypoints.value, height, width, self.kp_variance)
            out = jnp.concatenate([pictures, heatmaps], axis=-1)
        feature_maps = []
        for block in self.down_blocks:
            out = block(out, train=train)
            feature_maps.append(out)
        judged = _convolve(self.conv, geometry.at_full_precision(out), train=train)
        return DiscriminatorOutput(tuple(feature_maps), judged)


class MultiScaleDiscriminator(nnx.Module):
    """A discriminator for each scale of the image pyramid."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.scales = config.discriminator.scales
        self.discs = nnx.List(Discriminator(config, rngs=rngs) for _ in self.scales)

    @jax.named_scope("discriminator")
    def __call__(
        self, pictures: jax.Array, keypoints: Keypoints, *, train: bool
    ) -> tuple[DiscriminatorOutput, ...]:
        """Judge pictures (b, h, w, c) in [0, 1] at every scale."""
        pyramid = geometry.image_pyramid(pictures, self.scales)
        return tuple(
            disc(level, keypoints, train=train)
            for disc, level in zip(self.discs, pyramid, strict=True)
        )


def _convolve(conv: nnx.Conv | SpectralNorm, x: jax.Array, *, train: bool) -> jax.Array:
    return conv(x, train=train) if isinstance(conv, SpectralNorm) else conv(x)
