"""SIGTERM and SIGHUP leave nothing half-written."""

import os
import signal
import sys
import time

import pytest

from fomm_jax.files import replacing
from fomm_jax.signals import SignalExit, ending_by_signals


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


def test_a_signal_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
