"""SIGTERM and SIGHUP: a program that they end removes what it has not finished.

All programs use this module. Training, which first has to save, hears of signals by
`fomm_jax.training.signals` instead.

Python runs a handler of a signal in the main thread and between two of its own instructions. While
JAX compiles, that may be minutes later, and an exception that is raised there in a callback of the
compiler is lost. So a thread of its own hears of the signals, too.
"""

import contextlib
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

# Windows has no SIGHUP.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_DELAY = 0.1  # seconds before a signal is sent again
# Seconds for the main thread to come back from a compiler; Kubernetes gives 30 in all.
_PATIENCE = 5.0
_PATIENCE_AFTER_SECOND_CTRL_C = 1.0

_unfinished: set[pathlib.Path] = set()


class SignalExit(SystemExit):
    """A signal ends the program, with the exit status that a shell reports for it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextlib.contextmanager
def removed_at_the_end(path: pathlib.Path) -> Iterator[None]:
    """During the block, have a file removed if a signal has to end the program by force."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


@contextlib.contextmanager
def hearing(hear: Callable[[int], None]) -> Iterator[None]:
    """Call a function for each signal that has a handler, in a thread and at once.

    The block has to be in the main thread, as Python demands.
    """
    read_end, write_end = os.pipe()
    if os.name == "posix":  # Python demands it there, and 3.11 does not know it on Windows
        os.set_blocking(write_end, False)
    previous = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def listen() -> None:
        with open(read_end, "rb", buffering=0) as pipe:
            while byte := pipe.read(1):
                hear(byte[0])

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        os.close(write_end)
        thread.join()


class _LastResort:
    """Ends the program by force where the main thread does not come back from C code."""

    def __init__(self) -> None:
        self._timers: list[threading.Timer] = []
        self._interrupted_at: float | None = None
        self.is_answered = False  # the main thread has heard of the signal

    def hear(self, number: int) -> None:
        """Wait for the main thread a little after SIGTERM, SIGHUP or a second Ctrl-C."""
        now = time.monotonic()
        if number in _SIGNALS:
            self._end_in(_PATIENCE, number)
        elif number != signal.SIGINT:
            return
        elif self._interrupted_at is None:
            self._interrupted_at = now
        elif now - self._interrupted_at > _PATIENCE_AFTER_SECOND_CTRL_C:  # is no echo of the first
            self._end_in(_PATIENCE_AFTER_SECOND_CTRL_C, number)

    def _end_in(self, seconds: float, number: int) -> None:
        timer = threading.Timer(seconds, self._end, (number,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _end(self, number: int) -> None:
        if number == signal.SIGINT or not self.is_answered:
            for path in tuple(_unfinished):
                with contextlib.suppress(OSError):
                    path.unlink()
            os._exit(128 + number)

    def cancel(self) -> None:
        """End nothing any more."""
        for timer in self._timers:
            timer.cancel()


@contextlib.contextmanager
def ending_by_signals() -> Iterator[None]:
    """Raise `SignalExit` in the block when SIGTERM or SIGHUP comes, `KeyboardInterrupt` at Ctrl-C.

    By itself Python would end at once, and leave temporary files and worker processes behind. A
    signal that was ignored before, as under nohup, stays ignored. Where the main thread is in C
    code for longer than a few seconds, the program ends without the exception.
    """
    previous_hook = sys.unraisablehook
    last_resort = _LastResort()

    def end(number: int, frame: FrameType | None) -> None:
        last_resort.is_answered = True
        # The end of a terminal may be told twice; the second time must not disturb the cleaning up.
        for each in previous_handlers:
            signal.signal(each, signal.SIG_IGN)
        raise SignalExit(number)

    def send_again(unraisable: "sys.UnraisableHookArgs") -> None:
        # Where C code calls Python, as compilers do, an exception is lost.
        if isinstance(unraisable.exc_value, SignalExit):
            number = unraisable.exc_value.number
            last_resort.is_answered = False
            signal.signal(number, end)
            threading.Timer(_DELAY, os.kill, (os.getpid(), number)).start()
        else:
            previous_hook(unraisable)

    previous_handlers = {
        number: signal.signal(number, end)
        for number in _SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN
    }
    is_loading = signal.getsignal(signal.SIGINT) == signal.SIG_DFL  # see cli/installed.py
    if is_loading:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = send_again
    try:
        with hearing(last_resort.hear):
            yield
    finally:
        last_resort.cancel()
        sys.unraisablehook = previous_hook
        if is_loading:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number, handler in previous_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
