"""Signals that end a program: Ctrl-C, SIGTERM of a cluster, SIGHUP of a terminal that is closed.

Training alone uses this module. Every other program has nothing to save, and cleans up by the
exception that `fomm_jax.signals` raises in its main thread.
"""

import contextlib
import ctypes
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

from fomm_jax.signals import hearing

logger = logging.getLogger(__name__)

# What ends a program, and how a message says so.
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}
if hasattr(signal, "SIGHUP"):  # Windows has none
    WORDS[signal.SIGHUP] = "ended by SIGHUP"
# How a message goes on where the program does not know whether there is a checkpoint.
HOW_TO_GO_ON = "the same command goes on from the last checkpoint, if there is one"
# A terminal and a program in between may both pass the same Ctrl-C on.
SECONDS_BETWEEN = 1.0
# The time to show a message, which a terminal that stands still, by Ctrl-S say, never takes.
SECONDS_TO_TELL = 1.0
# Less than the six seconds that `lost_hosts` has until JAX aborts the program.
SECONDS_TO_CLEAN_UP = 4.0


class EndingSignals:
    """Hears the signals that end a program; a context manager.

    A signal ends the program at once while there is nothing to lose. While work is protected, it
    is only noted in `received`: whoever works then saves and ends. A second Ctrl-C ends the program
    in any case. Signals that the program was started to ignore, as `nohup` does, stay ignored.

    Without entering the context, no signal is received.

    Args:
      end: ends the program for a signal. A thread calls it while the main thread may be anywhere,
        so it cannot raise an exception there.
      end_without_signal: does the same for a reason that it is given in words.

    Attributes:
      received: the first signal that came while work was protected; None before.
      tell_library: calls the handler that a library had before `take_back`.
    """

    def __init__(
        self,
        end: Callable[[signal.Signals], None] = lambda number: None,
        end_without_signal: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.received: signal.Signals | None = None
        self.tell_library: Callable[[], None] = lambda: None
        self._end = end
        self._end_without_signal = end_without_signal
        self._has_work: Callable[[], bool] = lambda: False
        self._clean_ups: list[Callable[[], None]] = []
        self._received_at = 0.0

    def __enter__(self) -> Self:
        """Begin to listen; in the main thread only, as Python demands."""
        self._previous = {
            number: handler
            for number in WORDS
            if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
        }
        self._listen_to_all()
        self._hearing = hearing(self._hear_safely)
        self._hearing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back to who had them before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._hearing.__exit__(None, None, None)

    def take_back(self) -> None:
        """Hear of SIGTERM again after a library has set a handler of its own, in C."""
        libc = ctypes.CDLL(None)
        libc.signal.restype = ctypes.c_void_p
        address = libc.signal(signal.SIGTERM, None)
        self._listen_to_all()
        if (address or 0) > 1:  # 0 and 1 stand for no handler
            handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(address)
            self.tell_library = lambda: handler(signal.SIGTERM)

    def _listen_to_all(self) -> None:
        for number in self._previous:
            signal.signal(number, _leave_to_thread)

    @contextlib.contextmanager
    def protecting(self, has_work: Callable[[], bool]) -> Iterator[None]:
        """During the block, do not end the program while there is work that would be lost.

        Args:
          has_work: tells whether there is such work; a thread calls it at any moment.
        """
        self._has_work = has_work
        try:
            yield
        finally:
            self._has_work = lambda: False

    @contextlib.contextmanager
    def cleaning_up_by(self, clean_up: Callable[[], None]) -> Iterator[None]:
        """During the block, call a function before a signal ends the program."""
        self._clean_ups.append(clean_up)
        try:
            yield
        finally:
            self._clean_ups.remove(clean_up)

    def _hear_safely(self, number: int) -> None:
        if number in self._previous:  # other handlers' signals are heard, too
            try:
                self._hear(signal.Signals(number))
            except Exception:  # the thread has to hear of the next signal, too
                logger.exception("a signal had no effect")

    def _hear(self, number: signal.Signals) -> None:
        if not self._has_work():
            self._end_now(number)
        elif self.received is None:
            self.received, self._received_at = number, time.monotonic()
            _tell("%s; saving after this step (Ctrl-C ends at once)", WORDS[number])
        elif number == signal.SIGINT and time.monotonic() - self._received_at > SECONDS_BETWEEN:
            self._end_now(number)

    def give_up(self, reason: str) -> None:
        """End the program for another reason than a signal, wherever the main thread may be."""
        self._clean_up()
        self._end_without_signal(reason)

    def _end_now(self, number: signal.Signals) -> None:
        self._clean_up()
        self._end(number)

    def _clean_up(self) -> None:
        """Do what can be done in a few seconds: a disk or a bucket may not answer."""

        def clean_up_all() -> None:
            for clean_up in reversed(self._clean_ups):  # the last one first, as blocks end
                try:
                    clean_up()
                except Exception as error:  # it ends in any case
                    logger.warning("not cleaned up: %s", " ".join(str(error).split()))

        thread = threading.Thread(target=clean_up_all, daemon=True)
        thread.start()
        thread.join(SECONDS_TO_CLEAN_UP)


def _tell(message: str, *values: str) -> None:
    """Log a message, but do not wait for a terminal that stands still.

    The main thread may be held up by the same terminal, with the lock of the log in its hands.
    """
    thread = threading.Thread(target=logger.info, args=(message, *values), daemon=True)
    thread.start()
    thread.join(SECONDS_TO_TELL)


def _leave_to_thread(number: int, frame: FrameType | None) -> None:
    """Do nothing; without a handler, the interpreter would not write the signal's number."""
