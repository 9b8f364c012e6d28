"""Coordinate grids, sampling, resizing, and the small linear algebra of motion models.

Coordinates are in (x, y) order on [-1, 1]. Every function computes in the dtype of its input.
Coordinates never go through a matrix unit, which on TPU would round them to bfloat16.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

BorderMode = Literal["zeros", "reflection"]


def at_full_precision(x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """Convert bfloat16 to float32; return every other dtype unchanged."""
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def coordinate_grid(height: int, width: int, dtype: jnp.dtype) -> Float[Array, "h w 2"]:
    """Return the coordinates of all pixels: -1 is the first pixel's centre, 1 the last one's."""
    x = 2 * (jnp.arange(width, dtype=dtype) / (width - 1)) - 1
    y = 2 * (jnp.arange(height, dtype=dtype) / (height - 1)) - 1
    return jnp.stack(jnp.meshgrid(x, y), axis=-1)


def gaussian_heatmaps(
    centres: Float[Array, "b k 2"], height: int, width: int, variance: float
) -> Float[Array, "b h w k"]:
    """Compute exp(-|z - p|² / (2 variance)) around each centre p (eq. 6, not normalised).

    Args:
      centres: the points p, on [-1, 1].
      height: height of the heatmaps in pixels.
      width: width of the heatmaps in pixels.
      variance: the variance, in squared units of the coordinates.

    Returns:
      Heatmaps in [0, 1].
    """
    grid = coordinate_grid(height, width, centres.dtype)
    offsets = grid[None, :, :, None] - centres[:, None, None]
    return jnp.exp(-0.5 * jnp.sum(offsets**2, axis=-1) / variance)


def invert_2x2(matrices: Float[Array, "*n 2 2"]) -> Float[Array, "*n 2 2"]:
    """Invert matrices in closed form. The inverse of a singular matrix is not finite."""
    a, b = matrices[..., 0, 0], matrices[..., 0, 1]
    c, d = matrices[..., 1, 0], matrices[..., 1, 1]
    adjugate = jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def multiply_2x2(
    left: Float[Array, "... 2 2"], right: Float[Array, "... 2 2"]
) -> Float[Array, "... 2 2"]:
    """Multiply matrices in full precision on every device; leading dimensions broadcast."""
    return jnp.sum(left[..., :, :, None] * right[..., None, :, :], axis=-2)


def apply_2x2(
    matrices: Float[Array, "... 2 2"], points: Float[Array, "... 2"]
) -> Float[Array, "... 2"]:
    """Apply matrices to points in full precision on every device; leading dimensions broadcast."""
    return jnp.sum(matrices * points[..., None, :], axis=-1)


def _to_pixels(coordinates: jax.Array, size: int, align_corners: bool) -> jax.Array:
    """Convert [-1, 1] to pixel indices: ±1 are pixel centres if aligned, else the outer edges."""
    if align_corners:
        return (coordinates + 1) / 2 * (size - 1)
    return ((coordinates + 1) * size - 1) / 2


def _reflect(pixels: jax.Array, size: int, align_corners: bool) -> jax.Array:
    """Fold pixel indices back into the picture at its edge, or at its last pixel's centre."""
    low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
    distance = jnp.abs(pixels - low)
    turns = jnp.floor(distance / span)
    rest = distance - turns * span
    folded = jnp.where(turns % 2 == 0, rest, span - rest) + low
    return jnp.clip(folded, 0, size - 1)


@jax.named_scope("grid_sample")
def grid_sample(
    pictures: Float[Array, "#b h w c"],
    grid: Float[Array, "b *points 2"],
    *,
    align_corners: bool,
    border: BorderMode = "zeros",
) -> Float[Array, "b *points c"]:
    """Sample pictures bilinearly, as `torch.nn.functional.grid_sample` does.

    Args:
      pictures: the pictures; a single one serves every grid.
      grid: where to sample, in (x, y) order on [-1, 1].
      align_corners: whether ±1 are the centres of the border pixels or their outer edges.
      border: what lies outside a picture: zeros, or the picture reflected at its border.
    """
    height, width = pictures.shape[1:3]
    x = _to_pixels(grid[..., 0], width, align_corners)
    y = _to_pixels(grid[..., 1], height, align_corners)
    if border == "reflection":
        x = _reflect(x, width, align_corners)
        y = _reflect(y, height, align_corners)
    return sample_pixels(pictures, x, y)


