"""The part of a driving video that goes with a head."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.rendering import following
from fomm_jax.rendering.driving import open_driving
from fomm_jax.rendering.following import follow_head

SIZE = (64, 64)
FACES = Path(__file__).parents[3] / "shared" / "data" / "faces" / "test"
FRAME = np.zeros((400, 600, 3), np.uint8)
FPS = 30.0  # a look at every fifth frame


def head(x, y=200.0, size=60.0):
    """Return the box of a head by its centre and size."""
    return x - size / 2, y - size / 2, x + size / 2, y + size / 2


def place_heads(monkeypatch, *heads_of_looks):
    """Install a detector that returns these heads, look after look."""
    looks = iter(heads_of_looks)
    monkeypatch.setattr(following, "HeadDetector", lambda height: lambda frame: next(looks))


def centre(framing):
    left, top, right, bottom = framing.frame
    return (left + right) / 2, (top + bottom) / 2


def test_the_part_goes_with_a_head_that_walks(monkeypatch):
    looks = [[head(100 + 10 * i), head(500, 100, 30)] for i in range(21)]
    place_heads(monkeypatch, *looks)
    path = follow_head(itertools.repeat(FRAME, 101), FPS, SIZE, "film.mp4")
    for number in (0, 1, 50, 52, 100):
        assert centre(path.framing(number)) == pytest.approx((100 + 2 * number, 200), abs=0.1)
    left, _, right, _ = path.framing(50).frame
    assert right - left == pytest.approx(1.5 * 60)


def test_what_trembles_becomes_steady(monkeypatch):
    noise = np.random.default_rng(0).normal(0, 4, (60, 3))
    looks = [[head(300 + x, 200 + y, 60 + z)] for x, y, z in noise]
    place_heads(monkeypatch, *looks)
    path = follow_head(itertools.repeat(FRAME, 300), FPS, SIZE, "film.mp4")
    frames = np.array([path.framing(number).frame for number in range(300)])
    centres, widths = (frames[:, :2] + frames[:, 2:]) / 2, frames[:, 2] - frames[:, 0]
    assert centres.std(axis=0).max() < 2.5 < noise[:, :2].std(axis=0).min()
    assert widths.std() < 2.5 < 1.5 * noise[:, 2].std()


def test_a_head_that_is_not_seen_moves_evenly(monkeypatch):
    seen = [[head(100)]] * 10 + [[]] * 9 + [[head(150)]] * 10
    place_heads(monkeypatch, [], [], *seen, [])
    path = follow_head(itertools.repeat(FRAME, 160), FPS, SIZE, "film.mp4")
    assert centre(path.framing(0))[0] == pytest.approx(100, abs=0.5)  # as where it is seen first
    assert centre(path.framing(5 * (2 + 14)))[0] == pytest.approx(125, abs=1)
    assert centre(path.framing(159))[0] == pytest.approx(150, abs=0.5)


def test_no_face_is_an_error(monkeypatch):
    place_heads(monkeypatch, [], [])
    with pytest.raises(InputError, match=r"^film\.mp4: no face is found in it"):
        follow_head(itertools.repeat(FRAME, 10), FPS, SIZE, "film.mp4")


@pytest.mark.skipif(not FACES.exists(), reason="the shared films of faces are not here")
def test_a_face_that_walks_stays_in_the_middle(tmp_path):
    pytest.importorskip("dlib", reason="the extra `evaluation` is not installed")
    film = FACES / "id19#clip0.mp4"
    faces = list(itertools.islice(iterate_frames(film), 50))
    with VideoWriter(tmp_path / "walk.mp4", FilmFormat(256, 704, fps=25)) as writer:
        for number, face in enumerate(faces):
            frame = np.full((256, 704, 3), 128, np.uint8)
            frame[:, 9 * number : 9 * number + 256] = face
            writer.write(frame)
    detect = HeadDetector(40)
    driving = open_driving(str(tmp_path / "walk.mp4"), "follow", (128, 128))
    heads = [detect(frame)[0] for frame in itertools.islice(driving.frames(), 0, None, 7)]
    centres = np.array(
        [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in heads]
    )
    assert len(centres) == 8
    assert np.abs(centres - 64).max() < 12  # pixels of 128; it has walked 441 of 704
