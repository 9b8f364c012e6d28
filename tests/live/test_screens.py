"""Virtual cameras, pipes and windows."""

import io
import os
import shutil
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from fake_camera import grey

from fomm_jax.errors import InputError
from fomm_jax.live.screens import Pipe, VirtualCamera, Window


def test_a_virtual_camera_gets_the_picture_alone(monkeypatch):
    sent = []

    class Camera:
        def __init__(self, width, height, fps):
            sent.append((width, height, fps))

        def send(self, picture):
            sent.append(picture.mean())

        def close(self):
            sent.append("closed")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", types.SimpleNamespace(Camera=Camera))
    with VirtualCamera() as screen:
        screen.show(np.full((20, 40, 3), 7, np.uint8), grey(9), "title")
        screen.show(np.full((20, 40, 3), 8, np.uint8), grey(9), "title")
        assert screen.pressed_keys() == []
    assert sent == [(40, 20, 30.0), 7, 8, "closed"]


def test_a_missing_package_or_driver_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(InputError, match=r"^output=virtual: needs the package pyvirtualcam"):
        VirtualCamera()

    def no_driver(**_):
        raise RuntimeError("v4l2loopback backend: no device\nmany lines")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", types.SimpleNamespace(Camera=no_driver))
    monkeypatch.setattr(sys, "platform", "linux")
    with VirtualCamera() as screen, pytest.raises(InputError, match="v4l2loopback"):
        screen.show(grey(1), grey(1), "")


def test_a_pipe_gets_raw_frames():
    stream = io.BytesIO()
    with Pipe(stream) as screen:
        screen.show(grey(3), grey(9), "")
    assert stream.getvalue() == grey(3).tobytes()


def test_a_window_needs_a_screen(monkeypatch):
    pytest.importorskip("tkinter", reason="this Python has no Tk")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match=r"^window: cannot be opened .*expected a screen"):
        Window()


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_window_shows_pictures_and_hears_keys(monkeypatch):
    pytest.importorskip("tkinter", reason="this Python has no Tk")
    read_end, write_end = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(write_end),
        "-screen",
        "0",
        "640x480x24",
        "-nolisten",
        "tcp",
    ]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as numbers:
            monkeypatch.setenv("DISPLAY", f":{numbers.readline().strip()}")
        with Window() as window:
            for level in (100, 200):  # the second picture takes the place of the first
                window.show(grey(level, 64), grey(level // 2, 64), "25 frames/s")
                window.pressed_keys()
            assert (window._photo.width(), window._photo.height()) == (128, 64)
            label = window._label
            assert label.winfo_ismapped()
            pixel = window._root.tk.call(window._photo._PhotoImage__photo, "get", 100, 10)
            assert list(pixel) == [200, 200, 200]
            window._root.focus_force()
            window._root.event_generate("<Key-m>")
            window._root.event_generate("<Key-Escape>")
            deadline = time.monotonic() + 10
            keys = window.pressed_keys()
            while len(keys) < 2 and time.monotonic() < deadline:
                keys += window.pressed_keys()
            assert keys == ["m", "Escape"]
        server.terminate()
