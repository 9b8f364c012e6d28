"""How the time of a run is spent: on steps, and on what keeps it from taking steps."""

import contextlib
import time
from collections.abc import Iterator
from typing import Literal, get_args

from tqdm import tqdm

Kind = Literal["starting", "compiling", "input", "saves"]

WORDS: dict[str, str] = {
    "steps": "steps",
    "starting": "starting",
    "compiling": "compiling",
    "input": "waiting for input",
    "saves": "waiting for saves",
}


class TimeSpent:
    """The clock of a run, which counts from when it is made.

    Whatever no block of `on` counts is time for steps: their computation, reading their losses,
    writing event files and pictures. The main thread alone uses it, and blocks are not nested.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seconds: dict[Kind, float] = dict.fromkeys(get_args(Kind), 0.0)

    @contextlib.contextmanager
    def on(self, kind: Kind) -> Iterator[None]:
        """Count the time of the block, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[kind] += time.monotonic() - began

    def seconds(self, kind: Kind) -> float:
        """Return the seconds that were counted so far."""
        return self._seconds[kind]

    def shares(self) -> dict[str, float]:
        """Return the share of the time so far that each kind took, and the share of steps."""
        total = max(time.monotonic() - self._began, 1e-9)
        shares = {kind: seconds / total for kind, seconds in self._seconds.items()}
        return {"steps": 1 - sum(shares.values())} | shares

    def describe(self) -> str:
        """Return a line for people, the largest share first."""
        shares = sorted(self.shares().items(), key=lambda entry: -entry[1])
        listed = ", ".join(f"{WORDS[kind]} {share:.1%}" for kind, share in shares)
        return f"{tqdm.format_interval(time.monotonic() - self._began)} in all: {listed}"
