"""Several faces of one picture, each animated in its place."""

from pathlib import Path

import numpy as np
import pytest
from brightener import animate, write_levels

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.rendering import cropping, tilt
from fomm_jax.rendering.cropping import choose_faces
from fomm_jax.rendering.options import AnimationOptions

FACES = Path(__file__).parents[3] / "shared" / "data" / "faces" / "test"
# A group of three, whose heads are found in this order. With a margin they are 30 pixels wide.
HEADS = [(100, 20, 120, 40), (20, 20, 40, 40), (180, 25, 200, 45)]
MIDDLES = [(30, 30), (30, 110), (35, 190)]  # of the heads from left to right: row and column


@pytest.fixture
def group(tmp_path, monkeypatch):
    """The path of a grey picture in which a detector finds three heads."""
    monkeypatch.setattr(cropping, "HeadDetector", lambda height: lambda frame: list(HEADS))
    monkeypatch.setattr(tilt, "head_tilt", lambda frame, head: None)
    write_picture(tmp_path / "group.png", np.full((60, 220, 3), 100, np.uint8))
    return tmp_path / "group.png"


def frames_of(film):
    return np.stack([*iterate_frames(film)]).astype(int)


def at_middles(frame):
    return [int(frame[row, column].mean()) for row, column in MIDDLES]


def test_all_faces_move_and_the_rest_stands(tmp_path, group):
    film = write_levels(tmp_path / "a.mp4", [50, 50, 90])
    (output,) = animate([group], [film], tmp_path / "out.mp4", AnimationOptions(faces="all"))
    first, _, last = frames_of(output)
    assert first.shape == (60, 220, 3)
    np.testing.assert_allclose(at_middles(first), 100, atol=3)
    np.testing.assert_allclose(at_middles(last), 140, atol=3)
    np.testing.assert_allclose(last[:, 60:80], 100, atol=3)
    np.testing.assert_allclose(last[:10], 100, atol=3)


@pytest.mark.parametrize(
    ("faces", "moved"), [("largest", [140, 100, 100]), ((3, 1), [140, 100, 140])]
)
def test_some_faces_move(tmp_path, group, monkeypatch, faces, moved):
    heads = [(100, 20, 120, 40), (18, 18, 42, 42), (180, 25, 200, 45)]
    monkeypatch.setattr(cropping, "HeadDetector", lambda height: lambda frame: heads)
    film = write_levels(tmp_path / "a.mp4", [50, 90])
    (output,) = animate([group], [film], tmp_path / "out.mp4", AnimationOptions(faces=faces))
    np.testing.assert_allclose(at_middles(frames_of(output)[-1]), moved, atol=3)


@pytest.mark.parametrize("best_frame", [None, 0])  # with 0, all keypoints are detected first
def test_each_face_has_a_video_of_its_own(tmp_path, group, best_frame):
    films = [
        write_levels(tmp_path / f"{level}.mp4", [50, 50 + level, *more])
        for level, more in ((10, [50]), (20, []), (30, [50, 50]))
    ]
    options = AnimationOptions(faces="all", best_frame=best_frame)
    (output,) = animate([group], films, tmp_path / "out.mp4", options)
    frames = frames_of(output)
    assert len(frames) == 2  # as long as the shortest
    np.testing.assert_allclose(at_middles(frames[1]), [110, 120, 130], atol=3)
    with pytest.raises(InputError, match=r"number of faces to animate: 3; .* for each, got 2$"):
        animate([group], films[:2], tmp_path / "other.mp4", options)


def test_what_cannot_be_animated_is_refused(tmp_path, group, monkeypatch):
    film = write_levels(tmp_path / "a.mp4", [50])
    for options, message in (
        (AnimationOptions(faces=(1, 4)), r"group\.png: number of faces that are found: 3; expec"),
        (AnimationOptions(faces="all", crop="face"), "^faces, crop: expected one of them"),
        (AnimationOptions(faces="all", side_by_side=True), "^faces, side_by_side: expected one"),
    ):
        with pytest.raises(InputError, match=message):
            animate([group], [film], tmp_path / "out.mp4", options)
    monkeypatch.setattr(cropping, "HeadDetector", lambda height: lambda frame: [])
    with pytest.raises(InputError, match="no face is found in it; expected some to animate"):
        animate([group], [film], tmp_path / "out.mp4", AnimationOptions(faces="all"))


@pytest.mark.skipif(not FACES.exists(), reason="the shared films of faces are not here")
def test_two_real_faces_are_found_from_left_to_right(tmp_path):
    pytest.importorskip("dlib", reason="the extra `evaluation` is not installed")
    one, two = (next(iterate_frames(FACES / f"id{i}#clip0.mp4")) for i in (19, 20))
    picture = np.full((300, 700, 3), 128, np.uint8)
    picture[20:276, 30:286], picture[40:296, 400:656] = one, two
    frames = [framing.frame for framing in choose_faces("all", picture, (64, 64), "two.png")]
    middles = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in frames]
    np.testing.assert_allclose(middles, [(158, 148), (528, 168)], atol=40)
