"""The part of a picture or video that the model sees."""

import importlib.util
import itertools

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from fomm_jax.config.schema import AnimateConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.rendering import cropping, tilt
from fomm_jax.rendering.cropping import choose_framing, spread_frames
from fomm_jax.rendering.options import AnimationOptions

SIZE = (64, 64)
PICTURE = np.zeros((100, 160, 3), np.uint8)


def place_heads(monkeypatch, *heads_of_frames):
    """Install a detector that returns these heads, frame after frame."""
    remaining = iter(heads_of_frames)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "there")
    monkeypatch.setattr(cropping, "HeadDetector", lambda height: lambda frame: next(remaining))
    monkeypatch.setattr(tilt, "head_tilt", lambda frame, head: 0.0)


def test_without_a_detector_it_is_the_middle(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose_framing("auto", [PICTURE], SIZE, "a").frame == (30, 0, 130, 100)
    with pytest.raises(InputError, match=r"^crop=face: faces are found by .*\[evaluation\]"):
        choose_framing("face", [PICTURE], SIZE, "a")


def test_a_head_gets_a_margin_of_a_quarter(monkeypatch):
    place_heads(monkeypatch, [(50, 30, 80, 60)])
    assert choose_framing("auto", [PICTURE], SIZE, "a").frame == (42.5, 22.5, 87.5, 67.5)


def test_a_box_for_all_of_a_video_holds_all_places_of_the_main_head(monkeypatch):
    small, other = (10, 10, 20, 20), (140, 70, 155, 85)
    place_heads(monkeypatch, [small, (50, 30, 80, 60)], [], [(60, 32, 88, 60), other])
    left, top, right, bottom = choose_framing("auto", [PICTURE] * 3, SIZE, "a").frame
    assert (left + right) / 2 == (50 + 88) / 2
    assert (top + bottom) / 2 == (30 + 60) / 2
    assert right - left == bottom - top == 1.5 * 38


def test_a_box_holds_a_head_that_walks_farther_than_the_picture_is_high(monkeypatch):
    places = [(10 + 20 * i, 40, 40 + 20 * i, 70) for i in range(6)]
    place_heads(monkeypatch, *([place] for place in places))
    framing = choose_framing("face", [PICTURE] * 6, SIZE, "a")
    assert framing.frame == (10, -15, 140, 115)  # beyond the picture, above and below
    assert framing.shown == (10, 40, 140, 70)


def test_no_face(monkeypatch, capsys):
    place_heads(monkeypatch, [], [], [], [])
    with pytest.raises(InputError, match=r"^dog\.jpg: no face is found in it"):
        choose_framing("face", [PICTURE], SIZE, "dog.jpg")
    assert choose_framing("auto", [PICTURE], SIZE, "dog.jpg").frame == (30, 0, 130, 100)
    assert capsys.readouterr().err == "dog.jpg: no face is found in it; its middle is taken\n"
    choose_framing("auto", [PICTURE[:, :100]], SIZE, "dog.jpg")  # where nothing is left out
    assert capsys.readouterr().err == ""


def test_boxes_and_the_whole_picture():
    assert choose_framing("none", [PICTURE], SIZE, "a").shown == (0, 0, 160, 100)
    assert choose_framing((10, 20, 30, 40), [PICTURE], SIZE, "a").shown == (10, 20, 40, 60)
    assert choose_framing((150, 20, 30, 40), [PICTURE], SIZE, "a").shown == (150, 20, 160, 60)
    with pytest.raises(InputError, match=r"^a: has 160x100 pixels, none .* the crop 160,20,30,40"):
        choose_framing((160, 20, 30, 40), [PICTURE], SIZE, "a")


def test_no_more_than_the_first_frame_is_read_where_no_face_is_looked_for():
    def frames():
        yield PICTURE
        raise AssertionError

    assert choose_framing("none", frames(), SIZE, "a").shown == (0, 0, 160, 100)


def write_levels(path, count, codec="libx264", options=None):
    """Write a film of 25 frames a second whose levels tell the number of each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        for i in range(count):
            frame = np.full((64, 64, 3), min(255, 2 * i), np.uint8)
            container.mux(stream.encode(VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return str(path)


def spread_numbers(path):
    """Return the numbers of the frames in a film of `write_levels`."""
    return [frame.mean() / 2 for frame in spread_frames(path, probe_video(path))]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.mkv", "mpeg4"),
        ("a.webm", "libvpx"),
    ],
)
def test_frames_are_spread_over_a_video_whatever_its_container(name, codec, tmp_path):
    numbers = spread_numbers(write_levels(tmp_path / name, 50, codec))
    np.testing.assert_allclose(numbers, [0, 7, 14, 21, 28, 35, 42, 49], atol=2)


def test_a_longer_video_is_looked_at_four_times_a_second(tmp_path):
    numbers = spread_numbers(write_levels(tmp_path / "a.mp4", 100))
    assert len(numbers) == 16
    assert np.diff(numbers).max() <= 8
    assert numbers[-1] == pytest.approx(99, abs=1)


def test_frames_of_a_video_that_is_cut_come_from_what_is_whole(tmp_path):
    path = tmp_path / "a.gif"
    with VideoWriter(path, FilmFormat(16, 16, fps=25)) as writer:
        for i in range(50):
            writer.write(np.full((16, 16, 3), 5 * i, np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    levels = [frame.mean() / 5 for frame in spread_frames(str(path), probe_video(path))]
    assert levels[0] == 0
    assert len(levels) == 8
    assert 20 < levels[-1] < 30


def test_a_face_is_found_in_a_photo(shared):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    path = shared / "data" / "media" / "source_portrait_720x1280.jpg"
    left, top, right, bottom = choose_framing("face", [read_picture(path)], SIZE, "a").frame
    assert left < 270 < 440 < right  # cheeks, chin and brow, as seen by eye
    assert top < 200 < 410 < bottom
    assert right - left < 550


def test_only_a_model_of_faces_looks_for_them_unasked():
    options = AnimationOptions(crop_driving="face")
    assert options.for_model(AnimateConfig(crop_faces=True)) == options
    other = options.for_model(AnimateConfig(crop_faces=False))
    assert (other.crop, other.crop_driving) == ("centre", "face")


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("media/F1_face_fade_in_mpeg4.avi", 0, 240),
        ("media/F2_face_right_mpeg4.avi", 299, 461),
        ("passing/F1_face_fade_in_h264.mp4", 0, 240),
        ("passing/F4_face_rotated_phone.mp4", 0, 240),
    ],
)
def test_faces_are_found_wherever_and_whenever_they_appear(name, left, right, shared):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    path = str(shared / "faults" / name)
    box = choose_framing("face", spread_frames(path, probe_video(path)), SIZE, path).frame
    assert (box[0], box[2]) == pytest.approx((left, right), abs=10)


def write_walk(path, face, codec):
    """Write a film of 2 seconds in which a face walks from the left to the right, with its path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 160, 400, "yuv420p"
        stream.bit_rate = 4_000_000
        for i in range(50):
            frame = np.full((160, 400, 3), 120, np.uint8)
            frame[20:140, 5 * i : 5 * i + 120] = face
            container.mux(stream.encode(VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return str(path)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "libx264")])
def test_the_box_follows_a_face_that_walks(name, codec, shared, tmp_path):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    (frame,) = itertools.islice(iterate_frames(shared / "data/faces/test/id19#clip0.mp4"), 1)
    face = np.array(Image.fromarray(frame).resize((120, 120)))
    path = write_walk(tmp_path / name, face, codec)
    left, _, right, _ = choose_framing(
        "face", spread_frames(path, probe_video(path)), SIZE, path
    ).frame
    assert left < 30
    assert right > 335


def test_frames_after_a_damaged_one_are_looked_at(tmp_path):
    path = write_levels(tmp_path / "a.mp4", 100, options={"g": "10", "bf": "0"})
    with av.open(path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][40]
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    (tmp_path / "a.mp4").write_bytes(content)
    numbers = spread_numbers(path)
    assert len(numbers) == 16
    assert numbers[-1] == pytest.approx(99, abs=1)
