"""SIGTERM, which a cluster sends before it takes the machine away."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

STATUS = 128 + signal.SIGTERM  # exit status of a program that SIGTERM has ended, as in shells


class TerminatedError(Exception):
    """SIGTERM has ended training early; the message names the checkpoint."""


@contextlib.contextmanager
def noticing_sigterm() -> Iterator[Callable[[int], bool]]:
    """Yield a function that tells after each step whether SIGTERM has come.

    SIGTERM itself ends nothing meanwhile. All processes of a run learn of it after the same step,
    on which JAX's own handler agrees.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    has_come = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal has_come
        has_come = True

    previous_handler = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda step: has_come
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
