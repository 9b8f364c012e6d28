"""Following heads, on boxes that are given."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from input_pipeline.face_tracks import Look, Track, follow, square_box

LEFT, RIGHT = (0, 0, 100, 100), (300, 0, 400, 100)
MIN_IOU, MAX_LOST = 0.25, 12


def tracks(looks, num_frames):
    found = follow(looks, num_frames, MIN_IOU, MAX_LOST)
    return sorted(found, key=lambda track: (track.start, track.box))


def moved(box, x):
    return (box[0] + x, box[1], box[2] + x, box[3])


def test_two_heads_are_two_tracks_with_boxes_round_all_their_places():
    looks = [Look(5 * i, [moved(LEFT, 4 * i), RIGHT]) for i in range(6)]
    assert tracks(looks, 30) == [Track(0, 30, (0, 0, 120, 100)), Track(0, 30, RIGHT)]


def test_a_head_that_was_lost_for_long_begins_a_new_track():
    seen = {0, 5, 10, 40, 45}
    looks = [Look(i, [LEFT] if i in seen else []) for i in range(0, 50, 5)]
    assert tracks(looks, 50) == [Track(0, 11, LEFT), Track(40, 50, LEFT)]


def test_a_head_that_was_missed_once_stays_on_its_track():
    looks = [Look(i, [] if i == 10 else [LEFT]) for i in range(0, 30, 5)]
    assert tracks(looks, 30) == [Track(0, 30, LEFT)]


def test_a_head_that_left_its_place_begins_a_new_track():
    looks = [Look(5 * i, [moved(LEFT, 20 * i)]) for i in range(8)]
    found = tracks(looks, 40)
    assert len(found) > 1
    assert all(track.box[2] - track.box[0] <= 160 for track in found)
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))


def test_a_cut_ends_all_tracks():
    looks = [Look(0, [LEFT]), Look(5, [LEFT]), Look(8, [LEFT], is_cut=True), Look(10, [LEFT])]
    assert tracks(looks, 15) == [Track(0, 8, LEFT), Track(8, 15, LEFT)]


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
