"""Flips and colour jitter, against Pillow, scikit-image and torchvision's definition."""

import colorsys
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy import stats
from skimage.color import hsv2rgb, rgb2hsv

from fomm_jax.config.schema import AugmentationConfig
from fomm_jax.training.step import augmentation
from fomm_jax.training.step.augmentation import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    augment,
)
from fomm_jax.types import Batch

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (6, 8, 3), np.uint8)


def draw_batch(size):
    source, driving = RANDOM.integers(0, 256, (2, size, 4, 6, 3), np.uint8)
    return Batch(source, driving)


def picture_of_whole_greys():
    """Draw a random picture whose greys and mean grey are whole: Pillow rounds none of them."""
    colours = RANDOM.integers(0, 256, (100_000, 3))
    greys, rest = np.divmod(colours @ [299, 587, 114], 1000)
    colours, greys = colours[rest == 0], greys[rest == 0]
    while True:
        chosen = RANDOM.choice(len(colours), 48, replace=False)
        if greys[chosen].sum() % 48 == 0:
            return colours[chosen].reshape(6, 8, 3).astype(np.uint8)


@pytest.mark.parametrize("factor", [0.0, 0.25, 0.5, 1.0, 1.5, 1.75, 3.0])
@pytest.mark.parametrize(
    ("adjust", "enhance"),
    [
        (adjust_brightness, ImageEnhance.Brightness),
        (adjust_contrast, ImageEnhance.Contrast),
        (adjust_saturation, ImageEnhance.Color),
    ],
)
def test_adjustment_is_pillows(adjust, enhance, factor):
    picture = picture_of_whole_greys()
    expected = np.asarray(enhance(Image.fromarray(picture)).enhance(factor))
    actual = 255 * np.asarray(
        adjust(jnp.asarray(picture, jnp.float32) / 255, jnp.asarray(factor, jnp.float32))
    )
    # Pillow cuts off what is behind the point; here that is 0, 1/4, 1/2 or 3/4.
    np.testing.assert_array_equal(np.floor(actual + 1e-3), expected)
    np.testing.assert_allclose(4 * actual, np.rint(4 * actual), rtol=0, atol=4e-3)


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0.0, 0.1, 0.37, 0.5])
def test_hue_is_that_of_scikit_image(shift):
    hsv = rgb2hsv(PICTURE)
    expected = hsv2rgb(np.stack([(hsv[..., 0] + shift) % 1, hsv[..., 1], hsv[..., 2]], axis=-1))
    actual = adjust_hue(jnp.asarray(PICTURE, jnp.float32) / 255, jnp.asarray(shift, jnp.float32))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(*[st.integers(0, 255)] * 3),
    st.floats(-0.5, 0.5, width=32),
)
def test_hue_is_turned_in_hsv(colour, shift):
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    expected = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
    picture = jnp.asarray([[colour]], jnp.float32) / 255
    actual = adjust_hue(picture, jnp.asarray(shift, jnp.float32))
    np.testing.assert_allclose(actual[0, 0], expected, rtol=0, atol=2e-5)


def test_contrast_has_a_mean_of_its_own_for_each_picture():
    pictures = jnp.stack([jnp.full((2, 2, 3), 0.2), jnp.full((2, 2, 3), 0.8)])
    np.testing.assert_allclose(adjust_contrast(pictures, jnp.asarray(0.3)), pictures, atol=1e-6)


def test_without_augmentation_the_frames_become_floats():
    batch = draw_batch(3)
    source, driving = augment(jax.random.key(0), batch, AugmentationConfig())
    np.testing.assert_allclose(source, batch.source.astype(np.float32) / 255, atol=1e-7)
    np.testing.assert_allclose(driving, batch.driving.astype(np.float32) / 255, atol=1e-7)


def flips_of(batch, config, seed=0):
    """Count how often pairs were swapped in time, mirrored, or left alone."""
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


def jittered(colours, num_pairs, config):
    """Return a row of pixels as each of the pairs gets it: (num_pairs, w, 3) in [0, 1]."""
    row = np.array(colours, np.uint8)
    batch = Batch(*[np.broadcast_to(row, (num_pairs, 1, *row.shape))] * 2)
    source, _ = augment(jax.random.key(5), batch, config)
    return np.asarray(source, np.float64)[:, 0]


