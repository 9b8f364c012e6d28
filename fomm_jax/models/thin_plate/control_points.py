"""What the thin-plate spline motion model knows about the motion in a frame."""

import dataclasses
from typing import Any

import jax
from jaxtyping import Float

POINTS_OF_SPLINE = 5  # control points of each spline


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ControlPoints:
    """The control points of all splines in frames: five of the first spline, then of the next.

    The batch dimension is missing in the points of a single frame, which lie on the host.
    """

    value: Float[Any, "*b k 2"]  # in (x, y) order on [-1, 1]
