"""The drawn data set."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from fomm_jax.errors import InputError
from input_pipeline.figures.drawing import JOINTS, draw_frame, find_joints
from input_pipeline.figures.scenes import Scene, random_scene, write_dataset
from input_pipeline.videos import open_video


def draw(output, *options):
    command = [
        sys.executable,
        "-m",
        "input_pipeline.figures.scenes",
        f"--output={output}",
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_command_draws_a_data_set_and_says_where(tmp_path):
    options = ("--videos=6", "--frames=5", "--size=32")
    drawn = draw(tmp_path / "data", *options)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.splitlines()[-1] == f"drew 6 videos into {tmp_path / 'data'}"
    videos = {path.name: path for path in (tmp_path / "data").glob("*/*")}
    assert sorted(videos) == [f"{number:04}.png" for number in range(6)]
    assert sorted(path.name for path in (tmp_path / "data/test").iterdir()) == [
        "0000.png",
        "0001.png",
    ]
    video = open_video(videos["0003.png"], (32, 32, 3))
    assert len(video) == 5
    np.testing.assert_array_equal(np.stack(list(video)), random_scene(32, 0, 3).frames(5))
    again = draw(tmp_path / "data", *options)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].endswith(
        "exists already; remove it or name another folder"
    )
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", range(8))
def test_figures_move_smoothly_over_a_still_background(number):
    size, num_frames = 64, 32
    frames = random_scene(size, 0, number).frames(num_frames).astype(float)
    moved = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    from_first = np.abs(frames - frames[0]).mean((1, 2, 3))
    assert moved.min() > 0.2
    assert moved.max() < 0.8 * from_first.max()
    # The background shows on the rim, where at most a hand comes.
    rim = np.ones((size, size), bool)
    rim[2:-2, 2:-2] = False
    changed = (frames != frames[0]).any((0, 3))
    assert changed[rim].mean() < 0.15
    assert 0.05 < changed.mean() < 0.7


@pytest.mark.parametrize("number", range(4))
def test_joints_lie_in_the_parts_that_they_join(number):
    """Paint each part in a colour of its own, and look at what is there."""
    size, scene = 128, random_scene(128, 3, number)
    colors = dict(zip(("body", "head", "arms", "legs"), np.eye(4)[:, :3], strict=True))

    def coat(part, name):
        return dataclasses.replace(part, pattern=0, color=colors[name])

    looks = scene.appearance
    looks = dataclasses.replace(
        looks,
        body=coat(looks.body, "body"),
        head=coat(looks.head, "head"),
        arms=tuple(coat(arm, "arms") for arm in looks.arms),
        legs=tuple(coat(leg, "legs") for leg in looks.legs),
    )
    for time in (0.0, 0.3, 0.7):
        pose = scene.motion.at(time)
        frame = draw_frame(looks, np.full((size, size, 3), 0.5), pose)
        places = dict(zip(JOINTS, find_joints(looks, pose), strict=True))
        for joint, part in {
            "head": "head",
            **{
                f"{side} {joint}": "arms"
                for side in ("left", "right")
                for joint in ("elbow", "hand")
            },
            "left foot": "legs",
            "right foot": "legs",
        }.items():
            x, y = np.floor(places[joint] * size).astype(int)
            seen = frame[y, x] / 255
            # The arms, drawn after it, may hide all but themselves, and the head hides everything.
            hiding = {"head": [], "arms": ["head"], "legs": ["body", "arms", "head"]}[part]
            assert any(np.allclose(seen, colors[name]) for name in [part, *hiding]), joint


def test_another_figures_motion_changes_the_pose_and_nothing_else():
    figure, mover = (random_scene(64, 0, number) for number in range(2))
    answer = Scene(figure.appearance, figure.background, mover.motion)
    pose = mover.motion.at(0.25)
    np.testing.assert_array_equal(
        answer.frames(4)[1], draw_frame(figure.appearance, figure.background, pose)
    )
    # The figures' bodies differ; the angles are the mover's.
    ours, theirs = (find_joints(scene.appearance, pose) for scene in (figure, mover))
    assert np.abs(ours - theirs).max() > 0.01
    for start, end in (("hip", "neck"), ("left elbow", "left hand"), ("right thigh", "right knee")):
        lines = [
            joints[JOINTS.index(end)] - joints[JOINTS.index(start)] for joints in (ours, theirs)
        ]
        angles = [np.arctan2(*line) for line in lines]
        assert angles[0] == pytest.approx(angles[1])
    own = Scene(figure.appearance, figure.background, figure.motion)
    np.testing.assert_array_equal(own.frames(3), figure.frames(3))


def test_nothing_is_left_of_a_data_set_that_cannot_be_written(tmp_path, monkeypatch):
    def fail(*_):
        raise InputError("disk full")

    monkeypatch.setattr("input_pipeline.figures.scenes.write_picture", fail)
    with pytest.raises(InputError, match="disk full"):
        write_dataset(tmp_path / "data", size=32, num_videos=2, num_frames=2, seed=0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--output: .*file/data cannot be written"):
        write_dataset(tmp_path / "file" / "data", size=32, num_videos=2, num_frames=2, seed=0)


@pytest.mark.parametrize("option", ["size", "num_videos", "num_frames", "seed"])
def test_numbers_that_are_too_small_are_refused(tmp_path, option):
    numbers = {"size": 32, "num_videos": 2, "num_frames": 2, "seed": 0} | {option: -1}
    with pytest.raises(InputError, match=f"--{option.removeprefix('num_')} is -1"):
        write_dataset(tmp_path / "data", **numbers)
