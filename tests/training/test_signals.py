"""Signals that end a program, in processes of their own."""

import ctypes
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from fomm_jax.cli.modes import train
from fomm_jax.training import preemption
from fomm_jax.training import signals as ending_signals
from fomm_jax.training.signals import EndingSignals

# A program whose main thread is in C until it is ended, as JAX's compiler is; its work is
# protected if an argument says so.
PROGRAM = """
import hashlib, os, signal, sys
from fomm_jax import console
from fomm_jax.training.signals import EndingSignals

def end(number):
    print("ends", flush=True)
    os._exit(128 + number)

console.show_messages()
if "ignored" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
with EndingSignals(end) as signals, signals.cleaning_up_by(lambda: print("cleans up")):
    with signals.protecting(lambda: "protected" in sys.argv):
        print("at work", flush=True)
        while signals.received is None:
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**5 if "protected" in sys.argv else 10**8)
        print("saves", flush=True)
        if "slowly" in sys.argv:
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)
"""


@pytest.fixture
def begin():
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "at work\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_work_the_program_ends_at_once(begin, number):
    process = begin()
    process.send_signal(number)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert out == "cleans up\nends\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_is_saved_first(begin, number):
    process = begin("protected")
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "saves\n")
    assert re.fullmatch(r"\S.*; saving after this step \(Ctrl-C ends at once\)\n", err)


def test_a_second_interruption_ends_the_program_but_not_an_echo_of_the_first(begin):
    process = begin("protected", "slowly")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "saves\n"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    time.sleep(1.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130


def test_ignored_signals_stay_ignored(begin):
    """The program was started by `nohup`."""
    process = begin("ignored")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 143


def test_a_signal_is_taken_back_from_a_library():
    """JAX's handler of SIGTERM is one of C's, of which Python does not know."""
    ended, heard = threading.Event(), []
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(heard.append)
    with EndingSignals(lambda number: ended.set()) as signals:
        ctypes.CDLL(None).signal(signal.SIGTERM, handler)
        signals.take_back()
        os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(5)
        assert not heard
        signals.tell_library()
        assert heard == [signal.SIGTERM]


def test_a_library_without_a_handler_is_told_nothing():
    with EndingSignals() as signals:
        signals.take_back()
        signals.tell_library()


def test_an_error_does_not_end_the_listening():
    ended = threading.Event()
    answers = [ZeroDivisionError, False]

    def has_work():
        if answer := answers.pop(0):
            raise answer
        return False

    with EndingSignals(lambda number: ended.set()) as signals, signals.protecting(has_work):
        os.kill(os.getpid(), signal.SIGTERM)
        while len(answers) == 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(5)


@pytest.fixture
def stopped_terminal(monkeypatch):
    """A terminal that takes nothing, as after Ctrl-S, until the test ends."""
    go_on = threading.Event()

    class Stopped(logging.Handler):
        def emit(self, record):
            go_on.wait(10)

    handler = Stopped()
    monkeypatch.setattr(logging.getLogger("fomm_jax"), "handlers", [handler])
    logging.getLogger("fomm_jax").setLevel(logging.INFO)
    monkeypatch.setattr(ending_signals, "SECONDS_TO_TELL", 0.05)
    monkeypatch.setattr(train, "SECONDS_TO_TELL", 0.05)
    yield go_on
    go_on.set()


def test_a_terminal_that_stands_still_holds_no_signal_up(stopped_terminal):
    signals = EndingSignals()
    with signals.protecting(lambda: True):
        signals._hear(signal.SIGTERM)
    assert signals.received == signal.SIGTERM


def test_a_terminal_that_stands_still_holds_no_end_up(stopped_terminal, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(train.os, "_exit", lambda status: ended.set())
    thread = threading.Thread(target=train._end_at_once, args=(signal.SIGTERM,), daemon=True)
    thread.start()
    assert ended.wait(5)
    stopped_terminal.set()
    thread.join()  # it would end the tests by the true `_exit`


def test_all_of_several_processes_learn_of_any_signal(monkeypatch):
    sent = []
    monkeypatch.setattr(preemption.jax, "process_count", lambda: 2)
    monkeypatch.setattr(
        preemption.multihost_utils, "reached_preemption_sync_point", lambda step: step == 3
    )
    signals = EndingSignals()
    signals.tell_library = lambda: sent.append(signal.SIGTERM)
    assert preemption.signal_to_end(signals, 2) is None
    assert preemption.signal_to_end(signals, 3) == signal.SIGTERM  # another process had it
    assert not sent
    signals.received = signal.SIGINT
    assert preemption.signal_to_end(signals, 2) is None
    assert sent == [signal.SIGTERM]
    assert preemption.signal_to_end(signals, 3) == signal.SIGINT
