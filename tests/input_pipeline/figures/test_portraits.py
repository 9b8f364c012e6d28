"""Drawn heads: features lie where the pose puts them; looks and motion are independent."""

import dataclasses
import math
from typing import get_args

import numpy as np
import pytest

from input_pipeline.figures.portrait_drawing import draw_portrait, find_landmarks
from input_pipeline.figures.portrait_looks import Beard, HairStyle, Hat, random_looks
from input_pipeline.figures.portrait_motion import HeadPose
from input_pipeline.figures.scenes import random_scene

SIZE = 256
GREY = np.full((SIZE, SIZE, 3), 0.5)
STILL = HeadPose((0.5, 0.5), turn=0, nod=0, tilt=0, gaze=0, closed=0, opened=0, smile=0)
LOOKS = dataclasses.replace(
    random_looks(np.random.default_rng(0)),
    **{"size": 0.3, "iris": (0, 255, 0), "glasses": None, "hat": "none", "eye_distance": 0.33},
    **{"eye_size": 0.16, "shirt": (0, 0, 255), "shirt_stripes": None, "hair_style": "bald"},
)


def draw(**changes):
    return draw_portrait(LOOKS, GREY, dataclasses.replace(STILL, **changes)).astype(int)


def eyes(frame):
    """Return the middles of the two green irises, (x, y) in units of the frame, left one first."""
    green = (frame[..., 1] > 200) & (frame[..., 0] < 60) & (frame[..., 2] < 60)
    rows, columns = np.nonzero(green)
    middle = columns.mean()
    return [
        ((columns[side].mean() + 0.5) / SIZE, (rows[side].mean() + 0.5) / SIZE)
        for side in (columns < middle, columns >= middle)
    ]


def test_eyes_lie_where_turns_and_nods_of_a_round_head_put_them():
    x, y, z, size = 0.33, -0.08, 0.72, 0.3
    still = [(0.5 - size * x, 0.5 + size * y), (0.5 + size * x, 0.5 + size * y)]
    np.testing.assert_allclose(eyes(draw()), still, atol=0.005)
    turned = [0.5 + size * (side * x * math.cos(0.4) + z * math.sin(0.4)) for side in (-1, 1)]
    np.testing.assert_allclose(np.array(eyes(draw(turn=0.4)))[:, 0], turned, atol=0.006)
    nodded = 0.5 + size * (y * math.cos(0.25) + z * math.sin(0.25))
    np.testing.assert_allclose(np.array(eyes(draw(nod=0.25)))[:, 1], nodded, atol=0.006)
    # Tilted about a point one size below the middle, by a right angle.
    tilted = [(0.5 + size * (1 - y), 0.5 + size * (1 + side * x)) for side in (-1, 1)]
    found = sorted(eyes(draw(tilt=math.pi / 2).swapaxes(0, 1)))
    np.testing.assert_allclose(found, [(b, a) for a, b in tilted], atol=0.006)


def test_blinks_talk_and_smiles_change_the_parts_that_they_name():
    frame = draw()
    rows = np.arange(SIZE) / SIZE
    for change, top, bottom in (
        ({"closed": 1.0}, 0.5 - 0.3 * 0.35, 0.5 + 0.3 * 0.15),
        ({"opened": 1.0}, 0.5 + 0.3 * 0.4, 0.5 + 0.3 * 0.9),
        ({"smile": 1.0}, 0.5 + 0.3 * 0.3, 0.5 + 0.3 * 0.7),
    ):
        changed = rows[(draw(**change) != frame).any((1, 2))]
        assert top < changed.min() < changed.max() < bottom, change
    assert not ((draw(closed=1.0)[..., 1] > 200) & (draw(closed=1.0)[..., 0] < 60)).any()


def test_another_heads_motion_changes_the_pose_and_nothing_else():
    one, other = (random_scene(64, 5, number, "portraits") for number in range(2))
    answer = one.moved_as(other)
    np.testing.assert_array_equal(
        answer.frames(4)[1], draw_portrait(one.appearance, one.background, other.motion.at(0.25))
    )
    np.testing.assert_array_equal(one.moved_as(one).frames(3), one.frames(3))


@pytest.mark.parametrize("number", range(8))
def test_heads_move_before_a_still_background(number):
    frames = random_scene(64, 0, number, "portraits").frames(32).astype(float)
    moved = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert moved.min() > 0.1
    assert moved.max() < 0.8 * np.abs(frames - frames[0]).mean((1, 2, 3)).max()
    corners = frames[:, :6, [*range(6), *range(-6, 0)]]
    np.testing.assert_array_equal(corners, np.broadcast_to(corners[0], corners.shape))


def test_calm_heads_keep_their_place_and_blink_for_longer():
    motions = [
        [
            [random_scene(16, 0, number, subject).motion.at(time) for time in np.arange(64) / 64]
            for number in range(20)
        ]
        for subject in ("portraits", "calm_portraits")
    ]

    def way(poses, part):
        return np.ptp([getattr(pose, part) for pose in poses])

    for usual, calm in zip(*motions, strict=True):  # the same random numbers
        for part in ("turn", "nod", "tilt"):
            assert way(calm, part) == pytest.approx(0.15 * way(usual, part))
        for part in ("gaze", "opened", "smile"):
            assert way(calm, part) == way(usual, part)
        assert way(calm, "closed") > 0.8
    closed = [np.mean([[pose.closed > 0 for pose in poses] for poses in kind]) for kind in motions]
    assert closed[1] == pytest.approx(2.5 * closed[0], rel=0.25)


def test_landmarks_are_where_the_features_are_drawn():
    pose = dataclasses.replace(STILL, turn=0.3, nod=-0.1, tilt=0.2)
    landmarks = find_landmarks(LOOKS, pose)
    frame = draw_portrait(LOOKS, GREY, pose).astype(int)
    np.testing.assert_allclose(landmarks[:2], eyes(frame), atol=0.006)
    crown, chin = find_landmarks(LOOKS, STILL)[2:4]
    np.testing.assert_allclose(crown, (0.5, 0.5 - 0.3 * 1.02), atol=1e-12)
    np.testing.assert_allclose(chin, (0.5, 0.8), atol=1e-12)


def test_hair_hats_and_beards_hardly_change_the_outline():
    ground = np.broadcast_to((0.0, 1.0, 0.0), (SIZE, SIZE, 3))  # no part of a head is as green

    def outline(looks, pose):
        return (np.abs(draw_portrait(looks, ground, pose) - [0.0, 255, 0]) > 60).any(-1)

    for number in range(4):
        scene = random_scene(64, 3, number, "portraits")
        looks = dataclasses.replace(
            scene.appearance,
            **{"hair_style": "short", "hair": (90, 60, 30), "hat": "none", "beard": "none"},
            **{"hat_color": (200, 0, 0), "shirt": (0, 0, 200), "shirt_stripes": None},
        )
        for time in (0.0, 0.5):
            pose = scene.motion.at(time)
            plain = outline(looks, pose)
            for field, choices in (("hair_style", HairStyle), ("hat", Hat), ("beard", Beard)):
                for choice in get_args(choices):
                    other = outline(dataclasses.replace(looks, **{field: choice}), pose)
                    assert (other != plain).sum() < 0.05 * plain.sum(), choice
