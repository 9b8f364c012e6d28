"""Losses and gradients that are not finite: how they are noticed."""

import math
from typing import Any, NamedTuple

import jax

from fomm_jax.training.step.train_step import DIAGNOSTICS, Scalars
from fomm_jax.weights.checkpoints import Checkpoints


class NotFiniteError(Exception):
    """A loss or a gradient is not finite; the message names step, term and last good checkpoint."""

    def __init__(self, message: str, position: Any):
        """Store the position of the loader at which the step's batch was taken."""
        super().__init__(message)
        self.position = position


class PendingStep(NamedTuple):
    """A step that the device may still be computing."""

    step: int
    position: Any  # of the loader before the step's batch
    scalars: Scalars


def read_scalars(pending: PendingStep, checkpoints: Checkpoints) -> dict[str, float]:
    """Wait for a step and return its scalars as numbers.

    Raises:
      NotFiniteError: a scalar is infinite or not a number.
      InputError: so it is, and the last checkpoint could not be written.
    """
    values = {name: float(value) for name, value in jax.device_get(pending.scalars).items()}
    # A loss that is not finite has such gradients, too; the loss tells where to look.
    for name, value in sorted(values.items(), key=lambda item: item[0] in DIAGNOSTICS):
        if not math.isfinite(value):
            checkpoints.wait()  # the one that is being written is good, too
            last = checkpoints.latest_step
            good = "none was saved" if last is None else f"{checkpoints.folder / str(last)}"
            raise NotFiniteError(
                f"step {pending.step}: {name} is {value}; the last good checkpoint: {good}",
                pending.position,
            )
    return values
