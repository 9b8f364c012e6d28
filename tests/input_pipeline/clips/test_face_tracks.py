"""Tracks of heads: on given boxes, and on films."""

import importlib.util
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fomm_jax.errors import InputError
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.clips.face_tracks import (
    Detection,
    Track,
    TrackSettings,
    detect_heads,
    face_clips,
    follow_heads,
    square_box,
)
from input_pipeline.videos import open_video

LEFT, RIGHT = (0, 0, 100, 100), (300, 0, 400, 100)
MIN_IOU, MAX_GAP = 0.25, 12


def sorted_tracks(detections, num_frames):
    tracks = follow_heads(detections, num_frames, MIN_IOU, MAX_GAP)
    return sorted(tracks, key=lambda track: (track.start, track.box))


def moved(box, x):
    return (box[0] + x, box[1], box[2] + x, box[3])


def test_two_heads_are_two_tracks_with_boxes_around_all_their_places():
    detections = [Detection(5 * i, [moved(LEFT, 4 * i), RIGHT]) for i in range(6)]
    assert sorted_tracks(detections, 30) == [Track(0, 30, (0, 0, 120, 100)), Track(0, 30, RIGHT)]


def test_a_head_that_was_lost_for_long_begins_a_new_track():
    visible = {0, 5, 10, 40, 45}
    detections = [Detection(i, [LEFT] if i in visible else []) for i in range(0, 50, 5)]
    assert sorted_tracks(detections, 50) == [Track(0, 11, LEFT), Track(40, 50, LEFT)]


def test_a_head_that_was_missed_once_stays_on_its_track():
    detections = [Detection(i, [] if i == 10 else [LEFT]) for i in range(0, 30, 5)]
    assert sorted_tracks(detections, 30) == [Track(0, 30, LEFT)]


def test_a_head_that_left_its_place_begins_a_new_track():
    detections = [Detection(5 * i, [moved(LEFT, 20 * i)]) for i in range(8)]
    tracks = sorted_tracks(detections, 40)
    assert len(tracks) > 1
    assert all(track.box[2] - track.box[0] <= 160 for track in tracks)
    assert all(before.end <= after.start for before, after in itertools.pairwise(tracks))


def test_a_cut_ends_all_tracks():
    detections = [
        Detection(0, [LEFT]),
        Detection(5, [LEFT]),
        Detection(8, [LEFT], is_cut=True),
        Detection(10, [LEFT]),
    ]
    assert sorted_tracks(detections, 15) == [Track(0, 8, LEFT), Track(8, 15, LEFT)]


@given(
    left=st.floats(-50, 600),
    top=st.floats(-50, 400),
    width=st.floats(2, 700),
    height=st.floats(2, 500),
    increase=st.floats(0, 0.5),
)
def test_squares_lie_in_the_frame(left, top, width, height, increase):
    box = square_box((left, top, left + width, top + height), 480, 640, increase)
    assert box[2] - box[0] == box[3] - box[1] <= 480
    assert 0 <= box[0] < box[2] <= 640
    assert 0 <= box[1] < box[3] <= 480


@pytest.mark.parametrize("increase", [0.0, 0.1])
def test_a_square_is_about_the_same_centre(increase):
    box = square_box((200, 100, 300, 200), 480, 640, increase)
    margin = 100 * increase
    assert box == (200 - margin, 100 - margin, 300 + margin, 200 + margin)


boxes = st.tuples(*[st.floats(0, 200)] * 2, *[st.floats(10, 150)] * 2).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@given(st.lists(st.tuples(st.lists(boxes, max_size=3), st.booleans()), max_size=12))
def test_every_head_is_in_a_track_and_no_track_goes_over_a_cut(heads_and_cuts):
    detections = [
        Detection(5 * i, heads, is_cut and i > 0)
        for i, (heads, is_cut) in enumerate(heads_and_cuts)
    ]
    tracks = sorted_tracks(detections, 5 * len(detections))
    cuts = [detection.frame for detection in detections if detection.is_cut]
    for track in tracks:
        assert 0 <= track.start < track.end <= 5 * len(detections)
        assert not any(track.start < cut < track.end for cut in cuts)
    for detection in detections:
        for head in detection.heads:
            assert any(
                track.start <= detection.frame < track.end
                and all(track.box[i] <= head[i] and head[i + 2] <= track.box[i + 2] for i in (0, 1))
                for track in tracks
            )


def test_every_scene_begins_with_a_detection_and_motion_begins_no_scene(tmp_path):
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((16, 16, 1))) for _ in range(2)]
    with VideoWriter(tmp_path / "a.mp4", FilmFormat(128, 128, fps=25)) as writer:
        for number in range(20):
            scene = scenes[number >= 13].astype(np.uint8)
            writer.write(np.roll(scene, number, axis=1))
    video = open_video(tmp_path / "a.mp4", None)
    detections = [*detect_heads(video, lambda frame: [], 5)]
    assert [(detection.frame, detection.is_cut) for detection in detections] == [
        (0, False),
        (5, False),
        (10, False),
        (13, True),
        (15, False),
    ]


def test_missing_dlib_is_reported_in_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^faces are found by .*`pip install fomm_jax\[eval"):
        HeadDetector(100)


@pytest.fixture
def data(shared):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    return shared / "data"


@pytest.mark.parametrize("name", ["test/id19#clip0.mp4", "train/id0#clip0.mp4"])
def test_a_speaker_is_one_clip_of_the_whole_film(data, name):
    path = data / "faces" / name
    (clip,) = face_clips(path, TrackSettings())
    video = open_video(path, None)
    assert (clip.start, clip.end) == (0, len(video) / video.fps)
    assert clip.name == f"{path.stem}#0000.mp4"
    assert face_clips(path, TrackSettings(min_seconds=video.fps * len(video))) == []
    assert face_clips(path, TrackSettings(min_size=257)) == []


def test_a_small_moving_head_is_framed_as_a_whole(data):
    """Check the box against the eyes and the chin, read off the first frame of the film."""
    clip = face_clips(data / "media" / "clip_720x1364_30fps_audio.mp4", TrackSettings())[0]
    left, top, right, bottom = np.array(clip.box) * (720, 1364, 720, 1364)
    assert right - left == pytest.approx(bottom - top)
    assert 350 < right - left < 600  # her head is about 290 pixels high, and moves
    assert left < 300 < 530 < right
    assert top < 290 < 560 < bottom


def test_two_people_side_by_side_are_two_clips(data, tmp_path):
    """Show two films side by side; between seconds 3 and 4 of 5 a grey wall covers one of them."""
    names = ("id19#clip0.mp4", "id20#clip0.mp4")
    pair = [open_video(data / "faces" / "test" / name, None) for name in names]
    with VideoWriter(tmp_path / "two.mp4", FilmFormat(256, 512, fps=25)) as writer:
        for number, (one, two) in enumerate(zip(*pair, strict=True)):
            pictures = np.concatenate([one, two], axis=1)
            pictures[256 - min(max(number - 75, 0) * 10, 256) :, 256:] = 90
            writer.write(pictures)
    clips = face_clips(tmp_path / "two.mp4", TrackSettings())
    assert [clip.name for clip in clips] == ["two#0000.mp4", "two#0001.mp4"]
    first, second = sorted(clips, key=lambda clip: clip.end, reverse=True)
    assert (first.start, first.end) == (0, 5)
    assert second.start == 0
    assert 3 < second.end < 4
    assert first.box[0] + first.box[2] < 1 < second.box[0] + second.box[2]