@jax.jit  # so that an export finds it, and writes ONNX's own operator in its place
def sample_pixels(
    pictures: Float[Array, "#b h w c"],
    x: Float[Array, "#b *points"],
    y: Float[Array, "#b *points"],
) -> Float[Array, "b *points c"]:
    """Sample pictures bilinearly at the pixel indices (x, y); outside a picture there are zeros."""
    batch, height, width, channels = pictures.shape
    rows, points = pictures.reshape(batch, height * width, channels), x.shape
    x, y = x.reshape(batch, -1), y.reshape(batch, -1)
    left, top = jnp.floor(x), jnp.floor(y)

    def weighted_neighbours(column: jax.Array, row: jax.Array, weight: jax.Array) -> jax.Array:
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = jnp.where(inside, row * width + column, 0).astype(jnp.int32)
        values = jnp.take_along_axis(rows, index[..., None], axis=1, mode="promise_in_bounds")
        return at_full_precision(values) * jnp.where(inside, weight, 0)[..., None]

    right_share, bottom_share = x - left, y - top
    sampled = (
        weighted_neighbours(left, top, (1 - right_share) * (1 - bottom_share))
        + weighted_neighbours(left + 1, top, right_share * (1 - bottom_share))
        + weighted_neighbours(left, top + 1, (1 - right_share) * bottom_share)
        + weighted_neighbours(left + 1, top + 1, right_share * bottom_share)
    )
    return sampled.astype(pictures.dtype).reshape(*points, channels)


def resize_bilinear(
    pictures: Float[Array, "b _ _ c"], height: int, width: int
) -> Float[Array, "b h w c"]:
    """Resize as torch's `interpolate(mode="bilinear")` does: without anti-aliasing."""
    shape = (pictures.shape[0], height, width, pictures.shape[3])
    return jax.image.resize(pictures, shape, "bilinear", antialias=False)


def resize_between_corners(
    pictures: Float[Array, "b _ _ c"], height: int, width: int
) -> Float[Array, "b {height} {width} c"]:
    """Resize bilinearly so that the corner pixels stay where they are.

    It is torch's `interpolate(mode="bilinear", align_corners=True)`.
    """
    rows, columns = (
        jnp.asarray(_corner_weights(old, new), pictures.dtype)
        for old, new in zip(pictures.shape[1:3], (height, width), strict=True)
    )
    return jnp.einsum(
        "yh,bhwc,xw->byxc", rows, pictures, columns, precision=jax.lax.Precision.HIGHEST
    )


def _corner_weights(old: int, new: int) -> np.ndarray:
    """Return the share (new, old) that each old pixel of a line has in each new one."""
    positions = np.linspace(0, old - 1, new)[:, None]
    return np.maximum(0, 1 - np.abs(positions - np.arange(old)))


def upsample_nearest(pictures: Float[Array, "*b h w c"]) -> Float[Array, "*b 2*h 2*w c"]:
    """Double height and width by repeating every pixel."""
    *batch, height, width, channels = pictures.shape
    repeated = jnp.broadcast_to(
        pictures[..., :, None, :, None, :], (*batch, height, 2, width, 2, channels)
    )
    return repeated.reshape(*batch, 2 * height, 2 * width, channels)


