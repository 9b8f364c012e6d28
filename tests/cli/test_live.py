"""main.py --mode=live from its command line, with films and pipes in place of a camera."""

import subprocess
import sys

import numpy as np
import pytest
from commands import run_main

import main
from fomm_jax.cli.page.examples import draw_examples
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.video_reader import iterate_frames


@pytest.fixture(scope="module")
def figure(tmp_path_factory):
    """The paths of a drawn figure, and of a film of 3 s that begins in its pose."""
    ((picture, film),) = draw_examples(tmp_path_factory.mktemp("figures"), 1).pairs
    return picture, film


def run_live(*flags, **options):
    command = [sys.executable, main.__file__, "--mode=live", *flags]
    return subprocess.run(command, capture_output=True, timeout=300, **options)


def test_a_film_moves_the_picture_into_a_pipe(figure):
    picture, film = figure
    ended = run_live(f"--source={picture}", f"--camera={film}", "--output=-")
    assert ended.returncode == 0, ended.stderr
    frames = np.frombuffer(ended.stdout, np.uint8).reshape(-1, 480, 480, 3)
    assert b" frames/s, " in ended.stderr
    assert 1 < len(frames) <= 48
    first, *_, last = frames[:, :430].astype(int)
    assert np.abs(last - first).mean() > 3  # it moves


def test_a_pipe_is_a_camera_without_a_label(figure):
    picture, film = figure
    (frame, *_) = iterate_frames(film)
    ended = run_live(
        *(f"--source={picture}", "--camera=-", "--pipe_size=256x256", "--output=-", "--nolabel"),
        input=frame.tobytes(),
    )
    assert ended.returncode == 0, ended.stderr
    assert b"--nolabel: the pictures will not say that a model made them" in ended.stderr
    (shown,) = np.frombuffer(ended.stdout, np.uint8).reshape(-1, 480, 480, 3)
    # The film begins in the picture's pose, so the picture stays as it is, but for the model.
    source = read_picture(picture)
    assert np.abs(shown[::15, ::15].astype(int) - source[::8, ::8].astype(int)).mean() < 25
    assert shown[460:, :40].max() < 255  # no letter is white


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "--source: expected a picture to animate"),
        (["--source=a.png", "--driving=b.mp4"], "--driving, --motion: expected with --mode=anim"),
        (["--source=a.png", "--output=film.mp4"], "--output=film.mp4: expected virtual"),
        (["--source=a.png", "--best_frame=3"], "--best_frame: has no meaning with --mode=live"),
        (
            ["--source=a.png", "--output=-", "--camera=none.mp4"],
            "camera none.mp4: cannot be read (No such file or directory)",
        ),
    ],
)
def test_bad_flags_are_one_line(flags, line, capfd):
    assert run_main("--mode=live", *flags) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"main.py: {line}")


def test_other_modes_refuse_its_flags(capfd):
    assert run_main("--mode=demo", "--camera=x") == 2
    assert "--camera: expected with --mode=live" in capfd.readouterr().err
