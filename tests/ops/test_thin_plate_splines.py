"""Thin-plate splines against the definition, one point at a time in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.ops.thin_plate_splines import EuclideanTransform, fit_splines, spline_kernel

RANDOM = np.random.default_rng(0)
CONTROLS, TARGETS = RANDOM.uniform(-0.9, 0.9, (2, 2, 3, 5, 2))


def kernel(offset):
    squared = offset @ offset
    return squared * np.log(squared + 1e-9)


def equations(controls):
    """Return the matrix [K P; Pᵀ 0] of one spline."""
    count = len(controls)
    matrix = np.zeros((count + 3, count + 3))
    for i, row in enumerate(controls):
        matrix[i, :count] = [kernel(row - column) for column in controls]
        matrix[i, count:] = matrix[count:, i] = [*row, 1]
    return matrix


def test_parameters_solve_the_equations_with_a_ridge(x64):
    splines = fit_splines(jnp.asarray(CONTROLS), jnp.asarray(TARGETS))
    for b, s in np.ndindex(2, 3):
        matrix = equations(CONTROLS[b, s]) + 0.01 * np.eye(8)
        right = np.concatenate([TARGETS[b, s], np.zeros((3, 2))])
        expected = np.linalg.inv(matrix) @ right
        np.testing.assert_allclose(splines.control_params[b, s], expected[:5], rtol=0, atol=1e-11)
        np.testing.assert_allclose(splines.theta[b, s], expected[5:].T, rtol=0, atol=1e-11)


def test_grids_are_warped_by_the_definition(x64):
    splines = fit_splines(jnp.asarray(CONTROLS), jnp.asarray(TARGETS))
    grid = splines.warp_grid(3, 4)
    for b, s, row, column in np.ndindex(2, 3, 3, 4):
        point = np.array([2 * column / 3 - 1, 2 * row / 2 - 1])
        theta = np.asarray(splines.theta[b, s])
        expected = theta[:, :2] @ point + theta[:, 2]
        for control, weight in zip(CONTROLS[b, s], splines.control_params[b, s], strict=True):
            expected += kernel(point - control) * np.asarray(weight)
        np.testing.assert_allclose(grid[b, s, row, column], expected, rtol=0, atol=1e-12)


def test_one_set_of_targets_serves_a_batch(x64):
    controls, targets = jnp.asarray(CONTROLS), jnp.asarray(TARGETS[:1])
    together = fit_splines(controls, targets)
    alone = fit_splines(controls[1:], targets)
    np.testing.assert_allclose(together.theta[1:], alone.theta, rtol=0, atol=1e-12)


def test_gradients_are_finite_at_control_points(x64):
    gradient = jax.grad(lambda offset: spline_kernel(offset))(jnp.zeros(2))
    np.testing.assert_array_equal(gradient, 0)
    gradient = jax.grad(lambda c: jnp.sum(fit_splines(c, jnp.asarray(TARGETS)).theta ** 2))
    assert np.isfinite(gradient(jnp.asarray(CONTROLS))).all()


def test_the_random_transform_has_the_same_kernel(x64):
    theta = np.eye(2, 3)[None] + 0.1
    params = RANDOM.normal(size=(1, 9))
    transform = EuclideanTransform(jnp.asarray(theta), jnp.asarray(params))
    point = np.array([0.3, -0.2])
    expected = theta[0, :, :2] @ point + theta[0, :, 2]
    controls = [np.array([x, y]) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    expected = expected + sum(
        weight * kernel(point - control)
        for weight, control in zip(params[0], controls, strict=True)
    )
    warped = transform.warp_coordinates(jnp.asarray(point)[None, None])
    assert warped[0, 0] == pytest.approx(expected, abs=1e-12)
