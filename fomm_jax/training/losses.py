"""The terms of the training objective, each a pure function; weights are those of the config."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fomm_jax.models.discriminator import DiscriminatorOutput
from fomm_jax.models.vgg import VggWeights, vgg_features
from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate import ThinPlateTransform
from fomm_jax.types import Keypoints


def perceptual(
    vgg: VggWeights,
    generated: jax.Array,
    real: jax.Array,
    scales: Sequence[float],
    weights: Sequence[float],
    compute_dtype: DTypeLike | None = None,
) -> jax.Array:
    """Σ over scales and taps of weight · mean |VGG(generated) - VGG(real)| (eq. 9).

    Args:
      vgg: the perceptual network's weights.
      generated, real: (b, h, w, 3) in [0, 1]; no gradient flows to `real`'s features.
      scales: of the image pyramid.
      weights: one a tap.
      compute_dtype: of the perceptual network's convolutions; None is that of the pictures.
    """
    total = jnp.zeros((), generated.dtype)
    for scale in scales:
        ours, theirs = (
            vgg_features(vgg, geometry.antialias_downsample(pictures, scale), compute_dtype)
            for pictures in (generated, jax.lax.stop_gradient(real))
        )
        for weight, a, b in zip(weights, ours, theirs, strict=True):
            if weight:  # else the layers behind the last tap are left out too
                total += weight * _mean_distance(a, b)
    return total


def _mean_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.mean(jnp.abs(geometry.at_full_precision(a) - geometry.at_full_precision(b)))


def generator_gan(generated: Sequence[DiscriminatorOutput], weight: float) -> jax.Array:
    """Least-squares GAN, generator's side: weight · Σ over scales of mean (1 - D(generated))²."""
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for scale in generated:
        total += jnp.mean((1 - scale.prediction_map) ** 2)
    return weight * total


def discriminator_gan(
    generated: Sequence[DiscriminatorOutput], real: Sequence[DiscriminatorOutput], weight: float
) -> jax.Array:
    """Least-squares GAN, discriminator's side: mean (1 - D(real))² + D(generated)²."""
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for ours, theirs in zip(generated, real, strict=True):
        total += jnp.mean((1 - theirs.prediction_map) ** 2 + ours.prediction_map**2)
    return weight * total


def feature_matching(
    generated: Sequence[DiscriminatorOutput],
    real: Sequence[DiscriminatorOutput],
    weights: Sequence[float],
) -> jax.Array:
    """Σ over scales and blocks of weight · mean |difference of the feature maps|.

    Gradients flow through both sides, as in the original.
    """
    total = jnp.zeros((), generated[0].prediction_map.dtype)
    for ours, theirs in zip(generated, real, strict=True):
        maps = zip(ours.feature_maps, theirs.feature_maps, strict=True)
        for weight, (a, b) in zip(weights, maps, strict=False):
            total += weight * _mean_distance(a, b)
    return total


def equivariance_value(
    driving: Keypoints, transformed: Keypoints, transform: ThinPlateTransform, weight: float
) -> jax.Array:
    """Weight · mean |p(frame) - T(p(T(frame)))| (eq. 11)."""
    warped = transform.warp_coordinates(transformed.value)
    return weight * jnp.mean(jnp.abs(driving.value - warped))


def equivariance_jacobian(
    driving: Keypoints, transformed: Keypoints, transform: ThinPlateTransform, weight: float
) -> jax.Array:
    """Weight · mean |1 - J(frame)⁻¹ T'(p) J(T(frame))|, p the transformed keypoints (eq. 13).

    The keypoints have jacobians; the config's validation sees to it.
    """
    assert driving.jacobian is not None
    assert transformed.jacobian is not None
    warped = geometry.multiply_2x2(transform.jacobian(transformed.value), transformed.jacobian)
    product = geometry.multiply_2x2(geometry.invert_2x2(driving.jacobian), warped)
    return weight * jnp.mean(jnp.abs(jnp.eye(2, dtype=product.dtype)[None, None] - product))
