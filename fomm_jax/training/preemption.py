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

    All processes of a run call this after each step. JAX's own handler of SIGTERM lets them agree
    on the step after which they end.
    """
    if jax.process_count() == 1:
        return signals.received
    if signals.received is not None:
        signals.tell_library()  # JAX overlooks all but the first call
    if multihost_utils.reached_preemption_sync_point(step):
        return signals.received or signal.SIGTERM
    return None
