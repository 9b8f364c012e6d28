"""The log of a training run: its progress, scalars in event files, pictures."""

import logging
import os
import resource
import sys
import time
from types import TracebackType
from typing import Self

import jax
import numpy as np

from fomm_jax.buckets import to_path
from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.pictures import write_picture
from fomm_jax.reporting.drawing import FramesWithPoints, draw_grid
from fomm_jax.reporting.events import EventWriter
from fomm_jax.training.progress import Progress
from fomm_jax.training.step.objectives import StepOutputs
from fomm_jax.training.time_spent import TimeSpent
from fomm_jax.training.workdir_lock import PICTURES_FOLDER

logger = logging.getLogger(__name__)

SHARE_OF_TIME = "share_of_time"  # how the names of these scalars begin

# Five pixels of 256. In good runs at 48×48 and 64×64, and at random weights, the spread was 0.05 to
# 0.17; points all over the frame would have 0.29.
COLLAPSED_SPREAD = 0.02


class TrainingLog:
    """The log of some steps of a run; a context manager.

    The first of several processes writes it; the others are silent. The event file is made when
    there is something to write.

    Args:
      workdir: the folder for the event file, and for PNGs in its folder `pictures`.
      steps: at least one step. The first declares void what an earlier run wrote about this and
        later steps. The time left is estimated up to the last one.
      batch_size: pairs per step, from which the log computes pairs per second.
      visualize: how pictures are drawn.
      spent: the clock of the run. Each point of the event file, and a last one at the end, has the
        shares of the time so far.
      skipped_batches: the number of batches left out so far.
    """

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        steps: range,
        batch_size: int,
        visualize: VisualizeConfig,
        spent: TimeSpent,
        skipped_batches: int = 0,
    ):
        self._workdir = to_path(workdir)
        self._first_step = steps[0]
        self._batch_size = batch_size
        self._visualize = visualize
        self._skipped_batches = skipped_batches
        self._recent: list[dict[str, float]] = []
        self._spent = spent
        self._began, self._waited = time.monotonic(), spent.seconds("input")
        self._step = steps[0]  # the newest one whose scalars were written
        self._has_warned = False
        self._is_first_process = jax.process_index() == 0
        self._writer: EventWriter | None = None
        self._progress = Progress(steps[0], steps[-1], batch_size)

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close progress and event file."""
        self._progress.close()
        if self._writer is not None:
            try:
                self._writer.add_scalars(self._step, self._shares())
            finally:
                self._writer.close()

    def add(self, scalars: dict[str, float], loss: float) -> None:
        """Count a step, whose loss is shown."""
        self._recent.append(scalars)
        if self._is_first_process:
            self._progress.add(loss)

    def write_scalars(self, step: int) -> None:
        """Write the means of the scalars since the last call, and what the steps cost.

        The cost is the seconds per step, and the part of them spent waiting for a batch. The first
        call includes compilation. Warn once if the keypoints have collapsed.
        """
        num_steps, now, waited = len(self._recent), time.monotonic(), self._spent.seconds("input")
        seconds = (now - self._began) / num_steps
        costs = {
            "seconds_per_step": seconds,
            "input_wait": (waited - self._waited) / num_steps,
            "pairs_per_second": self._batch_size / seconds,
            "memory": memory_in_use(),
            "skipped_batches": self._skipped_batches,
        }
        means = {
            name: float(np.mean([scalars[name] for scalars in self._recent]))
            for name in self._recent[0]
        }
        if self._is_first_process:
            self._open_writer().add_scalars(step, means | costs | self._shares())
            self._warn_of_collapse(step, means)
        self._recent.clear()
        self._began, self._waited, self._step = now, waited, step

    def flush(self) -> None:
        """Wait until all that was written is where the workdir is; any thread may call this.

        Raises:
          InputError: it cannot be written there.
        """
        if self._writer is not None:
            self._writer.flush()

    def _shares(self) -> dict[str, float]:
        return {f"{SHARE_OF_TIME}/{kind}": share for kind, share in self._spent.shares().items()}

    def _open_writer(self) -> EventWriter:
        if self._writer is None:
            self._writer = EventWriter(self._workdir, first_step=self._first_step)
        return self._writer

    def _warn_of_collapse(self, step: int, means: dict[str, float]) -> None:
        spread = means.get("keypoint_spread", 1.0)
        if spread < COLLAPSED_SPREAD and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "step %d: the keypoints have collapsed: on average their standard deviation is"
                " %.4f of the frame's side, under %s",
                step,
                spread,
                COLLAPSED_SPREAD,
            )

    def write_picture(self, step: int, outputs: StepOutputs) -> None:
        """Draw the pairs on this process's first device."""
        if not self._is_first_process:
            return
        local = jax.device_get(jax.tree.map(lambda array: array.addressable_data(0), outputs))
        transformed = None
        if local.transformed is not None:
            transformed = FramesWithPoints(local.transformed, local.transformed_points)
        picture = draw_grid(
            self._visualize,
            FramesWithPoints(local.source, local.source_points),
            FramesWithPoints(local.driving, local.driving_points),
            local.generated,
            transformed=transformed,
        )
        self._open_writer().add_picture(step, "training", picture)
        write_picture(self._workdir / PICTURES_FOLDER / f"{step:08d}.png", picture)


def memory_in_use() -> float:
    """Return the peak memory of the first device in GiB; on CPU that of this process."""
    if statistics := jax.local_devices()[0].memory_stats():
        return statistics["peak_bytes_in_use"] / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
