"""Checkpoints of training: the networks, their optimisers and the loader's position, together.

A checkpoint holds `params`, `statistics`, `optimizers` and `step`, so that an animation reads the
first two alone; epoch and position in the data, which are the same for every process, are in its
metadata. Orbax writes under a temporary name and renames, so that a checkpoint
that can be seen is whole.
"""

import dataclasses
import os
import pathlib
from typing import Any, Self

import jax
from flax import nnx
from orbax.checkpoint import v1 as ocp

from fomm_jax.errors import InputError
from fomm_jax.networks import Networks
from fomm_jax.train_state import TrainState, merge_networks, split_networks

FOLDER = "checkpoints"  # inside a workdir


class Checkpoints:
    """The checkpoints of a run, newest last. A context manager; leaving it waits for the writer."""

    def __init__(self, workdir: str | os.PathLike[str], *, keep: int):
        """Open or create the checkpoints of `workdir`, of which the newest `keep` stay.

        Raises:
          InputError: the folder cannot be written.
        """
        self.folder = pathlib.Path(workdir).absolute() / FOLDER
        try:
            self._checkpointer = ocp.training.Checkpointer(
                self.folder,
                preservation_policy=ocp.training.preservation_policies.LatestN(keep),
                cleanup_tmp_directories=True,
            )
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> Self:
        """The checkpoints themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the writer."""
        self._checkpointer.close()

    @property
    def latest_step(self) -> int | None:
        """The newest checkpoint's step, or None where there is none."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    def save(self, step: int, state: TrainState, epoch: int, data: Any = None) -> None:
        """Begin to write a checkpoint.

        Args:
          step: steps done.
          state: of training.
          epoch: epochs done, which the original's checkpoints tell in place of steps.
          data: an iterator that can save its position. Without one, training goes on with the
            batch of the step.
        """
        position = {} if data is None else {"data": data.get_state()}
        self._checkpointer.save_checkpointables_async(
            step,
            _branches(state),
            overwrite=True,
            force=True,
            custom_metadata={"epoch": epoch} | position,
        )


def restore_state(path: pathlib.Path, abstract: TrainState, data: Any = None) -> TrainState:
    """The state of a checkpoint.

    Args:
      path: a checkpoint, as `find_checkpoint` finds it.
      abstract: shapes, dtypes and shardings of the state; one device where these are missing.
      data: an iterator like the one that was saved; it goes to where that was.

    Raises:
      InputError: the checkpoint is of another architecture.
    """
    branches = _placed(_branches(abstract))
    _check_architecture(path, branches)
    state = TrainState(**ocp.load_checkpointables(path, branches))
    if data is not None:
        metadata = ocp.checkpointables_metadata(path).custom_metadata
        data.set_state(metadata.get("data", {"next_batch": int(state.step)}))
    return state


def restore_epoch(path: pathlib.Path) -> int:
    """The epochs that a checkpoint had done."""
    return ocp.checkpointables_metadata(path).custom_metadata["epoch"]


def restore_networks(folder: str | os.PathLike[str], networks: Networks) -> Networks:
    """Trained networks from a checkpoint.

    Args:
      folder: a checkpoint, or a folder of which the newest is taken: a workdir or its checkpoints.
      networks: abstract networks of the architecture, as `nnx.eval_shape` gives them.

    Raises:
      InputError: there is no checkpoint in the folder, or it is of another architecture.
    """
    path = find_checkpoint(folder)
    params, statistics = split_networks(networks)
    abstract = _placed({"params": params, "statistics": statistics})
    _check_architecture(path, abstract)
    restored = ocp.load_checkpointables(path, abstract)
    return merge_networks(nnx.graphdef(networks), restored["params"], restored["statistics"])


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
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def _check_architecture(path: pathlib.Path, abstract: dict[str, Any]) -> None:
    """Compare the networks' names and shapes with those that were saved."""

    def shapes(branches: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        return {
            jax.tree_util.keystr(key, simple=True, separator="."): tuple(leaf.shape)
            for branch in ("params", "statistics")
            for key, leaf in jax.tree_util.tree_leaves_with_path(branches[branch])
        }

    saved = shapes(ocp.checkpointables_metadata(path).metadata)
    for name, expected in shapes(abstract).items():
        found = saved.pop(name, None)
        if found != expected:
            what = "does not have it" if found is None else f"has shape {found}"
            raise InputError(
                f"{path}: is of another architecture: the config asks for {name} of shape"
                f" {expected}, the checkpoint {what}"
            )
    if saved:
        raise InputError(
            f"{path}: is of another architecture: it has {min(saved)}, which the config has not"
        )
