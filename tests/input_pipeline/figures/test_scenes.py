"""The drawn dataset: the command, the motion of the figures, and their joints."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from fomm_jax.errors import InputError
from input_pipeline.figures import __main__ as command
from input_pipeline.figures.drawing import JOINTS, draw_frame, find_joints
from input_pipeline.figures.scenes import random_scene, write_dataset
from input_pipeline.videos import open_video


def draw(output, *options):
    command = [sys.executable, "-m", "input_pipeline.figures", f"--output={output}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_command_draws_a_dataset_and_says_where(tmp_path):
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
    # The rim shows the background; at most a hand reaches it.
    rim = np.ones((size, size), bool)
    rim[2:-2, 2:-2] = False
    changed = (frames != frames[0]).any((0, 3))
    assert changed[rim].mean() < 0.15
    assert 0.05 < changed.mean() < 0.7


@pytest.mark.parametrize("number", range(4))
def test_joints_lie_in_the_parts_that_they_join(number):
    """Paint each part in a colour of its own, and check the colour at each joint."""
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
            color = frame[y, x] / 255
            # Arms are drawn after the legs and the body and may hide them; the head may hide all.
            hiding = {"head": [], "arms": ["head"], "legs": ["body", "arms", "head"]}[part]
            assert any(np.allclose(color, colors[name]) for name in [part, *hiding]), joint


def test_another_figures_motion_changes_the_pose_and_nothing_else():
    figure, mover = (random_scene(64, 0, number) for number in range(2))
    answer = figure.moved_as(mover)
    pose = mover.motion.at(0.25)
    np.testing.assert_array_equal(
        answer.frames(4)[1], draw_frame(figure.appearance, figure.background, pose)
    )
    # The bodies of the two figures differ, but their angles are equal.
    joints_of_both = [find_joints(scene.appearance, pose) for scene in (figure, mover)]
    assert np.abs(joints_of_both[0] - joints_of_both[1]).max() > 0.01
    for start, end in (("hip", "neck"), ("left elbow", "left hand"), ("right thigh", "right knee")):
        lines = [
            joints[JOINTS.index(end)] - joints[JOINTS.index(start)] for joints in joints_of_both
        ]
        angles = [np.arctan2(*line) for line in lines]
        assert angles[0] == pytest.approx(angles[1])
    own = figure.moved_as(figure)
    np.testing.assert_array_equal(own.frames(3), figure.frames(3))


def test_nothing_is_left_of_a_dataset_that_cannot_be_written(tmp_path, monkeypatch):
    def fail(*_):
        raise InputError("disk full")

    monkeypatch.setattr("input_pipeline.figures.scenes.write_picture", fail)
    with pytest.raises(InputError, match="disk full"):
        write_dataset(tmp_path / "data", size=32, num_videos=2, num_frames=2, seed=0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/data: cannot be written"):
        write_dataset(tmp_path / "file" / "data", size=32, num_videos=2, num_frames=2, seed=0)


@pytest.mark.parametrize("argument", ["size", "num_videos", "num_frames", "seed"])
def test_numbers_that_are_too_small_are_refused(tmp_path, argument, monkeypatch, capsys):
    numbers = {"size": 32, "num_videos": 2, "num_frames": 2, "seed": 0} | {argument: -1}
    with pytest.raises(InputError, match=f"^{argument} is -1; expected at least"):
        write_dataset(tmp_path / "data", **numbers)
    flag = f"--{argument.removeprefix('num_')}"
    monkeypatch.setattr(sys, "argv", ["figures", f"--output={tmp_path / 'data'}", f"{flag}=-1"])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == 2
    assert f"{flag} is -1; expected at least" in capsys.readouterr().err


def test_the_command_reads_paths_as_all_commands_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    numbers = "--size=16", "--videos=2", "--frames=2"
    monkeypatch.setattr(sys, "argv", ["figures", "--output=~/link", *numbers])
    command.main()
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path / "target")) == ["test", "train"]
    monkeypatch.setattr(sys, "argv", ["figures", "--output=gs://bucket/a", *numbers])
    with pytest.raises(SystemExit, match=r"^2$"):
        command.main()
    assert "--output: is an address, which is not fetched" in capsys.readouterr().err
