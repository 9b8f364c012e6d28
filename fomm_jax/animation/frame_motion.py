"""The motion of single frames on the host, whatever the model: named arrays and pytrees.

A model detects the motion of a batch of frames as a pytree. Between frames, the host handles the
motion of one frame: the same pytree without the batch dimension, as numpy arrays.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from fomm_jax.models.motion_model import Motion

FrameMotion = Any  # a `Motion` without the batch dimension, as numpy arrays


class DrivingFrame(NamedTuple):
    """One frame of what drives an animation."""

    keypoints: FrameMotion
    picture: np.ndarray | None  # (h, w, 3) uint8; None where only the keypoints are known


def split_frames(motion: Motion, count: int) -> list[FrameMotion]:
    """Split the motion of a batch into that of its first `count` frames."""
    motion = jax.device_get(motion)
    return [jax.tree.map(lambda array, i=i: array[i], motion) for i in range(count)]


def join_frames(frames: Sequence[FrameMotion]) -> Motion:
    """Join the motion of frames into that of a batch, on the device."""
    return jax.tree.map(lambda *arrays: jax.device_put(np.stack(arrays)), *frames)


def named_arrays(motion: Any) -> dict[str, Any]:
    """Return the arrays of a pytree of motion by name, such as `value` and `jacobian`."""
    leaves = jax.tree_util.tree_leaves_with_path(motion)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def from_named_arrays(arrays: dict[str, Any], like: Any) -> Any:
    """Return a pytree like another one, with other arrays of the same names."""
    return jax.tree.unflatten(
        jax.tree.structure(like), [arrays[name] for name in named_arrays(like)]
    )
