"""Read checkpoints of training; `checkpoints` describes and writes them."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import jax
from flax import nnx
from orbax.checkpoint import v1 as ocp

from fomm_jax.buckets import AnyPath, find_refusal, is_in_bucket
from fomm_jax.config.parsing import from_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import reading
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.bucket_retries import limit_retries
from fomm_jax.weights.checksums import find_damage
from fomm_jax.weights.find_checkpoint import find_checkpoint, has_part
from fomm_jax.weights.shapes import check_shapes
from fomm_jax.weights.train_state import (
    TrainState,
    begin_averages,
    merge_model,
    split_model,
    state_parts,
)


class DamagedCheckpointError(InputError):
    """A checkpoint is not as it was written; the message names it and the file."""


def restore_state(path: AnyPath, abstract: TrainState, data: Any = None) -> TrainState:
    """Read the state of training from a checkpoint.

    Args:
      path: a checkpoint, such as `find_checkpoint` returns.
      abstract: shapes, dtypes and shardings of the state. Arrays without a sharding go to the
        first device.
      data: an iterator like the one that was saved, which is moved to the saved position.

    Raises:
      DamagedCheckpointError: the checkpoint is not as it was written.
      InputError: it is of another architecture, or of another step than its folder's name says.
    """
    parts = _with_devices(state_parts(abstract))
    with reading(path):
        for part in ("averages", "averaged_statistics"):
            if not has_part(path, part):
                parts.pop(part, None)
    with _check_damage(path, (*parts, "_CHECKPOINT_METADATA")):
        _check_architecture(path, parts)
        state = TrainState(**ocp.load_checkpointables(path, parts))
        metadata = _read_metadata(path)
    if path.name.isdecimal() and int(path.name) != int(state.step):
        raise InputError(
            f"{path}: holds the state after step {int(state.step)}; expected that after step"
            f" {path.name}, as the folder is named (was it renamed?)"
        )
    if abstract.averages is not None:
        state = begin_averages(state)
    if data is not None:
        data.set_state(metadata.get("data", {"next_batch": int(state.step)}))
    return state


def restore_epoch(path: AnyPath) -> int:
    """Read the number of epochs that training had done at a checkpoint; 0 if it is not there."""
    return _read_metadata(path).get("epoch", 0)


def restore_config(path: AnyPath) -> Config | None:
    """Read the configuration that a checkpoint carries; old checkpoints have None.

    Raises:
      InputError: this version does not know a field of it.
    """
    text = _read_metadata(path).get("config")
    with naming(path):
        return None if text is None else from_json(text)


def restore_networks(folder: str | os.PathLike[str], model: MotionModel) -> MotionModel:
    """Read a trained model from a checkpoint: the averages over the steps if it has them.

    Args:
      folder: as in `find_checkpoint`.
      model: the abstract model of the architecture, from `build.abstract_model`.

    Raises:
      DamagedCheckpointError: the checkpoint is not as it was written.
      InputError: there is none in the folder, or it is of another architecture.
    """
    path = find_checkpoint(folder)
    params, statistics = split_model(model)
    with reading(path):
        weights = "averages" if has_part(path, "averages") else "params"
        running = "averaged_statistics" if has_part(path, "averaged_statistics") else "statistics"
    parts = _with_devices({weights: params, running: statistics})
    with _check_damage(path, parts):
        _check_architecture(path, {"params": params, "statistics": statistics})
        restored = ocp.load_checkpointables(path, parts)
    return merge_model(nnx.graphdef(model), restored[weights], restored[running])


def _read_metadata(path: AnyPath) -> dict[str, Any]:
    """Read what training has noted in a checkpoint: epoch, configuration, position in the data.

    Raises:
      InputError: the file, or the bucket, cannot be read.
    """
    with reading(path):
        return ocp.checkpointables_metadata(path).custom_metadata or {}


@contextlib.contextmanager
def _check_damage(path: AnyPath, parts: Iterable[str]) -> Iterator[None]:
    """Raise DamagedCheckpointError if parts of a checkpoint are not as they were written.

    The block reads the parts. If there are no checksums, an error in the block counts as damage,
    unless the bucket is the reason.

    Raises:
      InputError: the bucket of the checkpoint refuses, or does not answer.
    """
    limit_retries()
    has_checksums = True
    with reading(path):
        try:
            damage = find_damage(path, parts)
        except FileNotFoundError:
            # An older version wrote none, or training was killed before it wrote them.
            has_checksums, damage = False, None
    if damage:
        raise DamagedCheckpointError(f"{path}: is damaged ({damage})")
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Orbax has no class of its own for damage
        if is_in_bucket(path) and (reason := find_refusal(path, error)):
            raise InputError(f"{path}: cannot be read ({reason})") from error
        if has_checksums:
            raise
        raise DamagedCheckpointError(f"{path}: cannot be read") from error


def _with_devices(abstract: Any) -> Any:
    """Place the arrays of an abstract tree that have no sharding on the first device."""
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or device
        ),
        abstract,
    )


def _check_architecture(path: AnyPath, abstract: dict[str, Any]) -> None:
    """Raise InputError if a checkpoint's arrays differ in name or shape from abstract networks.

    Networks whose shapes cannot be read are left out: to load them will tell why.
    """
    written = ocp.checkpointables_metadata(path).metadata
    networks = [part for part in ("params", "statistics") if written.get(part) is not None]

    def shapes(parts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        return {
            jax.tree_util.keystr(key, simple=True, separator="."): tuple(leaf.shape)
            for part in networks
            for key, leaf in jax.tree_util.tree_leaves_with_path(parts[part])
        }

    with naming(path):
        check_shapes(shapes(written), shapes(abstract))
