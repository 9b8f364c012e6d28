"""A run that gets no further, because a disk or a network does not answer, ends by itself."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

TICKS = 10  # how often the thread looks, while a thing may take its time


class _Wait(NamedTuple):
    """What a run waits for; a new one each time, by which the thread knows that it got further."""

    what: str
    times: int  # how many times `seconds` it may take


class StallWatch:
    """Gives a run up when what it does takes too long; a context manager.

    Heartbeats go on while a process waits, so that no other host would notice. Time in which the
    whole process is stopped, by Ctrl-Z or by Slurm, does not count.

    Args:
      seconds: how long a thing may take that this host does alone, such as reading a batch. A step
        may take twice as long: by then a host that keeps the others waiting has ended. 0 waits for
        ever.
      give_up: ends the program with a reason; a thread calls it.
    """

    def __init__(self, seconds: float, give_up: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._ended = threading.Event()
        self.begin_step(0)

    def __enter__(self) -> Self:
        """Begin to watch."""
        if self._seconds > 0:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Watch no longer."""
        self._ended.set()

    def begin(self, what: str) -> None:
        """Take note of what this host begins to wait for."""
        self._current = _Wait(what, 1)

    def begin_step(self, step: int) -> None:
        """Take note that a step begins, in which hosts wait for each other."""
        self._current = _Wait(f"step {step}", 2)

    def _watch(self) -> None:
        ticks, before = 0, self._current
        while not self._ended.wait(self._seconds / TICKS):
            current = self._current
            ticks, before = (ticks + 1 if current is before else 0), current
            if ticks > current.times * TICKS:
                waited = f"has waited {current.times * self._seconds:.0f} s for {current.what}"
                self._give_up(f"host {socket.gethostname()} {waited}")
                return
