"""The vocabulary that all parts of the project share: batches, motion fields, videos.

Letters for dimensions: b batch, k keypoints, h height, w width, c channels, t frames.
Pictures are NHWC, float in [0, 1] inside the model and uint8 outside it. Coordinates are in
(x, y) order on [-1, 1], where -1 is the centre of the first pixel and 1 that of the last
(see `geometry.coordinate_grid`).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Float, UInt8

Array = jax.Array | np.ndarray  # on the device or on the host
Curves = dict[str, dict[int, float]]  # {name: {step: value}}, such as the losses of a run


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """Pairs of frames, each from one video, as the host sends them to the device."""

    source: UInt8[Array, "b h w c"]
    driving: UInt8[Array, "b h w c"]  # as late in the video as `source`, or later


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DenseMotion:
    """The motion field from driving frames to sources, at the dense motion network's size."""

    # The source warped by each motion; background first.
    sparse_deformed: Float[jax.Array, "b motions h w c"]
    # The share of each motion; it sums to 1 over the last axis.
    mask: Float[jax.Array, "b h w motions"]
    # Where in the source each pixel comes from, (x, y) on [-1, 1].
    deformation: Float[jax.Array, "b h w 2"]
    # In [0, 1]: 1 is visible in the source, 0 is not. Models have none, one, or several of growing
    # sizes; the last one is the finest.
    occlusion_maps: tuple[Float[jax.Array, "b _ _ 1"], ...]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GeneratorOutput:
    """Generated frames and how they came about."""

    prediction: Float[jax.Array, "b h w c"]  # in [0, 1]
    deformed: Float[jax.Array, "b h w c"]  # the sources warped by the dense motion alone
    dense_motion: DenseMotion


class Batches(Protocol):
    """Endless batches for training, with a position that can be saved.

    Attributes:
      steps_per_epoch: the number of batches in an epoch.
    """

    steps_per_epoch: int

    def __next__(self) -> Batch:
        """Read the next batch."""
        ...

    def get_state(self) -> dict[str, Any]:
        """Return the position in a form that JSON can hold."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position that `get_state` returned."""
        ...


class Video(Protocol):
    """A video on disk, as reconstruction and animation read it."""

    name: str  # outputs are named after it
    fps: float  # frames per second
    # (t + 1,) seconds at which frames are shown, and at which the last ends; None: a constant rate
    times: np.ndarray | None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames in order, (h, w, c) uint8, each decoded when it is asked for."""
        ...
