"""Checkpoints of training: the networks, their optimisers and the loader's position, together.

A checkpoint holds `params`, `statistics`, `optimizers`, `step` and, where training kept them,
`averages` of the params, so that an animation reads two of these alone; configuration, epoch and
position in the data, which are the same for every process, are in its metadata. Orbax writes under
a temporary name and renames, so that a checkpoint that can be seen was whole; checksums of its
files tell whether it still is.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import jax
from flax import nnx
from orbax.checkpoint import v1 as ocp

from fomm_jax.config.parsing import from_json, to_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import writing
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.checksums import find_damage, write_checksums
from fomm_jax.weights.shapes import check_shapes
from fomm_jax.weights.train_state import TrainState, begin_averages, merge_model, split_model

FOLDER = "checkpoints"  # inside a workdir


class DamagedCheckpointError(InputError):
    """A checkpoint is not as it was written; the message names it and the file."""


class Checkpoints:
    """The checkpoints of a run, newest last. A context manager; leaving it waits for the writer."""

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        keep: int,
        keep_best: int = 0,
        config: Config | None = None,
    ):
        """Open or create the checkpoints of `workdir`.

        Args:
          workdir: of the run.
          keep: the number of newest checkpoints that stay.
          keep_best: the number of those that stay for having been saved with the lowest losses.
          config: of the run, which each checkpoint then carries.

        Raises:
          InputError: the folder cannot be written.
        """
        self._config = {} if config is None else {"config": to_json(config)}
        self.folder = pathlib.Path(workdir).absolute() / FOLDER
        policies = ocp.training.preservation_policies
        best = policies.BestN(
            get_metric_fn=lambda metrics: metrics["loss"],
            reverse=True,  # the lowest is last, where Orbax looks for the best
            n=keep_best,
            keep_checkpoints_without_metrics=False,
        )
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            _drop_damaged_metrics(self.folder)
            self._checkpointer = ocp.training.Checkpointer(
                self.folder,
                preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), best]),
                cleanup_tmp_directories=True,
            )
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        """The checkpoints themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the writer.

        Raises:
          InputError: the last checkpoint could not be written.
        """
        try:
            self.wait()
        finally:
            self._writer.shutdown()
            with self._one_line():
                self._checkpointer.close()

    @property
    def steps(self) -> list[int]:
        """The steps of the checkpoints, newest last."""
        return [checkpoint.step for checkpoint in self._checkpointer.checkpoints]

    @property
    def latest_step(self) -> int | None:
        """The newest checkpoint's step, or None where there is none."""
        return max(self.steps, default=None)

    def save(
        self,
        step: int,
        state: TrainState,
        epoch: int,
        data: Any = None,
        loss: float | None = None,
    ) -> None:
        """Begin to write a checkpoint, once the one before is written.

        Args:
          step: steps done.
          state: of training.
          epoch: epochs done, which the original's checkpoints tell in place of steps.
          data: an iterator that can save its position. Without one, training goes on with the
            batch of the step.
          loss: by which checkpoints are judged; without one, this is not among the best.

        Raises:
          InputError: the one before could not be written.
        """
        self.wait()
        position = {} if data is None else {"data": data.get_state()}
        with self._one_line():
            response = self._checkpointer.save_checkpointables_async(
                step,
                _branches(state),
                overwrite=True,
                force=True,
                metrics=None if loss is None else {"loss": loss},
                custom_metadata={"epoch": epoch} | position | self._config,
            )
        assert response is not None, "force saves always"
        path = self.folder / str(step)

        def finish() -> None:
            response.result()
            if jax.process_index() == 0:
                write_checksums(path)

        self._written = self._writer.submit(finish)

    def wait(self) -> None:
        """Wait until the last checkpoint is written.

        Raises:
          InputError: it could not be.
        """
        if self._written is not None:
            written, self._written = self._written, None
            with self._one_line():
                written.result()

    def set_aside(self, steps: list[int]) -> None:
        """Rename damaged checkpoints to STEP.damaged, so that they are not among the newest."""
        if jax.process_index() == 0:
            for step in steps:
                path = self.folder / str(step)
                aside = path.with_name(f"{step}.damaged")
                shutil.rmtree(aside, ignore_errors=True)
                with self._one_line():
                    path.rename(aside)
        self._checkpointer.reload()

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn what Orbax raises where nothing can be written into one line."""
        try:
            yield
        except (OSError, ValueError) as error:
            # Of TensorStore a ValueError of several lines, which tells the cause at the end.
            cause = re.search(r"([^:]*) \[os_error_code=", str(error))
            reason = getattr(error, "strerror", None) or (cause and cause[1].strip())
            if not reason:
                raise
            raise InputError(f"{self.folder}: cannot be written ({reason})") from error


def restore_state(path: pathlib.Path, abstract: TrainState, data: Any = None) -> TrainState:
    """The state of a checkpoint.

    Args:
      path: a checkpoint, as `find_checkpoint` finds it.
      abstract: shapes, dtypes and shardings of the state; one device where these are missing.
      data: an iterator like the one that was saved; it goes to where that was.

    Raises:
      DamagedCheckpointError: the checkpoint is not as it was written.
      InputError: it is of another architecture.
    """
    branches = _placed(_branches(abstract))
    if not _has_averages(path):
        branches.pop("averages", None)
    with _whole(path, (*branches, "_CHECKPOINT_METADATA")):
        _check_architecture(path, branches)
        state = TrainState(**ocp.load_checkpointables(path, branches))
        metadata = ocp.checkpointables_metadata(path).custom_metadata
    if abstract.averages is not None and state.averages is None:
        state = begin_averages(state)
    if data is not None:
        data.set_state(metadata.get("data", {"next_batch": int(state.step)}))
    return state


def restore_epoch(path: pathlib.Path) -> int:
    """The epochs that a checkpoint had done."""
    return ocp.checkpointables_metadata(path).custom_metadata["epoch"]


def restore_config(path: pathlib.Path) -> Config | None:
    """The configuration that a checkpoint carries; None where it is older than that.

    Raises:
      InputError: this version knows no such configuration.
    """
    text = (ocp.checkpointables_metadata(path).custom_metadata or {}).get("config")
    with naming(path):
        return None if text is None else from_json(text)


def restore_networks(folder: str | os.PathLike[str], model: MotionModel) -> MotionModel:
    """Trained networks from a checkpoint: the averages of their weights where it has them.

    Args:
      folder: a checkpoint, or a folder of which the newest is taken: a workdir or its checkpoints.
      model: the abstract model of the architecture, from `build.abstract_model`.

    Raises:
      DamagedCheckpointError: the checkpoint is not as it was written.
      InputError: there is none in the folder, or it is of another architecture.
    """
    path = find_checkpoint(folder)
    params, statistics = split_model(model)
    weights = "averages" if _has_averages(path) else "params"
    abstract = _placed({weights: params, "statistics": statistics})
    with _whole(path, abstract):
        _check_architecture(path, {"params": params, "statistics": statistics})
        restored = ocp.load_checkpointables(path, abstract)
    return merge_model(nnx.graphdef(model), restored[weights], restored["statistics"])


def find_checkpoint(folder: str | os.PathLike[str]) -> pathlib.Path:
    """The newest checkpoint in a workdir or its folder of checkpoints, or the folder if it is one.

    Raises:
      InputError: there is none.
    """
    path = pathlib.Path(folder).absolute()
    for parent in (path / FOLDER, path):
        steps = [
            entry
            for entry in (parent.iterdir() if parent.is_dir() else ())
            if entry.name.isdecimal() and _is_checkpoint(entry)
        ]
        if steps:
            return max(steps, key=lambda entry: int(entry.name))
    if _is_checkpoint(path):
        return path
    raise InputError(f"{folder}: no checkpoint here; expected a workdir that was trained in")


def _is_checkpoint(path: pathlib.Path) -> bool:
    return (path / "params").is_dir() and ocp.is_orbax_checkpoint(path)


def _has_averages(path: pathlib.Path) -> bool:
    return (path / "averages").is_dir()


@contextlib.contextmanager
def _whole(path: pathlib.Path, parts: Iterable[str]) -> Iterator[None]:
    """Refuse to read parts of a checkpoint whose files are not as they were written."""
    try:
        damage = find_damage(path, parts)
    except FileNotFoundError:
        # From before there were checksums, or killed before they were there.
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # Orbax has no class of its own for it
            raise DamagedCheckpointError(f"{path}: cannot be read") from error
        return
    if damage:
        raise DamagedCheckpointError(f"{path}: is damaged ({damage})")
    yield


def _drop_damaged_metrics(folder: pathlib.Path) -> None:
    """Remove metrics that Orbax would stop at; without, a checkpoint is not among the best."""
    for metrics in folder.glob("*/metrics/metrics"):
        try:
            json.loads(metrics.read_bytes())
        except (ValueError, FileNotFoundError):
            metrics.unlink(missing_ok=True)


def _placed(abstract: Any) -> Any:
    """The tree with a device for what has no sharding."""
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or device
        ),
        abstract,
    )


def _branches(state: TrainState) -> dict[str, Any]:
    fields = (field.name for field in dataclasses.fields(state))
    return {name: branch for name in fields if (branch := getattr(state, name)) is not None}


def _check_architecture(path: pathlib.Path, abstract: dict[str, Any]) -> None:
    """Compare the networks' names and shapes with those that were saved."""

    def shapes(branches: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        return {
            jax.tree_util.keystr(key, simple=True, separator="."): tuple(leaf.shape)
            for branch in ("params", "statistics")
            for key, leaf in jax.tree_util.tree_leaves_with_path(branches[branch])
        }

    with naming(path):
        check_shapes(shapes(ocp.checkpointables_metadata(path).metadata), shapes(abstract))
