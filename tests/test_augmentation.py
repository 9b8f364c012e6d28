"""Flips and colour jitter, against Pillow where it has the same operation."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from fomm_jax.augmentation import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    augment,
)
from fomm_jax.config import AugmentationConfig
from fomm_jax.types import Batch

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (6, 8, 3), np.uint8)


def draw_batch(size):
    source, driving = RANDOM.integers(0, 256, (2, size, 4, 6, 3), np.uint8)
    return Batch(source, driving)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    ("adjust", "enhance", "tolerance"),
    [
        (adjust_brightness, ImageEnhance.Brightness, 1.01),
        # Pillow rounds the mean grey to a whole number, and each grey before that.
        (adjust_contrast, ImageEnhance.Contrast, 2.01),
        (adjust_saturation, ImageEnhance.Color, 1.51),
    ],
)
def test_adjustment_is_pillows(adjust, enhance, tolerance, factor):
    expected = np.asarray(enhance(Image.fromarray(PICTURE)).enhance(factor), np.float32)
    picture = jnp.asarray(PICTURE, jnp.float32) / 255
    found = 255 * np.asarray(adjust(picture, jnp.asarray(factor, jnp.float32)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(*[st.integers(0, 255)] * 3),
    st.floats(-0.5, 0.5, width=32),
)
def test_hue_is_turned_in_hsv(colour, shift):
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    expected = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
    picture = jnp.asarray([[colour]], jnp.float32) / 255
    found = adjust_hue(picture, jnp.asarray(shift, jnp.float32))
    np.testing.assert_allclose(found[0, 0], expected, rtol=0, atol=2e-5)


def test_contrast_has_a_mean_of_its_own_for_each_picture():
    pictures = jnp.stack([jnp.full((2, 2, 3), 0.2), jnp.full((2, 2, 3), 0.8)])
    np.testing.assert_allclose(adjust_contrast(pictures, jnp.asarray(0.3)), pictures, atol=1e-6)


def test_without_augmentation_the_frames_become_floats():
    batch = draw_batch(3)
    source, driving = augment(jax.random.key(0), batch, AugmentationConfig())
    np.testing.assert_allclose(source, batch.source.astype(np.float32) / 255, atol=1e-7)
    np.testing.assert_allclose(driving, batch.driving.astype(np.float32) / 255, atol=1e-7)


def flips_of(batch, config, seed=0):
    """How often pairs were swapped in time, mirrored, or left alone."""
    source, driving = (
        np.asarray(frames) for frames in augment(jax.random.key(seed), batch, config)
    )
    before = batch.source.astype(np.float32) / 255, batch.driving.astype(np.float32) / 255
    counts = {"swapped": 0, "mirrored": 0, "same": 0}
    for i in range(len(source)):
        pair = source[i], driving[i]
        outcomes = {
            "swapped": (before[1][i], before[0][i]),
            "mirrored": (before[0][i][:, ::-1], before[1][i][:, ::-1]),
            "same": (before[0][i], before[1][i]),
        }
        (outcome,) = [
            name
            for name, expected in outcomes.items()
            if all(np.allclose(a, b) for a, b in zip(pair, expected, strict=True))
        ]
        counts[outcome] += 1
    return counts


def test_flips_have_the_probabilities_of_the_original():
    config = AugmentationConfig(time_flip=True, horizontal_flip=True)
    counts = flips_of(draw_batch(2000), config)
    # A half, and of the rest a half; four standard deviations are 90.
    assert counts["swapped"] == pytest.approx(1000, abs=90)
    assert counts["mirrored"] == pytest.approx(500, abs=80)


def test_flips_that_are_off_do_not_happen():
    batch = draw_batch(40)
    assert flips_of(batch, AugmentationConfig(time_flip=True))["mirrored"] == 0
    only_mirrored = flips_of(batch, AugmentationConfig(horizontal_flip=True))
    assert only_mirrored["swapped"] == 0
    assert 8 < only_mirrored["mirrored"] < 32


def test_both_frames_of_a_pair_are_jittered_alike_and_pairs_differently():
    frame = RANDOM.integers(0, 256, (1, 4, 6, 3), np.uint8)
    batch = Batch(frame.repeat(6, axis=0), frame.repeat(6, axis=0))
    config = AugmentationConfig(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.3)
    source, driving = augment(jax.random.key(0), batch, config)
    np.testing.assert_array_equal(source, driving)
    assert len(np.unique(np.asarray(source).round(4).reshape(6, -1), axis=0)) == 6
    again, _ = augment(jax.random.key(0), batch, config)
    np.testing.assert_array_equal(source, again)


def test_brightness_factors_fill_their_range():
    batch = Batch(*[np.full((300, 1, 1, 3), 100, np.uint8)] * 2)
    source, _ = augment(jax.random.key(0), batch, AugmentationConfig(brightness=0.5))
    factors = np.asarray(source)[:, 0, 0, 0] * 255 / 100
    assert factors.min() == pytest.approx(0.5, abs=0.03)
    assert factors.max() == pytest.approx(1.5, abs=0.03)
    assert factors.mean() == pytest.approx(1, abs=0.07)


def test_adjustments_come_in_random_order():
    """Told by the pixels that the first adjustment has clipped at white and the second moved."""
    ramp = np.array([120, 130, 140, 150, 160, 240, 245, 250], np.uint8)
    batch = Batch(*[np.broadcast_to(ramp[None, None, :, None], (200, 1, 8, 3))] * 2)
    config = AugmentationConfig(brightness=0.5, contrast=0.5)
    source, _ = augment(jax.random.key(0), batch, config)
    x = ramp / 255
    first = set()
    for found in np.asarray(source, np.float64)[:, 0, :, 0]:
        white = found[-1]
        if white > 0.999 or white - found[-2] > 1e-6:
            continue  # nothing was clipped by the first adjustment, or all by the second
        slope = (found[1] - found[0]) / (x[1] - x[0])
        offset = found[0] - slope * x[0]
        contrast = white - offset  # brightness first: white is contrast + (1 - contrast) mean
        brightened = np.minimum(slope / contrast * x, 1)
        if offset == pytest.approx((1 - contrast) * brightened.mean(), abs=1e-5):
            first.add("brightness")
        else:  # contrast first: white is the brightness
            assert offset == pytest.approx((white - slope) * x.mean(), abs=1e-5)
            first.add("contrast")
    assert first == {"brightness", "contrast"}
