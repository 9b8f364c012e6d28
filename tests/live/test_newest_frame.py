"""The newest frame of a camera is taken, and the others are dropped."""

import threading

import pytest
from fake_camera import grey

from fomm_jax.errors import InputError
from fomm_jax.live.newest_frame import NewestFrame


def test_older_frames_are_dropped():
    five_are_read, goes_on = threading.Event(), threading.Event()

    def camera():
        yield from map(grey, range(5))
        five_are_read.set()
        goes_on.wait(10)
        yield grey(5)

    with NewestFrame(camera()) as newest:
        assert five_are_read.wait(10)
        capture = newest.take(10)
        assert (capture.frame[0, 0, 0], newest.num_dropped) == (4, 4)
        assert newest.take(0.01) is None  # no frame comes twice
        assert not newest.has_ended
        goes_on.set()
        assert newest.take(10).frame[0, 0, 0] == 5
        assert newest.take(10) is None
        assert newest.has_ended
    assert newest.num_dropped == 4


def test_an_error_comes_after_the_last_frame():
    def camera():
        yield grey(1)
        raise InputError("camera 7: cannot be read")

    with NewestFrame(camera()) as newest:
        newest._thread.join()
        assert newest.take(10).frame[0, 0, 0] == 1
        assert not newest.has_ended
        with pytest.raises(InputError, match="camera 7"):
            newest.take(10)


def test_the_camera_is_closed_at_the_end():
    is_closed = threading.Event()

    def camera():
        try:
            while True:
                yield grey(0)
        finally:
            is_closed.set()

    with NewestFrame(camera()) as newest:
        assert newest.take(10) is not None
    assert is_closed.wait(10)
