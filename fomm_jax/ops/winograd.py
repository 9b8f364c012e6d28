"""3x3 convolutions with fewer multiplications, for processors.

Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016). Along one axis, two pixels of the result y see four of the picture, d₀ … d₃, and

    y₀ = (d₀ - d₂) k₀ + (d₁ + d₂) (k₀ + k₁ + k₂)/2 + (d₂ - d₁) (k₀ - k₁ + k₂)/2
    y₁ = (d₁ + d₂) (k₀ + k₁ + k₂)/2 - (d₂ - d₁) (k₀ - k₁ + k₂)/2 - (d₁ - d₃) k₂

take four products in place of six; along both axes it is 16 in place of 36. Where d₁ and d₂ are
the same pixel twice, the third product is none, and 9 are left. Each is a matrix product over all
channels. The pictures have zeros around them. Results differ from the sum by rounding alone.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

# So many pixels, in all their forms, stay in a processor's cache.
PIXELS_AT_ONCE = 4096

Parts = tuple[jax.Array, ...]


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Pictures (b, h, w, c) of even sides with a kernel (3, 3, c, d), to (b, h, w, d)."""
    return _convolve(x, kernel, _of_squares, _of_kernel, _to_pairs)


def convolve_doubled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Pictures (b, h, w, c), every pixel repeated twice in both directions, to (b, 2h, 2w, d)."""
    return _convolve(x, kernel, _of_pixels, _of_kernel_for_pixels, _to_doubled_pixels)


def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    of_picture: Callable[[jax.Array, int], Parts],
    of_kernel: Callable[[jax.Array, int], Parts],
    of_products: Callable[[Sequence[jax.Array]], Parts],
) -> jax.Array:
    """What two pixels along an axis take, done along both."""
    _, height, width, channels = x.shape
    features = kernel.shape[3]
    matrices = [
        matrix.reshape(channels, features)
        for row in of_kernel(kernel, 0)
        for matrix in of_kernel(row, 1)
    ]

    def convolve_picture(picture: jax.Array) -> jax.Array:
        padded = jnp.pad(picture, ((1, 1), (1, 1), (0, 0)))
        forms = [form for row in of_picture(padded, 0) for form in of_picture(row, 1)]
        products = [form @ matrix for form, matrix in zip(forms, matrices, strict=True)]
        side = math.isqrt(len(products))
        rows = [of_products(products[i : i + side]) for i in range(0, len(products), side)]
        columns = [of_products(column) for column in zip(*rows, strict=True)]
        pixels = jnp.stack([jnp.stack(column, axis=1) for column in columns], axis=3)
        return pixels.reshape(2 * pixels.shape[0], 2 * pixels.shape[2], features)

    at_once = max(1, PIXELS_AT_ONCE // (height * width))
    return jax.lax.map(convolve_picture, x, batch_size=min(at_once, len(x)))


def _of_squares(padded: jax.Array, axis: int) -> Parts:
    """d₀ - d₂, d₁ + d₂, d₂ - d₁ and d₁ - d₃ of every second pixel and the three behind it."""
    count = padded.shape[axis] // 2 - 1
    d0, d1, d2, d3 = (
        jax.lax.slice_in_dim(padded, first, first + 2 * count - 1, 2, axis) for first in range(4)
    )
    return d0 - d2, d1 + d2, d2 - d1, d1 - d3


def _of_kernel(kernel: jax.Array, axis: int) -> Parts:
    k0, k1, k2 = jnp.split(kernel, 3, axis)
    return k0, (k0 + k1 + k2) / 2, (k0 - k1 + k2) / 2, k2


def _to_pairs(products: Sequence[jax.Array]) -> Parts:
    m0, m1, m2, m3 = products
    return m0 + m1 + m2, m1 - m2 - m3


def _of_pixels(padded: jax.Array, axis: int) -> Parts:
    """d₀ - d₁, d₁ and d₁ - d₃ of every pixel d₁ (and d₂), the one before and the one behind it."""
    count = padded.shape[axis] - 2
    before, here, behind = (
        jax.lax.slice_in_dim(padded, first, first + count, 1, axis) for first in range(3)
    )
    return before - here, here, here - behind


def _of_kernel_for_pixels(kernel: jax.Array, axis: int) -> Parts:
    k0, k1, k2 = jnp.split(kernel, 3, axis)
    return k0, k0 + k1 + k2, k2


def _to_doubled_pixels(products: Sequence[jax.Array]) -> Parts:
    m0, m1, m3 = products
    return m0 + m1, m1 - m3
