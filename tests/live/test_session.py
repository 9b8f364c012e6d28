"""A live animation of a picture whose brightness follows the camera's."""

import resource

import numpy as np
import pytest
from brightener import SIZE, Brightener, write_grey
from fake_camera import FakeScreen, grey, patient_camera

from fomm_jax.live.camera_framing import CameraFraming
from fomm_jax.live.controls import Controls
from fomm_jax.live.puppet import Puppet
from fomm_jax.live.session import Stage, perform
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.source import open_source

HALF = 240  # of the picture that is shown, in pixels


@pytest.fixture
def stage(tmp_path):
    """A stage with two pictures, of level 50 and 100."""
    animator = Brightener()
    options = AnimationOptions(crop="centre")
    paths = [write_grey(tmp_path / "a.png", 50), write_grey(tmp_path / "b.png", 100)]
    return Stage(
        sources=[open_source(animator, str(path), options) for path in paths],
        puppet=Puppet(animator, animator.config.animate.normalization, smooth=False),
        framing=CameraFraming((SIZE, SIZE), follow=None),
    )


def play(stage, frames, keys=None, controls=None):
    """Perform in front of a camera that waits for each picture."""
    screen = FakeScreen(keys)
    figures = perform(stage, patient_camera(screen, frames), [screen], controls or Controls())
    assert figures.count == len(screen.pictures)
    assert figures.num_dropped == 0
    return screen


def levels(pictures):
    return [picture[:HALF].mean() for picture in pictures]


def test_the_picture_moves_from_the_neutral_pose(stage):
    screen = play(stage, map(grey, [20, 30, 60, 60, 80]), keys={3: ["space"]})
    # The fourth frame's pose is neutral from then on.
    assert levels(screen.pictures) == [50, 60, 90, 50, 70]
    assert [picture.shape for picture in screen.pictures] == [(480, 480, 3)] * 5
    assert [preview[0, 0, 0] for preview in screen.previews] == [20, 30, 60, 60, 80]


def test_keys_choose_the_picture_and_freeze_it(stage):
    screen = play(stage, map(grey, [20, 20, 20]), keys={1: ["n"], 2: ["n"]})
    assert levels(screen.pictures) == [50, 100, 50]
    frozen = FakeScreen({2: ["f"]})
    frames = map(grey, [20, 20, 20, 20])
    perform(stage, patient_camera(frozen, [next(frames), next(frames)]), [frozen], Controls())
    assert len(frozen.pictures) == 2


def test_q_ends_it(stage):
    screen = FakeScreen({3: ["q"]})

    def endless():
        while True:
            yield grey(20)

    figures = perform(stage, endless(), [screen], Controls())
    assert figures.count == 3


def test_the_camera_can_be_mirrored_zoomed_and_shifted(stage):
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[:, 32:] = 200  # the right half
    middle = play(stage, [frame]).previews[0]
    assert (middle[HALF, 100, 0], middle[HALF, 400, 0]) == (0, 200)
    mirrored = play(stage, [frame], controls=Controls(is_mirrored=True)).previews[0]
    assert (mirrored[HALF, 100, 0], mirrored[HALF, 400, 0]) == (200, 0)
    shifted = play(stage, [frame], controls=Controls(shift=(0.5, 0.0))).previews[0]
    assert (shifted[HALF, 60, 0], shifted[HALF, 400, 0]) == (200, 200)
    # A quarter of the middle's 32 columns is 8. Moved by 2, they begin 2 columns before the border.
    part = Controls(zoom=4.0, shift=(2 / 32, 0.0))
    zoomed = play(stage, [frame], controls=part).previews[0]
    assert (zoomed[HALF, 30, 0] < 20, zoomed[HALF, 240, 0] > 180) == (True, True)


def test_the_source_and_the_keys_are_shown_over_the_preview(stage):
    screen = play(stage, map(grey, [20, 20]), keys={1: ["o"]})
    assert [preview[0, 0, 0] for preview in screen.previews] == [20, 35]
    (helped,) = play(stage, [grey(20)], controls=Controls(shows_help=True)).previews
    assert helped.max() == 255


def test_pictures_are_labelled_in_the_corner(stage):
    (picture,) = play(stage, [grey(20)]).pictures
    assert picture[440:, :100].max() == 255
    assert (picture[:400] == 50).all()
    assert (picture[440:, 240:] == 50).all()


def test_nothing_grows_with_the_length_of_a_run(stage):
    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    class Blind(FakeScreen):
        def show(self, picture, preview, title):
            self.pictures.append(None)

    screen = Blind()
    perform(stage, patient_camera(screen, map(grey, [20] * 50)), [screen], Controls())
    before = memory()
    screen = Blind()
    perform(stage, patient_camera(screen, map(grey, [20] * 500)), [screen], Controls())
    # 400 pictures of 480x480 are 276 MB.
    assert memory() - before < 20
