"""Paths on the command line of main.py: odd names, links, pipes, addresses."""

import os
import signal
import sys

import numpy as np
import pytest
from absl import flags
from brightener import Brightener, read_levels, write_grey, write_levels
from commands import run_main

from fomm_jax.cli.modes import animate
from fomm_jax.cli.path_flags import PathParser

LONG = 260 * "x"
LEVELS = [90, 100, 110]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """Brighten pictures in place of animating them."""
    monkeypatch.setattr(animate, "_open_model", lambda *_: Brightener())


@pytest.fixture
def inputs(tmp_path):
    """Flags of a picture and of a video that makes it brighter."""
    source = write_grey(tmp_path / "a.png", 100)
    driving = write_levels(tmp_path / "b.mp4", LEVELS)
    return "--mode=animate", f"--source={source}", f"--driving={driving}"


def assert_film(path):
    np.testing.assert_allclose(read_levels(path), [100, 110, 120], atol=3)


@pytest.mark.parametrize("output", [b"\xe9t\xe9.mp4", b"\xe9t\xe9.gif", b"\xe9t\xe9/"])
def test_names_that_are_not_utf_8(output, tmp_path, capsys):
    source = write_grey(tmp_path / os.fsdecode(b"caf\xe9.png"), 100)
    driving = write_levels(tmp_path / os.fsdecode(b"\xfcber.mp4"), LEVELS)
    output = f"{tmp_path}/{os.fsdecode(output)}"
    motion = tmp_path / os.fsdecode(b"\xfc.npz")
    files = f"--source={source}", f"--driving={driving}", f"--output={output}"
    assert run_main("--mode=animate", *files, f"--save_motion={motion}") == 0
    film = f"{output}{driving.stem}-{source.stem}.mp4" if output.endswith("/") else output
    assert_film(film)
    assert motion.is_file()
    shown = film.replace("\udce9", r"\xe9").replace("\udcfc", r"\xfc")
    assert capsys.readouterr().out == f"The animation is in {shown}\n"
    assert run_main("--mode=verify", f"--input={film}") == 0


def test_a_legal_name_of_80_chinese_characters(inputs, tmp_path):
    output = tmp_path / f"{80 * '映'}.mp4"
    assert run_main(*inputs, f"--output={output}") == 0
    assert_film(output)


def test_a_tilde_after_an_equals_sign_is_the_home_folder(inputs, tmp_path, monkeypatch):
    home, current = tmp_path / "home", tmp_path / "current"
    home.mkdir()
    current.mkdir()
    write_grey(home / "c.png", 100)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(current)
    arguments = "--source=~/?.png", "--output=~/film.mp4", "--save_motion=~/motion.npz"
    assert run_main(inputs[0], inputs[2], *arguments) == 0
    assert_film(home / "film.mp4")
    assert sorted(os.listdir(home)) == ["c.png", "film.mp4", "motion.npz"]
    assert os.listdir(current) == []


def test_brackets_in_the_names_of_folders(inputs, tmp_path):
    (tmp_path / "[2024] album").mkdir()
    write_grey(tmp_path / "[2024] album" / "c.png", 100)
    source = f"--source={tmp_path}/[2024] album/*.png"
    assert run_main(inputs[0], source, inputs[2], f"--output={tmp_path}/film.mp4") == 0
    assert_film(tmp_path / "film.mp4")


