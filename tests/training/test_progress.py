"""What a run shows of its progress, on a terminal and in a file."""

import contextlib
import fcntl
import os
import re
import struct
import sys
import termios

import pytest

from fomm_jax.training import progress
from fomm_jax.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_file_gets_a_line_now_and_then(clock, capsys):
    shown = Progress(first_step=1, last_step=1001, batch_size=6)
    clock[0] += 80  # for the programs to compile
    for _ in range(1001):
        shown.add(loss=12.345)
        clock[0] += 1
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "step 1 of 1001, loss 12.3",
        "step 61 of 1001, loss 12.3, 6 pairs/s, 15:40 left",
        "step 121 of 1001, loss 12.3, 6 pairs/s, 14:40 left",
    ]
    assert lines[-1] == "step 1001 of 1001, loss 12.3, 6 pairs/s, 00:00 left"
    assert len(lines) == 18


def read_all(terminal):
    """Read what was written, which a terminal hands over in parts."""
    os.set_blocking(terminal, False)
    text = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            text += os.read(terminal, 2**16)
    return text.decode()


def test_a_bar_fits_a_terminal_of_80_columns(monkeypatch):
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(end, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        shown = Progress(first_step=999_990, last_step=1_000_000, batch_size=128)
        for _ in range(11):
            shown.add(loss=1.2345e-5)
        shown.close()
        text = read_all(terminal)
    os.close(terminal)
    bars = [part for part in re.split(r"[\r\n]", text) if part.strip()]
    assert "train 100%|" in bars[-1]
    assert "1000000/1000000" in bars[-1]
    assert "loss 1.23e-05" in bars[-1]
    assert max(map(len, bars)) <= 80
