"""The command `python -m input_pipeline.prepare`: its options, and interrupted runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from raw_videos import SIDE, write_stacked_frames

from input_pipeline import prepare
from input_pipeline.datasets import shards
from input_pipeline.figures import __main__ as figures
from input_pipeline.prepared import list_prepared_videos
from input_pipeline.videos import open_video

ROOT = Path(__file__).parents[2]


@pytest.fixture
def interruptible():
    """Let commands be interrupted even if a shell runs the tests in the background.

    Such a shell has its jobs ignore SIGINT, and the commands that a job starts inherit that.
    """
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_same_command_continues_an_interrupted_run(number, tmp_path):
    raw, output = tmp_path / "raw", tmp_path / "out"
    frames = np.random.default_rng(0).integers(0, 256, size=(40, 64, 64, 3), dtype=np.uint8)
    write_stacked_frames(raw / "train" / "00.png", frames)
    (raw / "test").mkdir()
    os.link(raw / "train" / "00.png", raw / "test" / "00.png")
    for video in range(1, 80):  # five shards
        os.link(raw / "train" / "00.png", raw / "train" / f"{video:02d}.png")
    command = [sys.executable, "-m", "input_pipeline.prepare", "--dataset=video_folder"]
    command += [f"--input={raw}", f"--output={output}", "--size=64", "--workers=1"]
    form = output / "video_folder" / "64x64_png"
    first = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not (finished := [*form.glob(".unfinished/*.json")]) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, number)  # like a terminal
    _, message = first.communicate(timeout=60)
    assert first.returncode == 128 + number, message
    assert number == signal.SIGTERM or "interrupted; the same command goes on" in message
    assert "Traceback" not in message
    assert not (form / "1.0.0").exists()
    assert not [*form.rglob(".*.unfinished")]
    assert 1 <= len(finished) < 6
    inodes = {path.with_suffix("").stat().st_ino for path in finished}

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "80 clips for training and 1 for testing" in done.stdout
    assert inodes <= {path.stat().st_ino for path in (form / "1.0.0").iterdir()}
    assert not (form / ".unfinished").exists()
    train, _ = list_prepared_videos(str(form / "1.0.0"))
    np.testing.assert_array_equal(np.stack(list(open_video(train[79], (64, 64, 3)))), frames)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "exists already; remove it to prepare it anew" in again.stderr


def test_parts_become_the_dataset_that_one_process_makes(
    raw, prepared_png, tmp_path, monkeypatch, capsys
):
    command = ["prepare", "--dataset=video_folder", f"--input={raw}", f"--output={tmp_path}"]
    command += [f"--size={SIDE}", "--workers=1"]
    form = tmp_path / "video_folder" / f"{SIDE}x{SIDE}_png"
    for number, num_shards in ((2, 1), (1, 3)):  # of two for training and one for testing
        monkeypatch.setattr(sys, "argv", [*command, f"--part={number}/2"])
        prepare.main()
        assert f"Part {number} of 2 is done" in capsys.readouterr().out
        assert len([*form.glob(".unfinished/*.json")]) == num_shards
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(shards, "_write_shard", None)  # nothing is left to do
    prepare.main()
    assert "19 clips for training and 2 for testing" in capsys.readouterr().out
    made = {path.name: path.read_bytes() for path in (form / "1.0.0").iterdir()}
    assert made == {path.name: path.read_bytes() for path in prepared_png.iterdir()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input=nowhere"], "--input: there is no folder nowhere"),
        (
            ["--input=https://example.org/videos"],
            "--input: is an address, which is not fetched; expected a path on this computer",
        ),
        (["--output="], "--output: is empty, expected a path"),
        (
            ["--output=M\udcfcller"],
            r"M\xfcller: the name is not text in utf-8, the encoding of names here;"
            " expected another name",
        ),
        (["--quality=0"], "--quality is 0; expected 1 to 100"),
        (["--part=3/2"], "--part is 3; expected 1 to 2"),
        (
            ["--part=1/2", "--crop=faces"],
            "--part: each part would look for all faces; expected --crop=FILE.csv",
        ),
        (["--size=8"], "--size is 8; expected at least 16"),
        (["--workers=0"], "--workers is 0; expected at least 1"),
        (
            ["--dataset=bair", "--crop=faces"],
            "--crop, --id_sampling: expected with video_folder only, not with bair",
        ),
    ],
)
def test_bad_options_end_in_one_line(raw, tmp_path, monkeypatch, capsys, options, message):
    command = ["prepare", "--dataset=video_folder", f"--input={raw}", f"--output={tmp_path}"]
    monkeypatch.setattr(sys, "argv", command + options)
    with pytest.raises(SystemExit) as caught:
        prepare.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)
    assert not [*tmp_path.rglob("*.array_record*")]


def test_the_current_folder_was_deleted(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    line = "the current folder is not there any more; expected a start in one that exists"
    for program, *options in (
        [prepare, "prepare.py", "--dataset=video_folder", "--input=raw", "--output=out"],
        [figures, "figures/__main__.py", "--output=out"],
    ):
        monkeypatch.setattr(sys, "argv", options)
        with pytest.raises(SystemExit, match=r"^2$"):
            program.main()
        name = options[0].removesuffix("/__main__.py")
        assert capsys.readouterr().err == f"{name}: {line}\n"


def test_names_of_videos_need_not_be_utf_8(tmp_path, monkeypatch, capsys):
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    for name in ("train/M\udcfcller.png", "train/b.png", "test/M\udcfcller.png"):
        write_stacked_frames(tmp_path / "raw" / name, frames)
    monkeypatch.setenv("HOME", str(tmp_path))
    command = ["prepare", "--dataset=video_folder", "--input=~/raw", "--output=~/out", "--size=16"]
    monkeypatch.setattr(sys, "argv", [*command, "--workers=1"])
    prepare.main()
    assert "2 clips for training and 1 for testing" in capsys.readouterr().out
    train, test = list_prepared_videos(f"{tmp_path}/out/video_folder/16x16_png/1.0.0")
    assert sorted(video.name for video in train) == ["M\udcfcller.png", "b.png"]
    np.testing.assert_array_equal(np.stack(list(open_video(test[0], (16, 16, 3)))), frames)
