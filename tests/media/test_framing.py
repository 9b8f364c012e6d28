"""Frames are cut out of the right place and pasted back without moving."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fomm_jax.media.framing import (
    cut_frame,
    cut_shown,
    fit_frame,
    frame_box,
    frame_centre,
    frame_inside,
    shown_size,
)
from fomm_jax.media.pasting import PasteBack

SQUARE = (64, 64)

sides = st.integers(8, 90)


def gradient(height, width):
    """Draw a picture whose red grows with x and whose green with y, by two levels a pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, np.full_like(x, 77)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 64), (50, 80), (90, 33)])
@pytest.mark.parametrize("size", [(64, 64), (32, 48)])
def test_the_centre_is_cropped_to_the_aspect_ratio(shape, size):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    height = min(shape[0], shape[1] * size[0] / size[1])
    width = height * size[1] / size[0]
    top, left = (shape[0] - height) / 2, (shape[1] - width) / 2
    expected = Image.fromarray(picture).resize(
        size[::-1], Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
    )
    np.testing.assert_array_equal(fit_frame(picture, *size), expected)
    np.testing.assert_array_equal(cut_frame(picture, frame_centre(shape, size), size), expected)


def test_a_frame_of_the_right_size_is_left_alone():
    picture = gradient(12, 20)
    assert fit_frame(picture, 12, 20) is picture


def test_a_frame_is_cropped_around_its_centre():
    frame = np.zeros((8, 20, 3), np.uint8)
    frame[:, 6:14] = 200  # the central square
    np.testing.assert_array_equal(fit_frame(frame, 8, 8), np.full((8, 8, 3), 200))
    tall = fit_frame(frame.transpose(1, 0, 2), 4, 4)
    np.testing.assert_array_equal(tall[1:3], np.full((2, 4, 3), 200))
    np.testing.assert_array_equal(tall, tall[::-1])
    assert tall[0].min() > 150  # anti-aliasing lets a little of the surroundings in


def test_shrinking_averages_pixels():
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    reduced = fit_frame(np.stack([checks] * 3, axis=-1), 16, 16)
    assert np.abs(reduced.astype(int) - 127).max() <= 3


def test_enlargement_keeps_the_centre_of_a_ramp():
    ramp = np.tile((np.arange(16) * 10).astype(np.uint8)[None, :, None], (16, 1, 3))
    enlarged = fit_frame(ramp, 32, 32)[0, :, 0]
    expected = np.clip((np.arange(32) + 0.5) / 2 - 0.5, 0, 15) * 10  # pixel centres
    assert np.abs(enlarged - expected).max() <= 1


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.data())
def test_frames_keep_the_aspect_ratio_and_contain_the_box(picture, size, data):
    height, width = picture
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (x, y, data.draw(st.integers(x + 1, width)), data.draw(st.integers(y + 1, height)))
    around, inside = frame_box(box, picture, size), frame_inside(box, picture, size)
    for framing in (around, inside):
        left, top, right, bottom = framing.frame
        assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0])
    assert around.shown == box
    left, top, right, bottom = around.frame
    tolerance = 1e-6
    assert left - tolerance <= box[0] <= box[2] <= right + tolerance
    assert top - tolerance <= box[1] <= box[3] <= bottom + tolerance
    # The frame reaches beyond the picture on both sides or on none.
    assert (left < -tolerance) == (right > width + tolerance)
    assert (top < -tolerance) == (bottom > height + tolerance)
    left, top, right, bottom = inside.frame
    assert min(left, top) >= -tolerance
    assert right <= width + tolerance
    assert bottom <= height + tolerance
    # The frame is as large as necessary, or as the picture permits.
    needed = max((box[2] - box[0]) / size[1], (box[3] - box[1]) / size[0])
    most = min(width / size[1], height / size[0])
    assert (right - left) / size[1] == pytest.approx(min(needed, most))


def test_a_frame_beyond_the_picture_repeats_the_edge():
    picture = gradient(40, 20)
    framing = frame_box((0, 0, 20, 40), (40, 20), (40, 40))
    assert framing.frame == (-10, 0, 30, 40)
    frame = cut_frame(picture, framing, (40, 40))
    np.testing.assert_array_equal(frame, np.pad(picture, ((0, 0), (10, 10), (0, 0)), mode="edge"))
    assert shown_size(framing, (40, 40)) == (40, 20)
    np.testing.assert_array_equal(cut_shown(frame, framing), picture)


def test_a_box_of_another_aspect_ratio_is_shown_alone():
    picture = gradient(100, 100)
    framing = frame_box((30, 40, 70, 60), (100, 100), SQUARE)
    assert framing.frame == (30, 30, 70, 70)
    shown = cut_shown(cut_frame(picture, framing, SQUARE), framing)
    assert shown.shape == (32, 64, 3)
    # Pixel centres: column i of 64 over 40 pixels lies at 30 + (i + 1/2) 40/64 - 1/2.
    x = 30 + (np.arange(64) + 0.5) * 40 / 64 - 0.5
    y = 40 + (np.arange(32) + 0.5) * 20 / 32 - 0.5
    np.testing.assert_allclose(shown[16, 3:-3, 0], 2 * x[3:-3], atol=1.1)
    np.testing.assert_allclose(shown[3:-3, 32, 1], 2 * y[3:-3], atol=1.1)


@pytest.mark.parametrize("box", [(30, 40, 70, 60), (0, 0, 100, 90), (3, 5, 43, 45)])
def test_an_unchanged_frame_is_pasted_where_it_was(box):
    picture = gradient(90, 100)
    framing = frame_box(box, (90, 100), SQUARE)
    pasted = PasteBack(picture, framing)(cut_frame(picture, framing, SQUARE))
    assert np.abs(pasted.astype(int) - picture).max() <= 3  # after resizing to 64 pixels and back
    left, top, right, bottom = box
    outside = np.ones((90, 100), bool)
    outside[top:bottom, left:right] = False
    np.testing.assert_array_equal(pasted[outside], picture[outside])


def test_the_border_is_soft_except_at_the_edge_of_the_picture():
    picture = np.zeros((100, 100, 3), np.uint8)
    white = np.full((*SQUARE, 3), 255, np.uint8)
    framing = frame_box((0, 20, 50, 70), (100, 100), SQUARE)
    row = PasteBack(picture, framing)(white)[45, :, 0].astype(int)
    assert (row[:44] == 255).all()  # to the left edge
    steps = np.diff(row[43:52])
    assert (steps <= 0).all()
    assert steps.min() > -80  # no visible edge
    assert (row[50:] == 0).all()
    column = PasteBack(picture, framing)(white)[:, 20, 0].astype(int)
    assert (column[:20] == 0).all()
    assert 0 < column[20] < 30
    assert (column[26:64] == 255).all()
    assert 0 < column[69] < 30
    np.testing.assert_array_equal(picture, 0)  # it must stay as it is for the next frame
