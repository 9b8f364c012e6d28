"""What keys change."""

import pytest

from fomm_jax.live.controls import Controls, key_lines, press


def after(*keys):
    controls = Controls()
    for key in keys:
        controls = press(controls, key)
    return controls


def test_keys_change_what_they_say():
    assert after("n", "n", "p").picture == 1
    assert after("p").picture == -1
    assert after("space", "space").calibrations == 2
    assert after("plus").zoom == pytest.approx(1.1)
    assert after("equal", "KP_Subtract").zoom == pytest.approx(1.0)
    assert after("Left", "Down", "Down").shift == pytest.approx((-0.05, 0.1))
    assert after("Right", "Up").shift == pytest.approx((0.05, -0.05))
    assert after("m").is_mirrored
    assert not after("m", "m").is_mirrored
    assert after("o").shows_source
    assert after("f").is_frozen
    assert after("question").shows_help
    assert after("q").has_quit
    assert after("Escape").has_quit
    assert after("x", "Shift_L") == Controls()


def test_zoom_and_shift_have_an_end():
    assert after(*["plus"] * 99).zoom == 4.0
    assert after(*["minus"] * 99).zoom == 0.5
    assert after(*["Left"] * 99).shift == (-1.0, 0.0)


def test_each_key_has_a_line():
    assert [line.split()[0] for line in key_lines()] == (
        ["space", "n", "p", "+", "-", "left", "right", "up", "down", "m", "o", "f", "?", "q"]
    )