def hue_of(pixels):
    return np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels])


@pytest.mark.parametrize(
    ("name", "extent", "low", "high"),
    [
        ("brightness", 0.1, 0.9, 1.1),
        ("brightness", 1.5, 0.0, 2.5),
        ("contrast", 0.4, 0.6, 1.4),
        ("contrast", 1.2, 0.0, 2.2),
        ("saturation", 0.1, 0.9, 1.1),
        ("saturation", 1.5, 0.0, 2.5),
        ("hue", 0.1, -0.1, 0.1),
        ("hue", 0.5, -0.5, 0.5),
    ],
)
def test_factors_have_torchvisions_distribution(name, extent, low, high):
    # The largest factors clip none of these.
    colours = [[100, 120, 140], [80, 100, 120]]
    actual = jittered(colours, 4000, AugmentationConfig(**{name: extent})) * 255
    factors = {
        "brightness": actual[:, 0, 0] / 100,
        "contrast": (actual[:, 0, 0] - actual[:, 1, 0]) / 20,
        "saturation": (actual[:, 0, 2] - actual[:, 0, 0]) / 40,
        "hue": (hue_of(actual[:, 0]) - hue_of([colours[0]]) + 0.5) % 1 - 0.5,
    }[name]
    assert low - 1e-4 < factors.min()
    assert factors.max() < high + 1e-4
    assert stats.kstest(factors, stats.uniform(low, high - low).cdf).pvalue > 1e-3


JITTER = AugmentationConfig(brightness=0.3, contrast=0.4, saturation=0.5, hue=0.2)
ADJUSTMENTS = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")


def record_adjustments(monkeypatch, num_pairs):
    """Record the factors, and the numbers of the adjustments in their order, each (num_pairs, 4).

    Stand-ins of the adjustments write their factor into a pixel, and their number as a digit into
    another one.
    """

    def writing(number):
        def adjust(pictures, factor):
            digits = 10 * pictures[..., 4, :] + number
            return pictures.at[..., number, :].set(factor).at[..., 4, :].set(digits)

        return adjust

    with monkeypatch.context() as patch:
        for number, name in enumerate(ADJUSTMENTS):
            patch.setattr(augmentation, name, writing(number))
        written = jittered(np.zeros((5, 3)), num_pairs, JITTER)[..., 0]
    orders = [[int(digit) for digit in f"{digits:04.0f}"] for digits in written[:, 4]]
    return written[:, :4], np.array(orders)


def test_all_orders_are_equally_likely(monkeypatch):
    _, orders = record_adjustments(monkeypatch, 4800)
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    for order in orders.tolist():
        counts[tuple(order)] += 1
    assert stats.chisquare([*counts.values()]).pvalue > 1e-3


def test_factors_and_orders_are_independent(monkeypatch):
    factors, orders = record_adjustments(monkeypatch, 4800)
    ranges = [(0.7, 0.6), (0.6, 0.8), (0.5, 1.0), (-0.2, 0.4)]
    for drawn, (low, width) in zip(factors.T, ranges, strict=True):
        assert stats.kstest(drawn, stats.uniform(low, width).cdf).pvalue > 1e-3
        of_orders = [drawn[(orders[:, 0] == first)] for first in range(4)]
        assert stats.kruskal(*of_orders).pvalue > 1e-3
    for one, other in itertools.combinations(factors.T, 2):
        assert stats.spearmanr(one, other).pvalue > 1e-3


def test_a_pair_gets_the_drawn_adjustments_in_the_drawn_order(monkeypatch):
    factors, orders = record_adjustments(monkeypatch, 40)
    row = RANDOM.integers(0, 256, (5, 3))
    actual = jittered(row, 40, JITTER)
    for pair in range(40):
        picture = jnp.asarray(row, jnp.float32)[None] / 255
        for number in orders[pair]:
            adjust = getattr(augmentation, ADJUSTMENTS[number])
            picture = adjust(picture, jnp.asarray(factors[pair, number], jnp.float32))
        np.testing.assert_allclose(actual[pair], picture[0], rtol=0, atol=1e-5)
