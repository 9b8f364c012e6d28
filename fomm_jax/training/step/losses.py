"""The terms of the objective that all motion models share; weights are those of the config."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.models.discriminator import DiscriminatorOutput
from fomm_jax.models.layers import Numerics
from fomm_jax.models.vgg import VggWeights, vgg_features
from fomm_jax.ops import geometry


def perceptual(
    vgg: VggWeights,
    generated: Float[Array, "b h w 3"],
    real: Float[Array, "b h w 3"],
    scales: Sequence[float],
    weights: Sequence[float],
    numerics: Numerics | None = None,
) -> Float[Array, ""]:
    """Compute Σ over scales and taps of weight · mean |VGG(generated) - VGG(real)| (eq. 9).

    Args:
      vgg: the weights of the perceptual network.
      generated: the generated frames in [0, 1].
      real: the driving frames in [0, 1]; no gradient flows to their features.
      scales: the scales of the image pyramid.
      weights: one weight per tap.
      numerics: how the perceptual network's convolutions are computed, and how frames shrink.
    """
    numerics = numerics or Numerics()
    total = jnp.zeros((), generated.dtype)
    for scale in scales:
        generated_taps, real_taps = (
            vgg_features(
                vgg,
                geometry.antialias_downsample(pictures, scale, numerics.antialias_sigma),
                numerics,
            )
            for pictures in (generated, jax.lax.stop_gradient(real))
        )
        for weight, a, b in zip(weights, generated_taps, real_taps, strict=True):
            if weight:  # skipping a tap lets XLA drop the layers after the last one that counts
                total += weight * _mean_distance(a, b)
    return total


def _mean_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.mean(jnp.abs(geometry.at_full_precision(a) - geometry.at_full_precision(b)))


def generator_gan(generated: Sequence[DiscriminatorOutput], weight: float) -> Float[Array, ""]:
    """Compute the generator's side of the least-squares GAN.

    It is weight · Σ over scales of mean (1 - D(generated))².
    """
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for scale in generated:
        total += jnp.mean((1 - scale.prediction_map) ** 2)
    return weight * total


def discriminator_gan(
    generated: Sequence[DiscriminatorOutput], real: Sequence[DiscriminatorOutput], weight: float
) -> Float[Array, ""]:
    """Compute the discriminator's side of the least-squares GAN.

    It is weight · Σ over scales of mean (1 - D(real))² + D(generated)².
    """
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for of_generated, of_real in zip(generated, real, strict=True):
        total += jnp.mean((1 - of_real.prediction_map) ** 2 + of_generated.prediction_map**2)
    return weight * total


def feature_matching(
    generated: Sequence[DiscriminatorOutput],
    real: Sequence[DiscriminatorOutput],
    weights: Sequence[float],
) -> Float[Array, ""]:
    """Compute Σ over scales and blocks of weight · mean |difference of the feature maps|.

    Gradients flow through both sides, as in the original.
    """
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for of_generated, of_real in zip(generated, real, strict=True):
        maps = zip(of_generated.feature_maps, of_real.feature_maps, strict=True)
        for weight, (a, b) in zip(
            weights, maps, strict=False
        ):  # further weights are ignored, as in the original
            total += weight * _mean_distance(a, b)
    return total
