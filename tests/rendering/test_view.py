"""The frames of a film: the animation alone, in the whole picture, or beside its inputs."""

import numpy as np
import pytest

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.framing import cut_frame, frame_box
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.view import choose_view

PICTURE = np.random.default_rng(0).integers(0, 100, (90, 60, 3), dtype=np.uint8)
FRAMING = frame_box((10, 20, 50, 40), (90, 60), (32, 32))
FRAME = cut_frame(PICTURE, FRAMING, (32, 32))
WHITE = np.full((32, 32, 3), 255, np.uint8)
DRIVING = np.full((32, 32, 3), 51, np.uint8)
CENTRE = np.zeros((1, 2))


def draw(driving=DRIVING, **options):
    view = choose_view(
        PICTURE, FRAME, [FRAMING], AnimationOptions(**options), VisualizeConfig(kp_size=3)
    )
    drawn = view.draw([WHITE], driving, CENTRE)
    assert drawn.shape == (view.height, view.width, 3)
    assert drawn.dtype == np.uint8
    assert view.shows_driving == options.get("side_by_side", False)
    return drawn


def test_the_animation_alone_has_the_shape_of_the_crop():
    assert draw().shape == (16, 32, 3)
    assert draw().min() == 255


def test_pasted_back_everything_else_is_the_source():
    drawn = draw(paste_back=True)
    np.testing.assert_array_equal(drawn[:20], PICTURE[:20])
    np.testing.assert_array_equal(drawn[40:], PICTURE[40:])
    assert drawn[28:32, 25:35].min() == 255


def test_side_by_side():
    left, _, middle, _, right = np.split(draw(side_by_side=True), [32, 36, 68, 72], axis=1)
    np.testing.assert_array_equal(left, FRAME)
    np.testing.assert_array_equal(right, WHITE)
    assert middle[16, 16] == pytest.approx((255, 0, 40), abs=1)  # the first colour of gist_rainbow
    assert (middle == 51).all(axis=-1).sum() == pytest.approx(32 * 32 - np.pi * 9, abs=5)
    black = draw(driving=None, side_by_side=True)[:, 36:68]
    np.testing.assert_array_equal(black, np.where(middle == 51, 0, middle))
