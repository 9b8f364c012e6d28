"""3×3 convolutions with fewer multiplications, for processors.

Winograd's F(2×2, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016). Along one axis, two pixels of the result y depend on four pixels of the picture, d₀ … d₃:

    y₀ = (d₀ - d₂) k₀ + (d₁ + d₂) (k₀ + k₁ + k₂)/2 + (d₂ - d₁) (k₀ - k₁ + k₂)/2
    y₁ = (d₁ + d₂) (k₀ + k₁ + k₂)/2 - (d₂ - d₁) (k₀ - k₁ + k₂)/2 - (d₁ - d₃) k₂

That takes four products in place of six, and along both axes 16 in place of 36. In a doubled
picture d₁ and d₂ are the same pixel, the third product vanishes, and 9 products are left. Each
product is a matrix product over all channels. The pictures are padded with zeros. Results differ
from the plain sum only by rounding.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# So many pixels, with all their combinations, stay in a processor's cache.
PIXELS_AT_ONCE = 4096

Parts = tuple[jax.Array, ...]


@dataclasses.dataclass(frozen=True)
class _Transforms:
    """The linear combinations along one axis that make the products few."""

    picture: Callable[[jax.Array, int], Parts]  # of a padded picture, along an axis
    kernel: Callable[[jax.Array, int], Parts]  # of the kernel, along an axis
    result: Callable[[Sequence[jax.Array]], Parts]  # of the products: two pixels of the result


@jax.jit  # so that equal convolutions are traced once
def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"]
) -> Float[Array, "b h w d"]:
    """Convolve pictures whose height and width are even."""
    return _convolve(x, kernel, _Transforms(_picture_parts, _kernel_parts, _pixel_pairs))


@jax.jit
def convolve_doubled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"]
) -> Float[Array, "b 2*h 2*w d"]:
    """Convolve pictures in which every pixel is repeated twice in both directions."""
    transforms = _Transforms(_doubled_picture_parts, _doubled_kernel_parts, _doubled_pixel_pairs)
    return _convolve(x, kernel, transforms)


def _convolve(x: jax.Array, kernel: jax.Array, transforms: _Transforms) -> jax.Array:
    """Apply the transforms along both axes, with one matrix product for each combination."""
    _, height, width, channels = x.shape
    features = kernel.shape[3]
    matrices = [
        matrix.reshape(channels, features)
        for row in transforms.kernel(kernel, 0)
        for matrix in transforms.kernel(row, 1)
    ]

    def convolve_picture(picture: jax.Array) -> jax.Array:
        padded = jnp.pad(picture, ((1, 1), (1, 1), (0, 0)))
        parts = [
            part for row in transforms.picture(padded, 0) for part in transforms.picture(row, 1)
        ]
        products = [part @ matrix for part, matrix in zip(parts, matrices, strict=True)]
        side = math.isqrt(len(products))
        rows = [transforms.result(products[i : i + side]) for i in range(0, len(products), side)]
        columns = [transforms.result(column) for column in zip(*rows, strict=True)]
        pixels = jnp.stack([jnp.stack(column, axis=1) for column in columns], axis=3)
        return pixels.reshape(2 * pixels.shape[0], 2 * pixels.shape[2], features)

    at_once = max(1, PIXELS_AT_ONCE // (height * width))
    return jax.lax.map(convolve_picture, x, batch_size=min(at_once, len(x)))


def _picture_parts(padded: jax.Array, axis: int) -> Parts:
    """Compute d₀ - d₂, d₁ + d₂, d₂ - d₁ and d₁ - d₃ for every second pixel d₀."""
    count = padded.shape[axis] // 2 - 1
    d0, d1, d2, d3 = (
        jax.lax.slice_in_dim(padded, first, first + 2 * count - 1, 2, axis) for first in range(4)
    )
    return d0 - d2, d1 + d2, d2 - d1, d1 - d3


def _kernel_parts(kernel: jax.Array, axis: int) -> Parts:
    k0, k1, k2 = jnp.split(kernel, 3, axis)
    return k0, (k0 + k1 + k2) / 2, (k0 - k1 + k2) / 2, k2


def _pixel_pairs(products: Sequence[jax.Array]) -> Parts:
    m0, m1, m2, m3 = products
    return m0 + m1 + m2, m1 - m2 - m3


def _doubled_picture_parts(padded: jax.Array, axis: int) -> Parts:
    """Compute d₀ - d₁, d₁ and d₁ - d₃ for every pixel d₁, which is d₂ as well."""
    count = padded.shape[axis] - 2
    before, pixel, after = (
        jax.lax.slice_in_dim(padded, first, first + count, 1, axis) for first in range(3)
    )
    return before - pixel, pixel, pixel - after


def _doubled_kernel_parts(kernel: jax.Array, axis: int) -> Parts:
    k0, k1, k2 = jnp.split(kernel, 3, axis)
    return k0, k0 + k1 + k2, k2


def _doubled_pixel_pairs(products: Sequence[jax.Array]) -> Parts:
    m0, m1, m3 = products
    return m0 + m1, m1 - m3
