"""Runs that a signal ends before their last step."""

import signal

import jax
from jax.experimental import multihost_utils

from fomm_jax.training.signals import EndingSignals


class TerminatedError(Exception):
    """A signal has ended training early; the message names the checkpoint."""

    def __init__(self, message: str, number: signal.Signals) -> None:
        """Store the signal."""
        super().__init__(message)
        self.number = number


def signal_to_end(signals: EndingSignals, step: int) -> signal.Signals | None:
    """Return the signal that asks the run to end after a step; None if it goes on.

    All processes of a run call this after each step. They learn of SIGTERM after the same one, on
    which JAX's own handler agrees; it hears of no other signal.
    """
    if jax.process_count() > 1:
        return signal.SIGTERM if multihost_utils.reached_preemption_sync_point(step) else None
    return signals.received
