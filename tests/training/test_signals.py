"""Signals that end a program, in processes of their own."""

import re
import signal
import subprocess
import sys
import time

import pytest

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
