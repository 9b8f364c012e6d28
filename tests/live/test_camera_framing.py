"""The part of the camera's frame follows a head smoothly."""

import types

import numpy as np
import pytest

from fomm_jax.live import camera_framing
from fomm_jax.live.camera_framing import CameraFraming, HeadFollower
from fomm_jax.live.controls import Controls

SIZE = (64, 64)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it; heads are where a frame is white."""

    class Detector:
        def __init__(self, min_height):
            assert min_height == 20  # a sixth of the frame's height

        def __call__(self, frame):
            rows, columns = np.nonzero(frame[..., 0] == 255)
            if not len(rows):
                return []
            return [(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]

    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(camera_framing, "HeadDetector", Detector)
    monkeypatch.setattr(camera_framing.time, "monotonic", lambda: clock.now)
    return clock


def frame_with_head(left):
    frame = np.zeros((120, 400, 3), np.uint8)
    frame[40:80, left : left + 40] = 255
    return frame


def middle(framing):
    return (framing.frame[0] + framing.frame[2]) / 2


def test_the_part_approaches_the_head(clock):
    follow = HeadFollower(SIZE)
    choose = CameraFraming(SIZE, follow)
    first = choose(frame_with_head(100), Controls())
    # The head of 40 pixels with a margin of a quarter on each side.
    assert first.frame == pytest.approx((90, 30, 150, 90))
    follow._thread.join()
    choose(frame_with_head(200), Controls())  # the detector sees it after this call
    follow._thread.join()
    clock.now += 0.5
    moved = choose(frame_with_head(200), Controls())
    assert middle(moved) == pytest.approx(120 + 100 * (1 - np.exp(-1)))
    clock.now += 60
    assert middle(choose(frame_with_head(200), Controls())) == pytest.approx(220)


def test_a_head_that_is_lost_leaves_the_part_where_it_is(clock):
    follow = HeadFollower(SIZE)
    choose = CameraFraming(SIZE, follow)
    choose(frame_with_head(100), Controls())
    for _ in range(2):
        follow._thread.join()
        clock.now += 10
        assert middle(choose(np.zeros((120, 400, 3), np.uint8), Controls())) == pytest.approx(120)


def test_without_a_head_the_middle_is_taken_until_one_comes(clock):
    follow = HeadFollower(SIZE)
    choose = CameraFraming(SIZE, follow)
    black = np.zeros((120, 400, 3), np.uint8)
    assert choose(black, Controls()).frame == pytest.approx((140, 0, 260, 120))
    follow._thread.join()
    choose(frame_with_head(100), Controls())
    follow._thread.join()
    assert middle(choose(frame_with_head(100), Controls())) == pytest.approx(120)


def test_zoom_and_shift_are_of_the_part(clock):
    choose = CameraFraming(SIZE, follow=None)
    black = np.zeros((120, 400, 3), np.uint8)
    changed = choose(black, Controls(zoom=2.0, shift=(0.5, -0.25)))
    assert changed.frame == pytest.approx((230, 0, 290, 60))