def fold_columns(pictures: Float[Array, "b h w c"], columns: int) -> Float[Array, "b h _ _"]:
    """Make groups of neighbouring columns, whose number divides the width, into channels."""
    batch, height, width, channels = pictures.shape
    return pictures.reshape(batch, height, width // columns, columns * channels)


def average_pool(pictures: Float[Array, "*b h w c"]) -> Float[Array, "*b h//2 w//2 c"]:
    """Average blocks of 2×2 pixels. An odd last row or column is left out."""
    height, width = pictures.shape[-3] // 2 * 2, pictures.shape[-2] // 2 * 2
    return _average_blocks(pictures[..., :height, :width, :])


@jax.custom_vjp
def _average_blocks(pictures: Float[Array, "*b _ _ c"]) -> Float[Array, "*b _ _ c"]:
    """Average blocks of 2×2 pixels; the gradient is that of each block, repeated."""
    blocks = at_full_precision(pictures)
    # Adding slices is faster than a reduction, four times on TPU (docs/performance.md).
    first, second, third, fourth = (
        blocks[..., row::2, column::2, :] for row in range(2) for column in range(2)
    )
    return ((first + second + third + fourth) / 4).astype(pictures.dtype)


def _average_backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (upsample_nearest((at_full_precision(gradient) / 4).astype(gradient.dtype)),)


_average_blocks.defvjp(lambda pictures: (_average_blocks(pictures), None), _average_backward)


@functools.cache
def antialias_kernel(scale: float, sigma: float | None = None) -> np.ndarray:
    """Return the Gaussian low-pass filter that comes before shrinking by `scale`.

    The side n is 2 round(4 sigma) + 1. The original computes the filter in float32, and the
    roundings are part of the model: exponential, product and quotient are rounded here as they are
    there, whatever the precision of the pictures.

    Args:
      scale: a number below 1 whose inverse is whole.
      sigma: the standard deviation in pixels; default: (1/scale - 1)/2.

    Returns:
      (n, n) float32, of sum 1.
    """
    if sigma is None:
        sigma = (1 / scale - 1) / 2
    size = 2 * round(4 * sigma) + 1
    offsets = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    exponents = -(offsets**2) / np.float32(2 * sigma**2)
    profile = np.exp(exponents.astype(np.float64)).astype(np.float32)
    kernel = profile[:, None] * profile[None, :]
    return kernel / kernel.sum(dtype=np.float64).astype(np.float32)


@jax.named_scope("antialias_downsample")
def antialias_downsample(
    pictures: Float[Array, "b _ _ c"], scale: float, sigma: float | None = None
) -> Float[Array, "b _ _ c"]:
    """Shrink pictures: pad with zeros, apply the Gaussian filter, take every (1/scale)-th pixel.

    Args:
      pictures: the pictures.
      scale: 1, or a number whose inverse is whole.
      sigma: the standard deviation of the filter, as in `antialias_kernel`.
    """
    if scale == 1:
        return pictures
    kernel = antialias_kernel(scale, sigma)
    stride, size, border = int(1 / scale), len(kernel), len(kernel) // 2
    height, width = (-(-extent // stride) for extent in pictures.shape[1:3])
    # Each row of the kernel becomes a matrix between whole rows of pixels. Convolutions of a
    # single channel are slow everywhere: they took two fifths of a step's cycles on TPU
    # (docs/performance.md).
    taps = np.arange(pictures.shape[2])[:, None] - stride * np.arange(width) + border
    inside = (taps >= 0) & (taps < size)
    row_filters = np.where(inside, kernel[:, np.clip(taps, 0, size - 1)], 0)
    padded = jnp.pad(pictures, ((0, 0), (border, border), (0, 0), (0, 0)))
    last = stride * (height - 1) + 1
    rows = [
        jax.lax.slice_in_dim(padded, first, first + last, stride, axis=1) for first in range(size)
    ]
    return jnp.einsum(
        "bhkxc,kxw->bhwc",
        jnp.stack(rows, axis=2),
        jnp.asarray(row_filters, pictures.dtype),
        precision=jax.lax.Precision.HIGHEST,
    )


def image_pyramid(
    pictures: Float[Array, "b _ _ c"], scales: tuple[float, ...], sigma: float | None = None
) -> tuple[Float[Array, "b _ _ c"], ...]:
    """Shrink the pictures by each of the scales (section 3.3 of the paper)."""
    return tuple(antialias_downsample(pictures, scale, sigma) for scale in scales)