def test_an_output_that_is_a_link_or_a_pipe(inputs, tmp_path, capsys):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "target.mp4")
    assert run_main(*inputs, f"--output={tmp_path}/link.mp4") == 0
    assert (tmp_path / "link.mp4").is_symlink()
    assert_film(tmp_path / "target.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    capsys.readouterr()
    assert run_main(*inputs, f"--output={tmp_path}/pipe.mp4") == 2
    line = f"main.py: {tmp_path}/pipe.mp4: is a pipe or a device, expected the name of a file\n"
    assert capsys.readouterr().err == line
    assert (tmp_path / "pipe.mp4").is_fifo()


class Killed(Brightener):
    """Is killed while it animates."""

    def animate_keypoints(self, source, keypoints, *, initial, normalization):
        frames = super().animate_keypoints(
            source, keypoints, initial=initial, normalization=normalization
        )
        yield next(frames)
        os.kill(os.getpid(), signal.SIGTERM)
        yield from frames


def test_a_film_that_a_signal_ends_leaves_nothing(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(animate, "_open_model", lambda *_: Killed())
    assert run_main(*inputs, f"--output={tmp_path}/film.mp4") == 128 + signal.SIGTERM
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.mp4"]


PLACES = {
    "source": ("is a folder, expected a picture", "is a pipe or a device, expected a picture"),
    "driving": (
        "has no pictures; expected one for each frame",
        "is a pipe or a device, expected a video",
    ),
    "save_motion": ("is a folder, expected the name of a file", "is a pipe or a device"),
}


@pytest.mark.parametrize("flag", PLACES)
def test_folders_and_pipes_are_named(flag, inputs, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    others = [argument for argument in inputs if not argument.startswith(f"--{flag}")]
    for name, message in zip(("folder", "pipe"), PLACES[flag], strict=True):
        arguments = *others, f"--{flag}={tmp_path / name}", f"--output={tmp_path}/film.mp4"
        assert run_main(*arguments) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize("flag", ["source", "driving", "motion", "output", "save_motion"])
def test_names_that_are_too_long(flag, inputs, tmp_path, capsys):
    name = f"{LONG}.mp4"
    replaced = {"motion": "driving"}.get(flag, flag)
    others = [argument for argument in inputs if not argument.startswith(f"--{replaced}=")]
    output = [] if flag == "output" else [f"--output={tmp_path}/film.mp4"]
    assert run_main(*others, *output, f"--{flag}={tmp_path / name}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"main.py: {tmp_path / name}: cannot be ")
    assert "File name too long" in line
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.mp4"]


LONG_ELSEWHERE = {
    "film to verify": ["--mode=verify", f"--input={LONG}"],
    "recordings": ["--mode=compare", f"--reference={LONG}"],
    "folder of programs": ["--mode=verify", f"--compilation_cache={LONG}"],
    "workdir": ["--mode=demo", f"--workdir={LONG}"],
}


@pytest.mark.parametrize("arguments", LONG_ELSEWHERE.values(), ids=LONG_ELSEWHERE)
def test_other_names_that_are_too_long(arguments, capsys):
    assert run_main(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert LONG in line
    assert "File name too long" in line


# That of --compilation_cache, a class of its own, takes nothing for an answer.
PATH_FLAGS = [name for name in flags.FLAGS if type(flags.FLAGS[name].parser) is PathParser]


@pytest.mark.parametrize("flag", [*PATH_FLAGS, "config"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://example.org/a.mp4", "is an address, which is not fetched; expected a path"),
        ("", "is empty, expected a path"),
    ],
)
def test_addresses_and_nothing_are_named_with_the_flag(flag, path, message, capsys):
    assert run_main("--mode=animate", f"--{flag}={path}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"main.py: --{flag}")
    assert message in line


def test_standard_streams_that_are_closed_matter_only_where_they_are_used(
    inputs, tmp_path, monkeypatch, capsys
):
    output = f"--output={tmp_path}/film.mp4"
    monkeypatch.setattr(sys, "stdin", None)
    assert run_main(*inputs, output) == 0
    assert_film(tmp_path / "film.mp4")
    capsys.readouterr()
    assert run_main(*inputs[:2], "--driving=-", "--pipe_size=16x16", output) == 2
    assert capsys.readouterr().err == "main.py: --driving=-: standard input is closed\n"
    monkeypatch.setattr(sys, "stdout", None)
    assert run_main(*inputs, output) == 0
    assert run_main(*inputs, "--output=-") == 2
    line = "main.py: --output=-: standard output is closed"
    assert capsys.readouterr().err.splitlines()[-1] == line


def test_a_disk_that_is_full_ends_raw_frames_in_one_line(inputs, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run_main(*inputs, "--output=-") == 2
    line = "main.py: standard output: cannot be written (No space left on device)"
    assert capsys.readouterr().err.splitlines()[-1] == line
