"""SIGTERM and SIGHUP: a program that they end removes what it has not finished.

All programs use this module. Training, which first has to save, hears of signals by
`fomm_jax.training.signals` instead: its main thread may be in a compiler for minutes.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_DELAY = 0.1  # seconds before a signal is sent again


class SignalExit(SystemExit):
    """A signal ends the program, with the exit status that a shell reports for it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextlib.contextmanager
def ending_by_signals() -> Iterator[None]:
    """Raise `SignalExit` in the block when SIGTERM or SIGHUP comes, `KeyboardInterrupt` at Ctrl-C.

    By itself Python would end at once, and leave temporary files and worker processes behind. A
    signal that was ignored before, as under nohup, stays ignored.
    """
    previous_hook = sys.unraisablehook

    def end(number: int, frame: FrameType | None) -> None:
        # The end of a terminal may be told twice; the second time must not disturb the cleaning up.
        for each in previous_handlers:
            signal.signal(each, signal.SIG_IGN)
        raise SignalExit(number)

    def send_again(unraisable: "sys.UnraisableHookArgs") -> None:
        # Where C code calls Python, as compilers do, an exception is lost.
        if isinstance(unraisable.exc_value, SignalExit):
            number = unraisable.exc_value.number
            signal.signal(number, end)
            threading.Timer(_DELAY, os.kill, (os.getpid(), number)).start()
        else:
            previous_hook(unraisable)

    previous_handlers = {
        number: signal.signal(number, end)
        for number in _SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN
    }
    is_loading = signal.getsignal(signal.SIGINT) == signal.SIG_DFL  # see main.py
    if is_loading:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = previous_hook
        if is_loading:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number, handler in previous_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
