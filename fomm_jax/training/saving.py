"""The state of a run on its way into checkpoints: those that are due, and one before an error."""

import dataclasses
import logging
from statistics import fmean
from types import TracebackType
from typing import Any, Self

import jax

from fomm_jax.training.divergence import NotFiniteError, PendingStep, read_scalars
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.preemption import TerminatedError
from fomm_jax.training.step.train_step import DIAGNOSTICS
from fomm_jax.training.time_spent import TimeSpent
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.train_state import TrainState

logger = logging.getLogger(__name__)

# Losses that fall when the discriminator gets worse: checkpoints are ranked by all others.
ADVERSARIAL = ("gen_gan", "feature_matching", "disc_gan")


@dataclasses.dataclass(frozen=True)
class Unsaved:
    """What a checkpoint of a step needs."""

    step: int
    epoch: int  # epochs that are complete after the step
    state: TrainState
    position: dict[str, Any]  # of the loader after the step's batch


class Saver:
    """Reads the scalars of steps and saves their state; a context manager.

    If an error ends the context, whatever it is, the newest state is saved first, unless it may
    not be finite. The context ends when the last checkpoint is written.

    Args:
      checkpoints: where the state is saved.
      log: what the scalars are added to.
      spent: counts the time in which the run waits for saves.
    """

    def __init__(self, checkpoints: Checkpoints, log: TrainingLog, spent: TimeSpent) -> None:
        self._checkpoints = checkpoints
        self._log = log
        self._spent = spent
        self._pending: PendingStep | None = None
        self._unsaved: Unsaved | None = None
        self._losses: list[float] = []  # by which the next checkpoint is ranked

    def __enter__(self) -> Self:
        """Return the saver itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Save what is unsaved if an error comes, and wait until it is written.

        Raises:
          InputError: the last checkpoint could not be written, and no error came but one of those
            after which nothing is left to save. It takes the place of a `TerminatedError`, whose
            message names this checkpoint.
        """
        if error is None or isinstance(error, NotFiniteError | TerminatedError):
            with self._spent.on("saves"):
                self._checkpoints.wait()
        else:
            self._save_before_the_end(error)

    def has_work(self) -> bool:
        """Tell whether the end of the program would lose a step that was taken."""
        return self._unsaved is not None or self._checkpoints.is_writing

    def add(self, step: PendingStep, unsaved: Unsaved) -> None:
        """Take over a step that has begun, and read the one before while this one runs.

        Raises:
          NotFiniteError: a scalar of the step before is infinite or not a number.
        """
        before, self._pending = self._pending, step
        self._unsaved = unsaved
        if before is not None:
            self._read(before)

    def read(self) -> None:
        """Wait for the newest step, and read its scalars.

        Raises:
          NotFiniteError: one of them is infinite or not a number.
        """
        newest, self._pending = self._pending, None
        if newest is not None:
            self._read(newest)

    def save(self) -> None:
        """Begin to save the newest state, once its step has turned out finite.

        Raises:
          NotFiniteError: it is not.
          InputError: the checkpoint before could not be written.
        """
        self.read()
        unsaved = self._unsaved
        assert unsaved is not None, "a step was taken since the last save"
        with self._spent.on("saves"):
            self._checkpoints.save(
                unsaved.step,
                unsaved.state,
                unsaved.epoch,
                unsaved.position,
                loss=fmean(self._losses) if self._losses else None,
                # A run that goes on from the checkpoint does not write the curves before it again.
                first=self._log.flush,
            )
        self._losses.clear()
        self._unsaved = None

    def _read(self, step: PendingStep) -> None:
        values = read_scalars(step, self._checkpoints)
        loss = ranking_loss(values)
        self._losses.append(loss)
        self._log.add(values, loss)

    def _save_before_the_end(self, error: BaseException) -> None:
        """Save the newest state if that is possible; whatever fails here is only told.

        Args:
          error: what ends the run. A save that fails for the same reason is not told twice.
        """
        # A save in several processes needs all of them, and the others do not know of the error.
        unsaved = self._unsaved if jax.process_count() == 1 else None
        what = f"the state after step {unsaved.step}" if unsaved else "the last checkpoint"
        try:
            if unsaved is not None:
                # A step that failed may have taken the state with it.
                if any(array.is_deleted() for array in jax.tree.leaves(unsaved.state)):
                    raise RuntimeError("it was given to the step that failed")
                self.save()
            self._checkpoints.wait()  # also for a save that began before the error
        except Exception as failure:
            if str(failure) != str(error):
                logger.warning("%s is not saved: %s", what, " ".join(str(failure).split()))
        else:
            if unsaved is not None:
                logger.info("saved %s before the end", what)


def ranking_loss(scalars: dict[str, float]) -> float:
    """Sum the losses by which checkpoints are ranked: all but the adversarial ones."""
    others = (*ADVERSARIAL, *DIAGNOSTICS)
    return sum(value for name, value in scalars.items() if name not in others)
