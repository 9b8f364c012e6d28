"""Write the checkpoints of training: networks, optimisers and the loader's position together.

A checkpoint has the parts `params`, `statistics`, `optimizers`, `step` and, where training keeps
averages, `averages` of the params and `averaged_statistics`. An animation reads only two of these
parts. Configuration, epoch and position in the data are in the metadata, since every process has
the same. Orbax writes under a temporary name and renames, so that every checkpoint under its own
name was whole when it was written. In a bucket, where nothing can be renamed, the object that it
writes last tells that. Checksums of the files tell whether a checkpoint still is whole. `restore`
reads checkpoints.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from fomm_jax.buckets import AnyPath, absolute, describe_failure, is_in_bucket, remove_tree
from fomm_jax.config.parsing import to_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.files import writing
from fomm_jax.user_paths import check_is_text
from fomm_jax.weights.bucket_retries import limit_retries
from fomm_jax.weights.checksums import write_checksums
from fomm_jax.weights.find_checkpoint import FOLDER
from fomm_jax.weights.train_state import TrainState, state_parts


class Checkpoints:
    """The checkpoints of a run, as a context manager that waits for the last one to be written."""

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        keep: int,
        keep_best: int = 0,
        config: Config | None = None,
        before_saving: Callable[[], None] = lambda: None,
    ):
        """Open or create the checkpoints of a run.

        Args:
          workdir: the folder of the run.
          keep: the number of newest checkpoints to keep.
          keep_best: the number of checkpoints to keep for their low losses.
          config: the configuration of the run, which each checkpoint then carries.
          before_saving: is called in the background before each checkpoint is written. An
            `InputError` of it keeps the checkpoint from being written.

        Raises:
          InputError: the folder cannot be written.
        """
        check_is_text(workdir)
        self._config = {} if config is None else {"config": to_json(config)}
        self.folder = absolute(workdir) / FOLDER
        policies = ocp.training.preservation_policies
        best = policies.BestN(
            get_metric_fn=lambda metrics: metrics["loss"],
            reverse=True,  # the lowest loss comes last, where Orbax looks for the best
            n=keep_best,
            keep_checkpoints_without_metrics=False,
        )
        limit_retries()
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            _remove_damaged_metrics(self.folder)
            self._checkpointer = ocp.training.Checkpointer(
                self.folder,
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), best]),
                cleanup_tmp_directories=True,
                context=_make_context(),
            )
        self._before_saving = before_saving
        self._copy = jax.jit(lambda parts: jax.tree.map(jnp.copy, parts))
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        """Return the checkpoints themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the last checkpoint is written.

        Raises:
          InputError: it could not be written.
        """
        try:
            self.wait()
        finally:
            self._writer.shutdown()
            with self._one_line_errors():
                self._checkpointer.close()
            self.remove_if_empty()

    def remove_if_empty(self) -> None:
        """Remove the folder if nothing was ever saved in it; in a bucket there is none then."""
        if not is_in_bucket(self.folder):
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    @property
    def steps(self) -> list[int]:
        """The steps of the checkpoints, newest last."""
        return [checkpoint.step for checkpoint in self._checkpointer.checkpoints]

    @property
    def latest_step(self) -> int | None:
        """The newest checkpoint's step, or None if there is none."""
        return max(self.steps, default=None)

    @property
    def is_writing(self) -> bool:
        """Whether a checkpoint is being written in the background."""
        result = self._writing  # read once: a thread asks while the main thread may end a wait
        return result is not None and not result.done()

    def save(
        self,
        step: int,
        state: TrainState,
        epoch: int,
        position: Mapping[str, Any] | None = None,
        loss: float | None = None,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait for the checkpoint before, then begin to write another in the background.

        Args:
          step: the number of steps done.
          state: the state of training.
          epoch: the number of epochs done, which the original's checkpoints hold in place of steps.
          position: the position in the data. Without one, training continues with the batch of the
            step.
          loss: the loss that decides whether this is one of the best checkpoints; without one it
            never is.
          first: is called in the background before the checkpoint is written.

        Raises:
          InputError: the checkpoint before could not be written.
        """
        self.wait()
        data = {} if position is None else {"data": dict(position)}
        parts = self._copy(state_parts(state))  # the next step overwrites the state

        def write() -> None:
            self._before_saving()
            first()
            # Orbax asks the bucket whether there is such a step before it begins by itself to
            # write in the background. Here steps do not wait for the answer.
            self._checkpointer.save_checkpointables(
                step,
                parts,
                overwrite=True,
                force=True,
                metrics=None if loss is None else {"loss": loss},
                custom_metadata={"epoch": epoch} | data | self._config,
            )
            if jax.process_index() == 0:
                write_checksums(self.folder / str(step))

        self._writing = self._writer.submit(write)

    def wait(self) -> None:
        """Wait until the last checkpoint is written.

        Raises:
          InputError: it could not be written.
        """
        if self._writing is not None:
            # It stays there during the wait, so that `is_writing` stays true.
            try:
                with self._one_line_errors():
                    self._writing.result()
            finally:
                self._writing = None

    def set_aside(self, steps: list[int]) -> None:
        """Rename the damaged checkpoints of some steps to STEP.damaged, which hides them."""
        if jax.process_index() == 0:
            for step in steps:
                path = self.folder / str(step)
                renamed = path.with_name(f"{step}.damaged")
                with self._one_line_errors():
                    remove_tree(renamed)
                    path.rename(renamed)
        self._checkpointer.reload()

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Turn the errors of Orbax about a folder that cannot be written into an InputError."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            if is_in_bucket(self.folder) and (reason := describe_failure(self.folder, error)):
                raise InputError(f"{self.folder}: cannot be written ({reason})") from error
            if not isinstance(error, OSError | ValueError):
                raise
            # TensorStore raises a ValueError of several lines, with the cause at the end.
            cause = re.search(r"([^:]*) \[os_error_code=", str(error))
            reason = getattr(error, "strerror", None) or (cause and cause[1].strip())
            if not reason:
                raise
            raise InputError(f"{self.folder}: cannot be written ({reason})") from error


def _make_context() -> ocp.Context:
    """Return what makes Orbax work in a thread of its own."""
    context = ocp.Context()
    # A failure to make folders in the background would leave threads that wait for them.
    context.asynchronous.create_directories_asynchronously = False
    return context


def _remove_damaged_metrics(folder: AnyPath) -> None:
    """Remove the metrics that Orbax could not read; their checkpoints are not among the best."""
    for metrics in folder.glob("*/metrics/metrics"):
        try:
            json.loads(metrics.read_bytes())
        except (ValueError, FileNotFoundError):
            metrics.unlink(missing_ok=True)
