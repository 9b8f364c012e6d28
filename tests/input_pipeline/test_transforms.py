"""The choice of a pair's two frames, and the geometric augmentation on the host."""

import numpy as np
import pytest
from scipy import stats

from fomm_jax.config.schema import AugmentationConfig
from input_pipeline.transforms import augment, crop_frames, resize_frames, sample_pair


def ramp(height: int, width: int) -> np.ndarray:
    """Return two equal frames whose channels give the row, the column and their sum."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)] * 2)


def test_sample_pair_is_sorted_and_has_the_distribution_of_two_draws():
    rng = np.random.default_rng(0)
    pairs = np.array([sample_pair(4, rng) for _ in range(8000)])
    assert (pairs[:, 0] <= pairs[:, 1]).all()
    counts = np.zeros((4, 4))
    np.add.at(counts, tuple(pairs.T), 1)
    # Of the 16 ordered draws, two give the same pair of unequal numbers, one a pair of equal ones.
    expected = np.triu(np.full((4, 4), 2 / 16), 1) + np.eye(4) / 16
    cells = np.triu_indices(4)
    assert stats.chisquare(counts[cells], 8000 * expected[cells]).pvalue > 1e-3


def test_augment_without_configuration_changes_nothing_and_draws_nothing():
    frames = ramp(8, 6)
    rng = np.random.default_rng(0)
    assert augment(frames, AugmentationConfig(), rng) is frames
    assert rng.uniform() == np.random.default_rng(0).uniform()


def test_rotation_is_counter_clockwise():
    frames = ramp(9, 9)
    turned = augment(
        frames, AugmentationConfig(rotation_degrees=(90.0, 90.0)), np.random.default_rng(0)
    )
    assert turned.dtype == np.uint8
    np.testing.assert_array_equal(turned, np.rot90(frames, axes=(1, 2)))


def test_rotation_draws_from_the_whole_range_and_turns_both_frames_alike():
    config = AugmentationConfig(rotation_degrees=(-90.0, 90.0))
    rng = np.random.default_rng(1)
    samples = [augment(ramp(9, 9), config, rng) for _ in range(20)]
    assert all((source == driving).all() for source, driving in samples)
    assert len({sample.tobytes() for sample in samples}) == 20


@pytest.mark.parametrize(
    ("interpolation", "row"), [("nearest", [0, 0, 80, 80]), ("bilinear", [0, 15, 45, 45])]
)
def test_resize_enlarges(interpolation, row):
    # The columns are 0 and 80, continued by zeros on both sides. Samples at -1/4, 1/4, 3/4 and 5/4
    # give 0, 20, 60 and 60. The same along the height leaves 3/4 of these values.
    frames = np.zeros((2, 1, 2, 3), np.uint8)
    frames[:, :, 1] = 80
    config = AugmentationConfig(
        resize_ratio=(2.0, 2.0), resize_interpolation=interpolation, crop_size=(2, 4)
    )
    out = augment(frames, config, np.random.default_rng(0))
    np.testing.assert_array_equal(out, np.broadcast_to(np.array(row)[:, None], (2, 2, 4, 3)))


def test_resize_shrinks_with_anti_aliasing_and_rounds_sizes_down():
    stripes = np.zeros((2, 33, 33, 3), np.uint8)
    stripes[:, :, ::2] = 255
    small = resize_frames(stripes, 0.25, order=0)
    assert small.shape == (2, 8, 8, 3)
    # Without smoothing, every nearest pixel would be 0 or 255.
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 127.5, atol=10)


def test_resize_draws_from_the_range():
    config = AugmentationConfig(resize_ratio=(0.5, 1.5))
    rng = np.random.default_rng(0)
    heights = [augment(ramp(40, 20), config, rng).shape[1] for _ in range(60)]
    assert min(heights) < 26
    assert max(heights) > 54
    assert all(20 <= height < 60 for height in heights)


def test_crop_is_uniform_along_both_axes():
    rng = np.random.default_rng(0)
    corners = np.array([crop_frames(ramp(10, 7), (8, 3), rng)[0, 0, 0, :2] for _ in range(3000)])
    for axis, places in ((0, 3), (1, 5)):
        counts = np.bincount(corners[:, axis], minlength=places)
        assert len(counts) == places
        assert stats.chisquare(counts).pvalue > 1e-3


def test_crop_moves_along_the_axis_that_has_room():
    rng = np.random.default_rng(0)
    crops = [crop_frames(ramp(5, 12), (5, 8), rng) for _ in range(50)]
    assert {int(crop[0, 0, 0, 1]) for crop in crops} == {0, 1, 2, 3, 4}
    for crop in crops:
        left = int(crop[0, 0, 0, 1])
        np.testing.assert_array_equal(crop, ramp(5, 12)[:, :, left : left + 8])


def test_crop_pads_by_the_edge_and_puts_the_odd_pixel_last():
    crop = crop_frames(ramp(2, 3), (5, 4), np.random.default_rng(0))
    np.testing.assert_array_equal(crop[0, :, 0, 0], [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(crop[0, 0, :, 1], [0, 1, 2, 2])
