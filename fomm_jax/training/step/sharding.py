"""The mesh of devices, and how state and batches are distributed over it.

Batches are split over all devices. Parameters and optimiser state are either whole on each device,
or divided among the devices along the axis `fsdp` (fully sharded data parallelism), which then
gather what they need for each layer.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from fomm_jax.errors import InputError
from fomm_jax.types import Batch

DATA_AXIS, FSDP_AXIS = "data", "fsdp"
MIN_DIVIDED = 2**16  # elements; gathering smaller arrays costs more than keeping them

T = TypeVar("T")


def make_mesh(fsdp: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Make a mesh (data, fsdp) of the given devices, or of all devices of all processes.

    Args:
      fsdp: the number of devices that share one copy of parameters and optimiser state.
      devices: the devices of the mesh.

    Raises:
      InputError: the devices do not divide into groups of `fsdp`.
    """
    count = jax.device_count() if devices is None else len(devices)
    if count % fsdp:
        raise InputError(f"config.train.fsdp is {fsdp}, expected a divisor of the {count} devices")
    return jax.make_mesh(
        (count // fsdp, fsdp),
        (DATA_AXIS, FSDP_AXIS),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=devices,
    )


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding of an array that is whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_by_batch(mesh: Mesh) -> NamedSharding:
    """Return the sharding of an array whose first dimension is split over the devices."""
    return NamedSharding(mesh, PartitionSpec((DATA_AXIS, FSDP_AXIS)))


def shapes(tree: Any, placed: Sharding) -> Any:
    """Replace the arrays of a tree by shapes, all with one sharding."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placed), tree
    )


def placed(abstract: T, shardings: T) -> T:
    """Give each shape of a tree its sharding."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract,
        shardings,
    )


def divided(mesh: Mesh, abstract: T, min_size: int = MIN_DIVIDED) -> T:
    """Return a sharding for each array of a tree: divided along `fsdp`, or whole everywhere.

    Args:
      mesh: a mesh from `make_mesh`.
      abstract: the tree, with shapes for arrays.
      min_size: the number of elements from which on an array is divided, along the longest of its
        dimensions that the axis divides.
    """
    parts = mesh.shape[FSDP_AXIS]

    def choose(leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        lengths = [length if length % parts == 0 else 0 for length in leaf.shape]
        if parts == 1 or leaf.size < min_size or not any(lengths):
            return replicated(mesh)
        spec: list[str | None] = [None] * len(lengths)
        spec[int(np.argmax(lengths))] = FSDP_AXIS
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree.map(choose, abstract)


def check_batch_size(batch_size: int, mesh: Mesh, accumulate: int = 1) -> None:
    """Raise an `InputError` if the devices cannot share a global batch equally.

    Args:
      batch_size: pairs per step.
      mesh: the mesh of the devices.
      accumulate: the number of parts in which the batch is taken.

    Raises:
      InputError: a part is not a multiple of the number of devices.
    """
    if batch_size % (mesh.size * accumulate):
        parts = f" times config.train.accumulate, {accumulate}" if accumulate > 1 else ""
        raise InputError(
            f"config.train.batch_size is {batch_size}, expected a multiple of the"
            f" {mesh.size} devices{parts}"
        )


def batch_norm_groups(devices: int | None, mesh: Mesh) -> int:
    """Return the number of groups of devices that normalise their parts of a batch apart.

    Args:
      devices: the number of devices in a group; None is all of them.
      mesh: the mesh of the devices.

    Raises:
      InputError: the devices do not divide into such groups.
    """
    devices = devices or mesh.size
    if mesh.size % devices:
        raise InputError(
            f"config.train.batch_norm_devices is {devices}, expected a divisor of the {mesh.size}"
            " devices"
        )
    return mesh.size // devices


def to_global(batch: Batch, mesh: Mesh) -> Batch:
    """Make one global batch of the parts (b / processes, h, w, c) that the processes have."""

    def place(part: np.ndarray) -> jax.Array:
        return jax.make_array_from_process_local_data(split_by_batch(mesh), part)

    return jax.tree.map(place, batch)
