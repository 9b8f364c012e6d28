"""Keypoints of the first-order model: what it knows about the motion in a frame."""

import dataclasses
from typing import Any

import jax
from jaxtyping import Float


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Keypoints:
    """Keypoints of frames, with the local affine transformation from the reference frame.

    The batch dimension is missing in the keypoints of a single frame, which lie on the host.
    """

    # In (x, y) order on [-1, 1].
    value: Float[Any, "*b k 2"]
    # The derivative of the transformation at each keypoint; None in the zero-order model.
    jacobian: Float[Any, "*b k 2 2"] | None = None
