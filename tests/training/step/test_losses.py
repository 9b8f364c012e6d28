"""The loss terms, computed by hand from their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.models.discriminator import DiscriminatorOutput
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.first_order.model import jacobian_equivariance, value_equivariance
from fomm_jax.models.layers import Numerics
from fomm_jax.models.vgg import vgg_features
from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate import ThinPlateTransform
from fomm_jax.training.step import losses

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RANDOM.normal(size=shape), jnp.float32)


def discriminator_output(*maps):
    """Return the output of a discriminator: feature maps and, last, a prediction map."""
    return DiscriminatorOutput(maps[:-1], maps[-1])


GENERATED = (
    discriminator_output(normal(2, 4, 4, 3), normal(2, 2, 2, 5), normal(2, 2, 2, 1)),
    discriminator_output(normal(2, 2, 2, 3), normal(2, 1, 1, 5), normal(2, 1, 1, 1)),
)
REAL = (
    discriminator_output(normal(2, 4, 4, 3), normal(2, 2, 2, 5), normal(2, 2, 2, 1)),
    discriminator_output(normal(2, 2, 2, 3), normal(2, 1, 1, 5), normal(2, 1, 1, 1)),
)


def test_generator_wants_ones():
    expected = sum(np.mean((1 - np.asarray(scale.prediction_map)) ** 2) for scale in GENERATED)
    assert float(losses.generator_gan(GENERATED, 3.0)) == pytest.approx(3 * expected, rel=1e-5)


def test_discriminator_wants_ones_of_real_and_zeros_of_generated_frames():
    expected = sum(
        np.mean((1 - np.asarray(real.prediction_map)) ** 2)
        + np.mean(np.asarray(generated.prediction_map) ** 2)
        for generated, real in zip(GENERATED, REAL, strict=True)
    )
    actual = losses.discriminator_gan(GENERATED, REAL, 2.0)
    assert float(actual) == pytest.approx(2 * expected, rel=1e-5)


def test_feature_matching_weighs_each_block():
    expected = 0.0
    for generated, real in zip(GENERATED, REAL, strict=True):
        for weight, a, b in zip((2, 5), generated.feature_maps, real.feature_maps, strict=True):
            expected += weight * np.mean(np.abs(np.asarray(a) - np.asarray(b)))
    actual = losses.feature_matching(GENERATED, REAL, (2.0, 5.0))
    assert float(actual) == pytest.approx(expected, rel=1e-5)
    without_second = losses.feature_matching(GENERATED, REAL, (2.0, 0.0))
    assert float(without_second) < float(actual)


def test_feature_matching_moves_both_sides():
    def term(generated, real):
        return losses.feature_matching(
            [discriminator_output(generated, generated)], [discriminator_output(real, real)], (1.0,)
        )

    a, b = normal(1, 2, 2, 1), normal(1, 2, 2, 1)
    ours, theirs = jax.grad(term, argnums=(0, 1))(a, b)
    np.testing.assert_array_equal(ours, np.sign(a - b) / 4)
    np.testing.assert_array_equal(theirs, np.sign(b - a) / 4)


@pytest.fixture(scope="module")
def vgg():
    """VGG16 in small: its layers with few channels."""
    weights, channels = {}, 3
    for name, _ in VGG_LAYERS["vgg16"]:
        weights[name] = normal(3, 3, channels, 4) / 3, normal(4) / 10
        channels = 4
    return weights


def test_perceptual_loss_sums_over_scales_and_taps(vgg):
    generated, real = (
        jnp.asarray(RANDOM.uniform(size=(2, 32, 32, 3)), jnp.float32) for _ in range(2)
    )
    weights = (1.0, 2.0, 3.0, 4.0, 5.0)
    expected = 0.0
    for scale in (1, 0.5):
        taps = [
            vgg_features(vgg, geometry.antialias_downsample(frames, scale))
            for frames in (generated, real)
        ]
        for weight, a, b in zip(weights, *taps, strict=True):
            expected += weight * np.mean(np.abs(np.asarray(a) - np.asarray(b)))
    actual = losses.perceptual(vgg, generated, real, (1, 0.5), weights)
    assert float(actual) == pytest.approx(expected, rel=1e-5)


def test_perceptual_loss_shrinks_by_filters_of_the_configured_sigma(vgg):
    pair = [jnp.asarray(RANDOM.uniform(size=(1, 32, 32, 3)), jnp.float32) for _ in range(2)]
    weights = (1.0,) * 5
    small = [geometry.antialias_downsample(frames, 0.5, 1.5) for frames in pair]
    expected = losses.perceptual(vgg, *small, (1,), weights)
    actual = losses.perceptual(vgg, *pair, (0.5,), weights, Numerics(antialias_sigma=1.5))
    assert float(actual) == pytest.approx(float(expected), rel=1e-6)
    assert float(losses.perceptual(vgg, *pair, (0.5,), weights)) != pytest.approx(float(actual))


def test_perceptual_loss_leaves_the_real_frame_alone(vgg):
    generated, real = (
        jnp.asarray(RANDOM.uniform(size=(1, 16, 16, 3)), jnp.float32) for _ in range(2)
    )
    gradient = jax.grad(losses.perceptual, argnums=(1, 2))
    ours, theirs = jax.jit(gradient, static_argnums=(3, 4))(vgg, generated, real, (1,), (1.0,) * 5)
    assert np.abs(ours).max() > 0
    np.testing.assert_array_equal(theirs, 0)


def draw_transform():
    return ThinPlateTransform(
        jnp.asarray(np.eye(2, 3) + RANDOM.normal(0, 0.2, (2, 2, 3))),
        jnp.asarray(RANDOM.normal(0, 0.05, (2, 9))),
    )


def draw_keypoints():
    return Keypoints(
        jnp.asarray(RANDOM.uniform(-1, 1, (2, 4, 2))),
        jnp.asarray(np.eye(2) + RANDOM.normal(0, 0.2, (2, 4, 2, 2))),
    )


def test_equivariance_of_keypoints_that_moved_with_the_frame_is_0(x64):
    transform, transformed = draw_transform(), draw_keypoints()
    driving = Keypoints(
        transform.warp_coordinates(transformed.value),
        jnp.asarray(
            np.asarray(transform.jacobian(transformed.value)) @ np.asarray(transformed.jacobian)
        ),
    )
    value = value_equivariance(driving, transformed, transform)
    jacobian = jacobian_equivariance(driving, transformed, transform)
    assert float(value) == pytest.approx(0, abs=1e-14)
    assert float(jacobian) == pytest.approx(0, abs=1e-12)


def test_equivariance_is_the_mean_absolute_deviation(x64):
    transform, driving, transformed = draw_transform(), draw_keypoints(), draw_keypoints()
    warped = np.asarray(transform.warp_coordinates(transformed.value))
    loss = value_equivariance(driving, transformed, transform)
    assert float(loss) == pytest.approx(np.mean(np.abs(np.asarray(driving.value) - warped)))

    slopes = np.asarray(transform.jacobian(transformed.value))
    product = np.linalg.inv(driving.jacobian) @ slopes @ np.asarray(transformed.jacobian)
    loss = jacobian_equivariance(driving, transformed, transform)
    assert float(loss) == pytest.approx(np.mean(np.abs(np.eye(2) - product)))
