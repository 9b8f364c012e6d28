"""Grids, sampling, resizing and the small linear algebra of the motion model.

Coordinates are in (x, y) order on [-1, 1]. Everything is computed in the dtype of its input, and
no matrix unit is used on coordinates, since those round to bfloat16 on TPU.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

Padding = Literal["zeros", "reflection"]


def at_full_precision(x: jax.Array) -> jax.Array:
    """Float32 in place of bfloat16, and what is not bfloat16 as it is."""
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def coordinate_grid(height: int, width: int, dtype: jnp.dtype) -> jax.Array:
    """Coordinates of the pixels, (h, w, 2): -1 is the first pixel's centre, 1 the last one's."""
    x = 2 * (jnp.arange(width, dtype=dtype) / (width - 1)) - 1
    y = 2 * (jnp.arange(height, dtype=dtype) / (height - 1)) - 1
    return jnp.stack(jnp.meshgrid(x, y), axis=-1)


def gaussian_heatmaps(centres: jax.Array, height: int, width: int, variance: float) -> jax.Array:
    """exp(-|z - p|² / (2 variance)) around each centre, without normalisation (eq. 6 of the paper).

    Args:
      centres: (b, k, 2).
      height, width: size of the heatmaps.
      variance: in squared units of the coordinates.

    Returns:
      (b, h, w, k) in [0, 1].
    """
    grid = coordinate_grid(height, width, centres.dtype)
    offsets = grid[None, :, :, None] - centres[:, None, None]
    return jnp.exp(-0.5 * jnp.sum(offsets**2, axis=-1) / variance)


def invert_2x2(matrices: jax.Array) -> jax.Array:
    """Inverses of matrices (..., 2, 2), in closed form; not finite where singular."""
    a, b = matrices[..., 0, 0], matrices[..., 0, 1]
    c, d = matrices[..., 1, 0], matrices[..., 1, 1]
    adjugate = jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def multiply_2x2(left: jax.Array, right: jax.Array) -> jax.Array:
    """Products of matrices (..., 2, 2), in full precision on every device."""
    return jnp.sum(left[..., :, :, None] * right[..., None, :, :], axis=-2)


def apply_2x2(matrices: jax.Array, points: jax.Array) -> jax.Array:
    """Matrices (..., 2, 2) times points (..., 2), in full precision on every device."""
    return jnp.sum(matrices * points[..., None, :], axis=-1)


def _to_pixels(coordinates: jax.Array, size: int, align_corners: bool) -> jax.Array:
    """From [-1, 1] to pixel indices: ±1 are pixel centres if aligned, else the outer edges."""
    if align_corners:
        return (coordinates + 1) / 2 * (size - 1)
    return ((coordinates + 1) * size - 1) / 2


def _reflect(pixels: jax.Array, size: int, align_corners: bool) -> jax.Array:
    """Fold pixel coordinates back into the picture at its border (its edge or its last centre)."""
    low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
    distance = jnp.abs(pixels - low)
    turns = jnp.floor(distance / span)
    rest = distance - turns * span
    folded = jnp.where(turns % 2 == 0, rest, span - rest) + low
    return jnp.clip(folded, 0, size - 1)


@jax.named_scope("grid_sample")
def grid_sample(
    pictures: jax.Array,
    grid: jax.Array,
    *,
    align_corners: bool,
    padding: Padding = "zeros",
) -> jax.Array:
    """Bilinear sampling of pictures at given coordinates, as `torch.nn.functional.grid_sample`.

    Args:
      pictures: (b, h, w, c), or (1, h, w, c) where one picture serves every grid.
      grid: (b, ..., 2) coordinates in (x, y) order on [-1, 1].
      align_corners: whether ±1 are the centres of the border pixels or their outer edges.
      padding: what lies outside: zeros, or the picture reflected at its border.

    Returns:
      (b, ..., c).
    """
    batch, height, width, channels = pictures.shape
    x = _to_pixels(grid[..., 0], width, align_corners).reshape(batch, -1)
    y = _to_pixels(grid[..., 1], height, align_corners).reshape(batch, -1)
    if padding == "reflection":
        x = _reflect(x, width, align_corners)
        y = _reflect(y, height, align_corners)
    left, top = jnp.floor(x), jnp.floor(y)
    rows = pictures.reshape(batch, height * width, channels)

    def corner(column: jax.Array, row: jax.Array, weight: jax.Array) -> jax.Array:
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = jnp.where(inside, row * width + column, 0).astype(jnp.int32)
        values = jnp.take_along_axis(rows, index[..., None], axis=1, mode="promise_in_bounds")
        return at_full_precision(values) * jnp.where(inside, weight, 0)[..., None]

    right_share, bottom_share = x - left, y - top
    sampled = (
        corner(left, top, (1 - right_share) * (1 - bottom_share))
        + corner(left + 1, top, right_share * (1 - bottom_share))
        + corner(left, top + 1, (1 - right_share) * bottom_share)
        + corner(left + 1, top + 1, right_share * bottom_share)
    )
    return sampled.astype(pictures.dtype).reshape(*grid.shape[:-1], channels)


def resize_bilinear(pictures: jax.Array, height: int, width: int) -> jax.Array:
    """Resize (b, h, w, c) as torch's `interpolate(mode="bilinear")`: no anti-aliasing."""
    shape = (pictures.shape[0], height, width, pictures.shape[3])
    return jax.image.resize(pictures, shape, "bilinear", antialias=False)


