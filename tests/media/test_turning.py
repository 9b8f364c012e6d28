"""Pictures are turned about their centre, and parts that were put upright are tilted again."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fomm_jax.media.framing import cut_frame, frame_box
from fomm_jax.media.pasting import PasteBack
from fomm_jax.media.turning import turn, turn_back, turned_point, turned_size

SHAPE = 90, 120


def smooth_picture(height=90, width=120):
    """Draw a picture without sharp edges, which turning hardly changes."""
    y, x = np.mgrid[:height, :width] / 20
    colours = [np.sin(x), np.cos(y), np.sin(x + y)]
    return np.round(127 + 100 * np.stack(colours, axis=-1)).astype(np.uint8)


@given(degrees=st.floats(-80, 80), height=st.integers(8, 60), width=st.integers(8, 60))
@settings(max_examples=30, deadline=None)
def test_a_turned_picture_holds_all_of_it(degrees, height, width):
    picture = smooth_picture(height, width)
    turned = turn(picture, degrees)
    assert turned.shape == (*turned_size(height, width, degrees), 3)
    back = turn_back(turned, degrees, height, width)
    difference = np.abs(back.astype(int) - picture)[2:-2, 2:-2]
    assert difference.max(initial=0) <= 12


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_quarters_of_a_turn_are_exact(degrees):
    picture = smooth_picture()
    np.testing.assert_array_equal(turn(picture, degrees), np.rot90(picture, degrees // 90))


def test_a_point_goes_where_the_picture_shows_it():
    picture = np.zeros((*SHAPE, 3), np.uint8)
    picture[20:23, 90:93] = 255  # about (91.5, 21.5)
    turned = turn(picture, 30)[..., 0].astype(float)
    y, x = np.mgrid[: turned.shape[0], : turned.shape[1]] + 0.5
    seen = [np.average(axis, weights=turned) for axis in (x, y)]
    expected = turned_point((91.5, 21.5), 30, SHAPE, turned.shape)
    np.testing.assert_allclose(seen, expected, atol=0.1)
    # Counter-clockwise: what was on the right comes up.
    assert turned_point((120, 45), 30, SHAPE, SHAPE)[1] == pytest.approx(45 - 60 * 0.5)


@pytest.mark.parametrize("tilt", [25, -40])
def test_a_part_that_is_not_changed_comes_back_to_its_place(tilt):
    picture = smooth_picture()
    upright = turned_size(*SHAPE, tilt)
    middle = upright[1] / 2, upright[0] / 2
    box = middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20
    framing = dataclasses.replace(frame_box(box, upright, (40, 40)), tilt=tilt)
    frame = cut_frame(picture, framing, (40, 40))
    pasted = PasteBack(picture, framing)(frame)
    assert np.abs(pasted.astype(int) - picture).max() <= 8
    # Only the tilted square changes, and its middle wholly.
    white = PasteBack(picture, framing)(np.full_like(frame, 255))
    assert white[40:50, 55:65].min() >= 254
    square = Image.new("L", (40, 40), 255).rotate(-tilt, expand=True)
    changed = (white != picture).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[-1] - rows[0] + 1 == pytest.approx(square.height, abs=4)
    assert columns[-1] - columns[0] + 1 == pytest.approx(square.width, abs=4)
    assert changed.mean() < 0.5


def test_nothing_is_turned_by_no_angle():
    picture = smooth_picture()
    assert turn(picture, 0) is picture
    assert turn_back(picture, 0, *SHAPE) is picture
