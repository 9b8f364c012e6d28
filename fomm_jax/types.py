"""What travels between the parts of the model, with shapes and ranges.

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

Array = jax.Array | np.ndarray  # on the device or on the host
Curves = dict[str, dict[int, float]]  # {name: {step: value}}, such as the losses of a run


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """Pairs of frames of one video each, as the host sends them to the device."""

    source: Array  # (b, h, w, c) uint8
    driving: Array  # (b, h, w, c) uint8, as late in the video as `source` or later


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Keypoints:
    """Keypoints of frames, with the local affine transformation from the reference frame."""

    value: jax.Array  # (b, k, 2) in (x, y) order on [-1, 1]
    jacobian: jax.Array | None = None  # (b, k, 2, 2); None in the zero-order model


@dataclasses.dataclass(frozen=True)
class FrameKeypoints:
    """The same of one frame, on the host."""

    value: np.ndarray  # (k, 2)
    jacobian: np.ndarray | None = None  # (k, 2, 2)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DenseMotion:
    """The motion field from the driving frame to the source, at the dense motion network's size."""

    # (b, k+1, h, w, c) the source warped by each motion; background first
    sparse_deformed: jax.Array
    # (b, h, w, k+1) the share of each motion, sums to 1 over the last axis
    mask: jax.Array
    # (b, h, w, 2) where in the source each pixel is found, (x, y) on [-1, 1]
    deformation: jax.Array
    # (b, h, w, 1) in [0, 1]: 1 is visible in the source, 0 is not; None where not estimated
    occlusion_map: jax.Array | None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GeneratorOutput:
    """The generated frame and how it came about."""

    prediction: jax.Array  # (b, h, w, c) in [0, 1]
    deformed: jax.Array  # (b, h, w, c) the source picture warped by the dense motion alone
    dense_motion: DenseMotion


class Batches(Protocol):
    """Endless batches of training, with a position that can be saved."""

    def __next__(self) -> Batch:
        """Read the next batch."""
        ...

    def get_state(self) -> dict[str, Any]:
        """Tell the position, as JSON can hold it."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position that `get_state` told."""
        ...


class Video(Protocol):
    """What reconstruction and animation need of a video on disk."""

    name: str  # by which outputs are called
    fps: float  # frames a second

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames in order, (h, w, c) uint8, decoded as they are asked for."""
        ...
