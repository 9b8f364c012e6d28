"""The drawn data set."""

import subprocess
import sys

import numpy as np
import pytest

from fomm_jax.errors import InputError
from input_pipeline.figures import draw_video, write_dataset
from input_pipeline.sources import open_video


def draw(output, *options):
    command = [sys.executable, "-m", "input_pipeline.figures", f"--output={output}", *options]
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
    expected = draw_video(32, 5, np.random.default_rng([0, 3]))
    np.testing.assert_array_equal(np.concatenate(list(video), axis=1), expected)
    again = draw(tmp_path / "data", *options)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].endswith(
        "exists already; remove it or name another folder"
    )
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", range(8))
def test_figures_move_smoothly_over_a_still_background(number):
    size, num_frames = 64, 32
    picture = draw_video(size, num_frames, np.random.default_rng([0, number]))
    frames = picture.reshape(size, num_frames, size, 3).swapaxes(0, 1).astype(float)
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


def test_nothing_is_left_of_a_data_set_that_cannot_be_written(tmp_path, monkeypatch):
    def fail(*_):
        raise InputError("disk full")

    monkeypatch.setattr("input_pipeline.figures.write_picture", fail)
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
