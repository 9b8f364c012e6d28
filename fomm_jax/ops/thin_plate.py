"""The random thin-plate transform behind the equivariance losses (section 3.3 of the paper)."""

import dataclasses

import jax
import jax.numpy as jnp

from fomm_jax.ops import geometry

DISTANCE_EPSILON = 1e-6  # keeps log(d) finite at a control point; the original's value


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ThinPlateTransform:
    """x ↦ A x + t + Σ w_i d_i² log(d_i + 1e-6), with d_i the L1 distance to control point i.

    The control points are a regular grid on [-1, 1]²; a point's parameter moves x and y alike.
    """

    theta: jax.Array  # (b, 2, 3): A and t
    control_params: jax.Array  # (b, p²): w, row by row; p = 0 leaves the transform affine

    def warp_coordinates(self, points: jax.Array) -> jax.Array:
        """Transform points (b or 1, n, 2), giving (b, n, 2)."""
        theta = self.theta.astype(points.dtype)
        warped = geometry.apply_2x2(theta[:, None, :, :2], points) + theta[:, None, :, 2]
        side = round(self.control_params.shape[1] ** 0.5)
        if side == 0:
            return warped
        controls = geometry.coordinate_grid(side, side, points.dtype).reshape(1, 1, -1, 2)
        distance = jnp.sum(jnp.abs(points[:, :, None] - controls), axis=-1)
        bend = distance**2 * jnp.log(distance + DISTANCE_EPSILON)
        weights = self.control_params.astype(points.dtype)[:, None]
        return warped + jnp.sum(bend * weights, axis=-1, keepdims=True)

    def jacobian(self, points: jax.Array) -> jax.Array:
        """Derivatives (b, n, 2, 2) of the transform at points (b, n, 2); rows are its outputs."""
        columns = []
        for axis in range(2):
            direction = jnp.zeros_like(points).at[..., axis].set(1)
            columns.append(jax.jvp(self.warp_coordinates, (points,), (direction,))[1])
        return jnp.stack(columns, axis=-1)

    def warp_frame(self, frame: jax.Array, *, align_corners: bool) -> jax.Array:
        """Sample frames (b, h, w, c) at the transformed grid, reflected at the border."""
        _, height, width, _ = frame.shape
        grid = geometry.coordinate_grid(height, width, frame.dtype).reshape(1, -1, 2)
        warped = self.warp_coordinates(grid).reshape(-1, height, width, 2)
        return geometry.grid_sample(
            frame, warped, align_corners=align_corners, padding="reflection"
        )


def sample_transform(
    key: jax.Array,
    batch: int,
    dtype: jnp.dtype,
    *,
    sigma_affine: float,
    sigma_tps: float,
    points_tps: int,
) -> ThinPlateTransform:
    """Draw a transform for each of `batch` frames: normal noise about the identity.

    Args:
      key: of JAX's random numbers.
      batch: number of transforms.
      dtype: of the parameters.
      sigma_affine: standard deviation of the affine part.
      sigma_tps: standard deviation of the control points' parameters.
      points_tps: control points along each side; 0 leaves the transform affine.
    """
    affine_key, bend_key = jax.random.split(key)
    noise = sigma_affine * jax.random.normal(affine_key, (batch, 2, 3), dtype)
    return ThinPlateTransform(
        theta=jnp.eye(2, 3, dtype=dtype)[None] + noise,
        control_params=sigma_tps * jax.random.normal(bend_key, (batch, points_tps**2), dtype),
    )
