"""Thin-plate splines with the kernel r² log(r² + 1e-9), where r is the Euclidean distance.

`fit_splines` finds the splines that move given points to given places, and `EuclideanTransform`
is the random transform with this kernel.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate import ThinPlateTransform

SQUARED_EPSILON = 1e-9  # keeps log(r²) finite at a control point; the original's value
# Added to the whole diagonal of the equations of `fit_splines`: the original's value. Splines so
# miss their targets by a little, and stay tame where control points lie close together.
RIDGE = 0.01


def spline_kernel(offsets: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
    """Compute r² log(r² + 1e-9) for offsets of length r. Its gradient at the offset 0 is 0."""
    squared = jnp.sum(offsets**2, axis=-1)
    return squared * jnp.log(squared + SQUARED_EPSILON)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Splines:
    """The transforms x ↦ A x + t + Σ w_i k(x - c_i), with control points c_i of their own."""

    theta: Float[Array, "b s 2 3"]  # A and t of each spline
    control_params: Float[Array, "b s p 2"]  # the w_i, an amount for each coordinate
    controls: Float[Array, "b s p 2"]  # the c_i, in (x, y) order on [-1, 1]

    def warp_grid(self, height: int, width: int) -> Float[Array, "b s {height} {width} 2"]:
        """Transform the centres of all pixels by each spline."""
        grid = geometry.coordinate_grid(height, width, self.theta.dtype)[None, None]
        theta, controls = self.theta[:, :, None, None], self.controls[:, :, None, None]
        affine = geometry.apply_2x2(theta[..., :2], grid) + theta[..., 2]
        bend = spline_kernel(grid[..., None, :] - controls)
        weights = self.control_params[:, :, None, None]
        return affine + jnp.sum(bend[..., None] * weights, axis=-2)


def fit_splines(controls: Float[Array, "b s p 2"], targets: Float[Array, "#b s p 2"]) -> Splines:
    """Find the splines that move control points to their targets.

    Each solves (p + 3) linear equations: [K P; Pᵀ 0] + 0.01 I times the parameters is the targets,
    then zeros, where K is the kernel between the control points and P has rows (x, y, 1).

    Args:
      controls: p control points of each of s splines, in (x, y) order on [-1, 1].
      targets: where they go; a single set serves the whole batch.
    """
    batch, splines, count, _ = controls.shape
    kernel = spline_kernel(controls[..., :, None, :] - controls[..., None, :, :])
    homogeneous = jnp.concatenate([controls, jnp.ones_like(controls[..., :1])], axis=-1)
    corner = jnp.zeros((batch, splines, 3, 3), controls.dtype)
    upper = jnp.concatenate([kernel, homogeneous], axis=-1)
    lower = jnp.concatenate([jnp.swapaxes(homogeneous, -1, -2), corner], axis=-1)
    matrix = jnp.concatenate([upper, lower], axis=-2)
    matrix += RIDGE * jnp.eye(count + 3, dtype=controls.dtype)[None, None]
    places = jnp.broadcast_to(targets, controls.shape)
    right = jnp.concatenate([places, jnp.zeros((batch, splines, 3, 2), controls.dtype)], axis=-2)
    with jax.default_matmul_precision("highest"):
        parameters = jnp.linalg.solve(matrix, right)
    return Splines(
        theta=jnp.swapaxes(parameters[..., count:, :], -1, -2),
        control_params=parameters[..., :count, :],
        controls=controls,
    )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EuclideanTransform(ThinPlateTransform):
    """A `ThinPlateTransform` with the kernel r² log(r² + 1e-9) of the Euclidean distance r."""

    def bend(self, offsets: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
        """Compute the kernel for offsets from control points."""
        return spline_kernel(offsets)
