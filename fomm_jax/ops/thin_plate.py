"""The random thin-plate transform behind the equivariance losses (section 3.3 of the paper)."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.ops import geometry

DISTANCE_EPSILON = 1e-6  # keeps log(d) finite at a control point; the original's value


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ThinPlateTransform:
    """The transform x ↦ A x + t + Σ w_i d_i² log(d_i + 1e-6).

    Here d_i is the L1 distance from x to control point i. The control points are a regular grid on
    [-1, 1]². A control point's parameter w_i adds the same amount to both coordinates.
    """

    theta: Float[Array, "b 2 3"]  # A and t
    # The w_i, row by row; p is a square number, and p = 0 leaves the transform affine.
    control_params: Float[Array, "b p"]

    def warp_coordinates(self, points: Float[Array, "#b n 2"]) -> Float[Array, "b n 2"]:
        """Transform points in (x, y) order on [-1, 1]."""
        theta = self.theta.astype(points.dtype)
        warped = geometry.apply_2x2(theta[:, None, :, :2], points) + theta[:, None, :, 2]
        side = round(self.control_params.shape[1] ** 0.5)
        if side == 0:
            return warped
        controls = geometry.coordinate_grid(side, side, points.dtype).reshape(1, 1, -1, 2)
        bend = self.bend(points[:, :, None] - controls)
        weights = self.control_params.astype(points.dtype)[:, None]
        return warped + jnp.sum(bend * weights, axis=-1, keepdims=True)

    def bend(self, offsets: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
        """Compute d² log(d + 1e-6) for offsets from control points."""
        distance = jnp.sum(jnp.abs(offsets), axis=-1)
        return distance**2 * jnp.log(distance + DISTANCE_EPSILON)

    def jacobian(self, points: Float[Array, "b n 2"]) -> Float[Array, "b n 2 2"]:
        """Differentiate the transform at points; entry [i, j] is ∂output_i / ∂input_j."""
        columns = []
        for axis in range(2):
            direction = jnp.zeros_like(points).at[..., axis].set(1)
            columns.append(jax.jvp(self.warp_coordinates, (points,), (direction,))[1])
        return jnp.stack(columns, axis=-1)

    def warp_frame(
        self, frame: Float[Array, "b h w c"], *, align_corners: bool
    ) -> Float[Array, "b h w c"]:
        """Sample frames at the transformed grid; beyond the border they are reflected."""
        _, height, width, _ = frame.shape
        grid = geometry.coordinate_grid(height, width, frame.dtype).reshape(1, -1, 2)
        warped = self.warp_coordinates(grid).reshape(-1, height, width, 2)
        return geometry.grid_sample(frame, warped, align_corners=align_corners, border="reflection")


def sample_transform(
    key: jax.Array,
    batch: int,
    dtype: jnp.dtype,
    *,
    sigma_affine: float,
    sigma_tps: float,
    points_tps: int,
) -> ThinPlateTransform:
    """Draw one transform per frame: the identity with normal noise on its parameters.

    Args:
      key: a random key of JAX.
      batch: the number of transforms.
      dtype: the dtype of the parameters.
      sigma_affine: standard deviation of the noise on A and t.
      sigma_tps: standard deviation of the control points' parameters.
      points_tps: control points along each side; 0 leaves the transform affine.
    """
    affine_key, bend_key = jax.random.split(key)
    noise = sigma_affine * jax.random.normal(affine_key, (batch, 2, 3), dtype)
    return ThinPlateTransform(
        theta=jnp.eye(2, 3, dtype=dtype)[None] + noise,
        control_params=sigma_tps * jax.random.normal(bend_key, (batch, points_tps**2), dtype),
    )