def upsample_nearest(pictures: jax.Array) -> jax.Array:
    """Double height and width of (b, h, w, c) by repeating pixels."""
    batch, height, width, channels = pictures.shape
    repeated = jnp.broadcast_to(
        pictures[:, :, None, :, None], (batch, height, 2, width, 2, channels)
    )
    return repeated.reshape(batch, 2 * height, 2 * width, channels)


def average_pool(pictures: jax.Array) -> jax.Array:
    """Means over 2x2 pixels of (b, h, w, c); an odd last row or column is left out."""
    batch, height, width, channels = pictures.shape
    height, width = height // 2, width // 2
    blocks = pictures[:, : 2 * height, : 2 * width]
    return blocks.reshape(batch, height, 2, width, 2, channels).mean(axis=(2, 4))


@functools.cache
def antialias_kernel(scale: float) -> np.ndarray:
    """The Gaussian low-pass filter before shrinking by `scale`, (n, n) float32, of sum 1.

    Sigma is (1/scale - 1)/2 and n = 2 round(4 sigma) + 1. The original computes it in float32, and
    the roundings are part of the model: exponential, product and quotient are rounded as there,
    whatever the precision of the pictures.
    """
    sigma = (1 / scale - 1) / 2
    size = 2 * round(4 * sigma) + 1
    offsets = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    exponents = -(offsets**2) / np.float32(2 * sigma**2)
    profile = np.exp(exponents.astype(np.float64)).astype(np.float32)
    kernel = profile[:, None] * profile[None, :]
    return kernel / kernel.sum(dtype=np.float64).astype(np.float32)


@jax.named_scope("antialias_downsample")
def antialias_downsample(pictures: jax.Array, scale: float) -> jax.Array:
    """Shrink (b, h, w, c) by `scale`: zero padding, Gaussian filter, then every (1/scale)-th pixel.

    `scale` is 1 or has a whole-numbered inverse.
    """
    if scale == 1:
        return pictures
    kernel = antialias_kernel(scale)
    stride, size, border = int(1 / scale), len(kernel), len(kernel) // 2
    height, width = (-(-extent // stride) for extent in pictures.shape[1:3])
    # Each row of the kernel as a matrix between whole rows of pixels: convolutions of one channel
    # are slow everywhere, and took two fifths of a step's cycles on TPU (docs/performance.md).
    taps = np.arange(pictures.shape[2])[:, None] - stride * np.arange(width) + border
    inside = (taps >= 0) & (taps < size)
    row_filters = np.where(inside, kernel[:, np.clip(taps, 0, size - 1)], 0)
    padded = jnp.pad(pictures, ((0, 0), (border, border), (0, 0), (0, 0)))
    last = stride * (height - 1) + 1
    rows = jnp.stack([padded[:, first : first + last : stride] for first in range(size)], axis=2)
    return jnp.einsum(
        "bhkxc,kxw->bhwc",
        rows,
        jnp.asarray(row_filters, pictures.dtype),
        precision=jax.lax.Precision.HIGHEST,
    )


def image_pyramid(pictures: jax.Array, scales: tuple[float, ...]) -> tuple[jax.Array, ...]:
    """The pictures (b, h, w, c) shrunk by each of the scales (section 3.3 of the paper)."""
    return tuple(antialias_downsample(pictures, scale) for scale in scales)
