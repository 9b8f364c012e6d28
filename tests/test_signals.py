"""SIGTERM and SIGHUP leave nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fomm_jax.errors import one_line_errors
from fomm_jax.files import replacing
from fomm_jax.signals import SignalExit, ending_by_signals


@pytest.fixture(autouse=True)
def hear_sighup():
    """Hear SIGHUP also where the tests run under nohup, which ignores it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def write_half(path, number):
    with ending_by_signals(), replacing(path) as unfinished:
        unfinished.write_text("half")
        os.kill(os.getpid(), number)
        time.sleep(5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_not_finished_is_removed(number, tmp_path):
    before = signal.getsignal(number)
    (tmp_path / "film.mp4").write_text("old")
    with pytest.raises(SignalExit) as caught:
        write_half(tmp_path / "film.mp4", number)
    assert caught.value.code == 128 + number
    assert os.listdir(tmp_path) == ["film.mp4"]
    assert (tmp_path / "film.mp4").read_text() == "old"
    assert signal.getsignal(number) == before


class Callback:
    """Called by Python's C code, which drops the exceptions of such calls."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)


def test_a_second_signal_does_not_disturb_the_cleaning_up(tmp_path):
    path = tmp_path / "film.mp4"

    def write_and_clean_up():
        with ending_by_signals():
            try:
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(5)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.01)
                path.write_text("cleaned up")

    with pytest.raises(SignalExit):
        write_and_clean_up()
    assert path.read_text() == "cleaned up"


def call_back():
    with ending_by_signals():
        callback = Callback()
        del callback
        time.sleep(5)


def test_a_signal_that_a_callback_swallows_comes_again():
    hook = sys.unraisablehook
    with pytest.raises(SignalExit):
        call_back()
    assert sys.unraisablehook == hook


# A program whose main thread is in C for a minute, as in a compiler, with a file half-written.
IN_C = """
import hashlib, sys
from fomm_jax import signals
from fomm_jax.files import replacing

signals._PATIENCE = 0.5
signals._PATIENCE_AFTER_SECOND_CTRL_C = 0.2
with signals.ending_by_signals(), replacing("film.mp4") as unfinished:
    unfinished.write_text("half")
    print("at work", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_program_that_compiles_ends_too(number, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HEAR_CTRL_C, "-c", IN_C],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    ) as program:
        assert program.stdout.readline() == b"at work\n"
        time.sleep(0.3)  # until the main thread is in C
        program.send_signal(number)
        if number == signal.SIGINT:
            time.sleep(0.5)
            assert program.poll() is None
            program.send_signal(number)
        assert program.wait(20) == 128 + number
    assert not os.listdir(tmp_path)


def test_a_signal_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


PROGRAMS = {
    "main": ["main.py", "--mode=verify", "--input=none.mp4"],
    "convert": ["convert_torch_weights.py", "--inspect=none.pth"],
    "prepare": [
        "-m",
        "input_pipeline.prepare",
        "--dataset=video_folder",
        "--input=.",
        "--output=.",
    ],
    "figures": ["-m", "input_pipeline.figures", "--output=out"],
}
# Stands for a module that takes long to load, and tells when it begins to.
SLOW = """
import sys, time
def wait(event, arguments, names=("absl", "argparse")):
    if event == "import" and arguments[0] in names:
        print("loading", flush=True)
        time.sleep(30)
if sys.argv[0] not in ("-", "-c"):
    sys.addaudithook(wait)
"""


# Programs that run in the background ignore Ctrl-C, and so do those that they start.
HEAR_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize("arguments", PROGRAMS.values(), ids=PROGRAMS)
def test_ctrl_c_ends_a_program_without_a_word_while_it_loads(arguments, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    with subprocess.Popen(
        [sys.executable, "-c", HEAR_CTRL_C, *arguments],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    ) as program:
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=20) == (b"", b"")
    assert program.returncode == -signal.SIGINT  # for which a shell reports 130


def test_ctrl_c_is_an_exception_in_the_block_again():
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit, match=r"^130$"), ending_by_signals(), one_line_errors():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_answered_in_one_line(monkeypatch, capsys):
    for name, shown in (("/a/main.py", "main.py"), ("/a/figures/__main__.py", "figures")):
        monkeypatch.setattr(sys, "argv", [name])
        for hint, end in (("", ""), ("try again", "; try again")):
            with pytest.raises(SystemExit, match=r"^130$"), one_line_errors(hint):
                raise KeyboardInterrupt
            assert capsys.readouterr().err == f"{shown}: interrupted{end}\n"
