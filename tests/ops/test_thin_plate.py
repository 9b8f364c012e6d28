"""The random thin-plate transform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.ops.thin_plate import ThinPlateTransform, sample_transform

RANDOM = np.random.default_rng(0)


def draw(batch=2, side=3):
    """Draw a strong transform, in float64."""
    return ThinPlateTransform(
        theta=jnp.asarray(np.eye(2, 3) + RANDOM.normal(0, 0.3, (batch, 2, 3))),
        control_params=jnp.asarray(RANDOM.normal(0, 0.2, (batch, side**2))),
    )


def test_warp_is_affine_without_control_points(x64):
    transform = draw(side=0)
    points = RANDOM.uniform(-1, 1, (2, 7, 2))
    theta = np.asarray(transform.theta)
    expected = np.einsum("bij,bnj->bni", theta[:, :, :2], points) + theta[:, None, :, 2]
    actual = transform.warp_coordinates(jnp.asarray(points))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-14)


def test_warp_bends_by_the_l1_distance_to_a_grid_of_controls(x64):
    transform = draw(side=3)
    points = RANDOM.uniform(-1, 1, (2, 5, 2))
    theta, weights = np.asarray(transform.theta), np.asarray(transform.control_params)
    actual = transform.warp_coordinates(jnp.asarray(points))
    for b, n in np.ndindex(2, 5):
        x, y = points[b, n]
        bend = 0.0
        for i, (control_y, control_x) in enumerate((v, u) for v in (-1, 0, 1) for u in (-1, 0, 1)):
            distance = abs(x - control_x) + abs(y - control_y)
            bend += weights[b, i] * distance**2 * np.log(distance + 1e-6)
        expected = theta[b, :, :2] @ points[b, n] + theta[b, :, 2] + bend
        np.testing.assert_allclose(actual[b, n], expected, rtol=0, atol=1e-13)


def test_warp_of_one_grid_by_each_transform(x64):
    transform = draw()
    points = RANDOM.uniform(-1, 1, (1, 5, 2))
    np.testing.assert_array_equal(
        transform.warp_coordinates(jnp.asarray(points)),
        transform.warp_coordinates(jnp.asarray(points.repeat(2, axis=0))),
    )


def test_jacobian_is_that_of_finite_differences(x64):
    transform = draw()
    points = RANDOM.uniform(-0.9, 0.9, (2, 6, 2))
    actual = transform.jacobian(jnp.asarray(points))
    for axis in range(2):
        step = np.zeros(2)
        step[axis] = 1e-6
        ahead, behind = (
            np.asarray(transform.warp_coordinates(jnp.asarray(points + sign * step)))
            for sign in (1, -1)
        )
        # Column j holds the derivatives by coordinate j.
        np.testing.assert_allclose(actual[..., axis], (ahead - behind) / 2e-6, rtol=0, atol=1e-7)


def test_jacobian_and_its_gradient_are_finite_at_a_control_point(x64):
    transform = draw()
    points = jnp.zeros((2, 1, 2))  # the control point in the middle

    def total(points):
        return jnp.sum(transform.jacobian(points))

    assert np.isfinite(total(points))
    assert np.all(np.isfinite(jax.grad(total)(points)))


def test_identity_leaves_a_frame_as_it_is():
    """The grid ends at the centres of the border pixels, as align_corners asks."""
    frame = jnp.asarray(RANDOM.uniform(size=(1, 6, 8, 3)), jnp.float32)
    transform = ThinPlateTransform(jnp.eye(2, 3)[None], jnp.zeros((1, 0)))
    np.testing.assert_allclose(
        transform.warp_frame(frame, align_corners=True), frame, rtol=0, atol=1e-6
    )


def test_frame_is_reflected_where_the_transform_leaves_it():
    width = 5
    frame = jnp.broadcast_to(jnp.arange(float(width))[None, None, :, None], (1, 3, width, 1))
    shift = jnp.asarray([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # by half of the picture
    warped = ThinPlateTransform(shift, jnp.zeros((1, 0))).warp_frame(frame, align_corners=True)
    np.testing.assert_allclose(warped[0, 1, :, 0], [2, 3, 4, 3, 2], rtol=0, atol=1e-5)


def test_sampled_transforms_have_the_configured_deviations():
    sigmas = {"sigma_affine": 0.05, "sigma_tps": 0.005, "points_tps": 5}
    transform = sample_transform(jax.random.key(0), 400, jnp.float32, **sigmas)
    noise = np.asarray(transform.theta) - np.eye(2, 3)
    assert transform.control_params.shape == (400, 25)
    assert noise.std() == pytest.approx(0.05, rel=0.1)
    assert np.asarray(transform.control_params).std() == pytest.approx(0.005, rel=0.1)
    assert len(np.unique(noise)) > 2000  # each entry of each frame has its own
    again = sample_transform(jax.random.key(0), 400, jnp.float32, **sigmas)
    np.testing.assert_array_equal(again.theta, transform.theta)


def test_sampled_transform_without_control_points_is_affine():
    transform = sample_transform(
        jax.random.key(0), 2, jnp.float32, sigma_affine=0.05, sigma_tps=0.005, points_tps=0
    )
    points = jnp.asarray(RANDOM.uniform(-1, 1, (2, 3, 2)), jnp.float32)
    middle = transform.warp_coordinates((points + points[:, ::-1]) / 2)
    warped = transform.warp_coordinates(points)
    np.testing.assert_allclose(middle, (warped + warped[:, ::-1]) / 2, rtol=0, atol=1e-6)
