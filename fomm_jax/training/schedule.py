"""What is due after which step of training."""

import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from fomm_jax.config.schema import TrainConfig


class Schedule:
    """When a run logs, draws and saves: at its intervals, and always after the last step.

    Orbax's save decision policies do not know the last step, nor that a save by the clock waits
    for a step that is logged, whose losses are read anyway.
    """

    def __init__(self, settings: TrainConfig, steps_per_epoch: int):
        self._steps_per_epoch = steps_per_epoch
        self.last_step = settings.num_steps or settings.num_epochs * steps_per_epoch
        self._log_every = settings.log_every
        self._draw_every = settings.visualize_every or steps_per_epoch
        self._save_every = settings.checkpoint_every or settings.checkpoint_freq * steps_per_epoch
        self._save_after = 60 * settings.checkpoint_minutes
        self._saved_at = time.monotonic()

    def epochs(self, step: int) -> int:
        """Return the number of epochs that are complete after the step."""
        return step // self._steps_per_epoch

    def log_is_due(self, step: int) -> bool:
        """Tell whether to write scalars after the step."""
        return self._due(step, self._log_every)

    def drawing_is_due(self, step: int) -> bool:
        """Tell whether to draw a picture after the step."""
        return self._due(step, self._draw_every)

    def save_is_due(self, step: int) -> bool:
        """Tell whether to save a checkpoint after the step."""
        due = self._due(step, self._save_every)
        if self._save_after and self.log_is_due(step):
            time_is_up = time.monotonic() - self._saved_at >= self._save_after
            if jax.process_count() > 1:  # their clocks differ, and all must save or none
                time_is_up = bool(multihost_utils.broadcast_one_to_all(np.asarray(time_is_up)))
            due |= time_is_up
        return due

    def begin_minutes(self) -> None:
        """Begin the minutes until the next checkpoint anew, after one was saved."""
        self._saved_at = time.monotonic()

    def _due(self, step: int, interval: int) -> bool:
        return step == self.last_step or step % interval == 0
