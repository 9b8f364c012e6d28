"""Tilted heads are put upright before they are animated, and tilted again after it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.faces import HeadDetector, head_tilt
from fomm_jax.media.framing import cut_frame
from fomm_jax.media.pictures import read_picture
from fomm_jax.rendering import tilt
from fomm_jax.rendering.cropping import choose_faces, choose_framing
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.tilt import UprightHead, put_upright
from fomm_jax.rendering.view import choose_view

PHOTO = Path(__file__).parents[3] / "shared" / "data" / "media" / "source_portrait_720x1280.jpg"
SIZE = 64, 64

needs_photo = pytest.mark.skipif(not PHOTO.exists(), reason="../shared/data is not there")


@pytest.fixture
def photo():
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    return Image.fromarray(read_picture(PHOTO)).crop((0, 0, 720, 720))


@needs_photo
@pytest.mark.parametrize("degrees", [25, -20])
def test_the_tilt_is_that_by_which_a_photo_was_turned(photo, degrees):
    picture = np.asarray(photo.rotate(-degrees, Image.Resampling.BICUBIC))
    (head,) = HeadDetector(120)(picture)
    assert head_tilt(picture, head) == pytest.approx(degrees - 1, abs=3)  # it has -1 by itself


@needs_photo
@pytest.mark.parametrize("choose", ["framing", "faces"])
def test_the_model_sees_the_head_upright(photo, choose):
    upright, tilted = (
        np.asarray(photo.rotate(-degrees, Image.Resampling.BICUBIC)) for degrees in (0, 25)
    )

    def framing_of(picture):
        if choose == "faces":
            return choose_faces("all", picture, SIZE, "a")[0]
        return choose_framing("face", [picture], SIZE, "a")

    framing = framing_of(tilted)
    assert framing.tilt == pytest.approx(24, abs=3)
    assert framing_of(upright).tilt == 0
    seen, expected = (
        cut_frame(picture, framing_of(picture), SIZE).astype(float)[16:48, 16:48].ravel()
        for picture in (tilted, upright)
    )
    assert np.corrcoef(seen, expected)[0, 1] > 0.8
    level = dataclasses.replace(framing, tilt=0.0)
    crooked = cut_frame(tilted, level, SIZE).astype(float)[16:48, 16:48].ravel()
    assert np.corrcoef(crooked, expected)[0, 1] < 0.7


@needs_photo
@pytest.mark.parametrize("paste_back", [True, False])
def test_a_film_shows_the_head_tilted_again(photo, paste_back):
    picture = np.asarray(photo.rotate(-25, Image.Resampling.BICUBIC))
    framing = choose_framing("face", [picture], SIZE, "a")
    frame = cut_frame(picture, framing, SIZE)
    view = choose_view(
        picture, frame, [framing], AnimationOptions(paste_back=paste_back), VisualizeConfig()
    )
    drawn = view.draw([frame], None, np.zeros((1, 2)))
    assert drawn.shape == (view.height, view.width, 3)
    tilts = head_tilt(drawn, HeadDetector(60 if paste_back else 30)(drawn)[0])
    assert tilts == pytest.approx(24, abs=5)


def test_small_tilts_stay(monkeypatch):
    picture = np.zeros((100, 100, 3), np.uint8)
    head = (40.0, 40.0, 60.0, 60.0)
    for degrees in (7.0, -7.0, None):
        monkeypatch.setattr(tilt, "head_tilt", lambda frame, head, degrees=degrees: degrees)
        assert put_upright(picture, head, lambda frame: []) == UprightHead(head, 0.0)


def test_a_head_that_is_not_found_again_stays(monkeypatch):
    picture = np.zeros((100, 100, 3), np.uint8)
    head = (40.0, 40.0, 60.0, 60.0)
    monkeypatch.setattr(tilt, "head_tilt", lambda frame, head: 20.0)
    for found in ([], [(0.0, 0.0, 20.0, 20.0)]):
        assert put_upright(picture, head, lambda frame, found=found: found).tilt == 0
    near = (50.0, 50.0, 72.0, 72.0)
    found_again = put_upright(picture, head, lambda frame: [(0.0, 0.0, 9.0, 9.0), near])
    assert found_again == UprightHead(near, 20.0)
