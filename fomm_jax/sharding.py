"""The mesh of devices, and how state and batches lie on it."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fomm_jax.errors import InputError
from fomm_jax.types import Batch

DATA_AXIS = "data"


def data_mesh() -> Mesh:
    """All devices of all processes along one axis, over which batches are split."""
    return jax.make_mesh((jax.device_count(),), (DATA_AXIS,), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_by_batch(mesh: Mesh) -> NamedSharding:
    """The first dimension split over the devices."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Refuse a global batch that the devices cannot share equally.

    Raises:
      InputError: batch_size is no multiple of the number of devices.
    """
    if batch_size % mesh.size:
        raise InputError(
            f"config.train.batch_size is {batch_size}, expected a multiple of the"
            f" {mesh.size} devices"
        )


def to_global(batch: Batch, mesh: Mesh) -> Batch:
    """One global batch from the parts (b / processes, h, w, c) that the processes hold."""

    def place(part: np.ndarray) -> jax.Array:
        return jax.make_array_from_process_local_data(split_by_batch(mesh), part)

    return jax.tree.map(place, batch)
