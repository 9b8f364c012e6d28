"""Metrics agree with values calculated by hand, and with their formulas."""

import numpy as np
import pytest

from fomm_jax.evaluation.metrics import compare_identities, compare_keypoints, psnr, ssim


def noise(seed, shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr():
    real = np.full((4, 6, 3), 100, np.uint8)
    generated = real.copy()
    generated[0, 0] += 51  # a fifth of the range, in one pixel of 24
    assert psnr(generated, real) == pytest.approx(10 * np.log10(25 * 24))
    assert psnr(255 - 0 * real, 0 * real) == pytest.approx(0)
    assert psnr(real, real) == 100


def test_ssim_of_one_window_is_the_formula_of_wang():
    """A picture of 11 x 11 pixels has one window in each channel."""
    a, b = noise(0, (11, 11, 3)), noise(1, (11, 11, 3))
    offset = np.arange(11) - 5
    weights = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    weights = (weights / weights.sum())[..., None]
    x, y = a.astype(float), b.astype(float)
    mean_x, mean_y = (weights * x).sum((0, 1)), (weights * y).sum((0, 1))
    variance_x = (weights * (x - mean_x) ** 2).sum((0, 1))
    variance_y = (weights * (y - mean_y) ** 2).sum((0, 1))
    covariance = (weights * (x - mean_x) * (y - mean_y)).sum((0, 1))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    assert ssim(a, b) == pytest.approx(expected.mean(), rel=1e-6)
    assert ssim(a, a) == 1


def test_keypoints_off_by_3_and_4():
    real = noise(0, (68, 2)).astype(float)
    metrics = compare_keypoints(real + np.array([3, -4]), real)
    assert metrics == pytest.approx({"akd_per_coordinate": 3.5, "akd_distance": 5, "mkr": 0})


def test_undetected_points_count_as_missing_and_have_no_distance():
    real = np.array([[0.0, 0], [1, 1], [2, 2], [3, 3], [np.nan, np.nan]])
    generated = np.array([[0.0, 2], [np.nan, np.nan], [2, 2], [3, 3], [9, 9]])
    assert compare_keypoints(generated, real) == pytest.approx(
        {"akd_per_coordinate": 2 / 6, "akd_distance": 2 / 3, "mkr": 1 / 4}
    )


def test_a_frame_without_keypoints():
    points, nowhere = np.ones((3, 2)), np.full((3, 2), np.nan)
    for generated in (None, nowhere):
        assert compare_keypoints(generated, points) == {"mkr": 1}
    for real in (None, nowhere):
        for generated in (None, nowhere, points):
            assert compare_keypoints(generated, real) == {}


def test_identities():
    a, b = np.array([1.0, 2, 3]), np.array([1.0, 0, 0])
    assert compare_identities(a, b) == pytest.approx(
        {"aed_squared_distance": 13, "aed_distance": np.sqrt(13)}
    )
    for pair in ((None, b), (a, None), (None, None)):
        assert compare_identities(*pair) == {}
