"""SIGTERM: what a cluster sends before it takes the machine away."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

STATUS = 128 + signal.SIGTERM  # of a program that SIGTERM has ended, as shells have it


class TerminatedError(Exception):
    """Training has ended early, as SIGTERM asks; the message names the checkpoint."""


@contextlib.contextmanager
def noticing_sigterm() -> Iterator[Callable[[int], bool]]:
    """Tell, after each step, whether training is to end with it; SIGTERM alone ends nothing.

    Of several processes, all are told so at the same step, which JAX's own handler agrees on.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    arrived = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal arrived
        arrived = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda step: arrived
    finally:
        signal.signal(signal.SIGTERM, before)
