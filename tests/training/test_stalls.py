"""A run that gets no further is given up."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from small_training import CountedBatches, make_program, run

from fomm_jax.training import loop
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.signals import EndingSignals
from fomm_jax.training.stalls import StallWatch


class Reasons(list):
    """The reasons for which runs were given up, and an event that tells of the first one."""

    def __init__(self):
        super().__init__()
        self.came = threading.Event()

    def give_up(self, reason):
        self.append(reason)
        self.came.set()


def test_a_run_whose_data_does_not_come_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "make_program", make_program)
    monkeypatch.setattr(TrainingLog, "write_picture", lambda log, step, outputs: None)
    reasons = Reasons()

    class Stuck(CountedBatches):
        def __next__(self):
            if self.number == 3:
                reasons.came.wait(20)
                raise OSError("the test is over")
            return super().__next__()

    with pytest.raises(OSError, match="the test is over"):
        run(tmp_path, Stuck(), EndingSignals(end_without_signal=reasons.give_up), stall_timeout=1)
    assert reasons == [f"host {socket.gethostname()} has waited 1 s for the next batch"]


def test_a_step_may_take_twice_as_long_as_reading():
    reasons = Reasons()
    with StallWatch(0.5, reasons.give_up) as watch:
        for _ in range(5):  # what goes on is not given up
            watch.begin("the next batch")
            assert not reasons.came.wait(0.2)
        begun = time.monotonic()
        watch.begin_step(7)
        assert reasons.came.wait(5)
    assert time.monotonic() - begun > 1
    assert reasons == [f"host {socket.gethostname()} has waited 1 s for step 7"]


def test_time_in_which_the_program_is_stopped_does_not_count():
    program = """
import os, time
from fomm_jax.training.stalls import StallWatch
with StallWatch(1, lambda reason: os._exit(75)) as watch:
    watch.begin("the next batch")
    print("began", flush=True)
    time.sleep(0.3)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"began\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    process.send_signal(signal.SIGCONT)
    process.stdout.close()
    assert process.wait(20) == 0
