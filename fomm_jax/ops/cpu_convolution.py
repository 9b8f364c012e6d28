"""Convolutions in the forms that a single CPU computes faster than XLA's own convolution.

docs/performance.md has the measurements behind the constants.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.ops import winograd
from fomm_jax.ops.geometry import at_full_precision

# So many pixels, with all their shifts, fit into a processor's cache.
PIXELS_AT_ONCE = 1024
# Winograd's form pays where the channels in times the channels out are at least so many. For the
# convolution itself, though not for its gradient, there must be at least so many pixels, too.
FEWEST_PRODUCTS = 128 * 256
FEWEST_PIXELS = 512
# With fewer multiplications, the other forms save less time than they take to compile.
FEWEST_MULTIPLICATIONS = 2**30
# XLA takes longer to reorder a kernel of so many numbers than to multiply with it, if the kernel
# has eight times as many numbers as the pictures.
LARGE_KERNEL = 2**20

Padding = tuple[tuple[int, int], ...]  # rows above and below, columns left and right


def xla_convolution(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by XLA's own convolution."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def patch_product(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by one matrix product of all patches with the kernel."""
    height, width, _, features = kernel.shape
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    patches = [
        padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)
    ]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, features)


def is_large(pixels: int, kernel: jax.Array) -> bool:
    """Tell whether a convolution has enough multiplications to be worth another form."""
    return kernel.size * pixels >= FEWEST_MULTIPLICATIONS


def is_mostly_kernel(x: jax.Array, kernel: jax.Array) -> bool:
    """Tell whether the kernel is so large beside the pictures that `patch_product` is faster."""
    return kernel.size >= max(LARGE_KERNEL, 8 * x.size)


@jax.custom_vjp
def convolve_doubled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"]
) -> Float[Array, "b 2*h 2*w d"]:
    """Convolve doubled pictures by Winograd's form; its gradients keep only the inputs."""
    return winograd.convolve_doubled(x, kernel)


def _convolve_doubled_forward(
    x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve_doubled(x, kernel), (x, kernel)


@jax.jit
def _convolve_doubled_backward(
    inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jax.vjp(winograd.convolve_doubled, *inputs)[1](gradient)


convolve_doubled.defvjp(_convolve_doubled_forward, _convolve_doubled_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by Winograd's form where it pays, else by XLA. Gradients have forms of their own."""
    pixels = x.size // x.shape[3]
    if _suits_winograd(x, kernel, padding) and pixels >= FEWEST_PIXELS:
        return winograd.convolve(x, kernel)
    return xla_convolution(x, kernel, padding)


def _suits_winograd(x: jax.Array, kernel: jax.Array, padding: Padding) -> bool:
    _, height, width, channels = x.shape
    return (
        kernel.shape[:2] == (3, 3)
        and padding == ((1, 1), (1, 1))
        and x.dtype != jnp.bfloat16
        and is_large(x.size // channels, kernel)
        and height % 2 == width % 2 == 0
        and channels * kernel.shape[3] >= FEWEST_PRODUCTS
    )


def _convolve_forward(
    x: jax.Array, kernel: jax.Array, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(x, kernel, padding), (x, kernel)


@functools.partial(jax.jit, static_argnums=0)  # so that equal convolutions are traced once
def _convolve_backward(
    padding: Padding, inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = inputs
    if _suits_winograd(x, kernel, padding):
        x_gradient = jax.vjp(lambda x: winograd.convolve(x, kernel), x)[1](gradient)[0]
    else:
        # XLA's own gradient is as fast, except inside a loop such as that of `train.accumulate`.
        flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
        x_gradient = xla_convolution(gradient, flipped, _transposed_padding(kernel.shape, padding))
    return x_gradient, _kernel_gradient(x, gradient, kernel.shape[:2], padding)


convolve.defvjp(_convolve_forward, _convolve_backward)


def _transposed_padding(size: tuple[int, ...], padding: Padding) -> Padding:
    """Return the padding with which the transposed convolution restores the input's size."""
    (above, below), (left, right) = padding
    height, width = size[0] - 1, size[1] - 1
    return (height - above, height - below), (width - left, width - right)


def _kernel_gradient(
    x: jax.Array, gradient: jax.Array, size: tuple[int, ...], padding: Padding
) -> jax.Array:
    """Compute dL/dkernel[i, j] = Σ x[·, y + i - above, x + j - left] ⊗ gradient[·, y, x].

    The sum is made of matrix products. Shifting an array copies it, so the array with fewer
    channels is the one that is shifted.

    Args:
      x: the pictures, (b, h, w, c).
      gradient: the gradient of the result, (b, h', w', d).
      size: height and width of the kernel.
      padding: the zeros around the pictures.

    Returns:
      (kh, kw, c, d).
    """
    shift_gradient = gradient.shape[3] <= x.shape[3]
    if shift_gradient:
        # Moving x by (i, j) against the gradient is moving the gradient by (-i, -j) against x.
        fixed, shifted = x, gradient
        padding = _transposed_padding(size, padding)
    else:
        fixed, shifted = gradient, x
    # Wide padding becomes negative when transposed, which lax.pad accepts and jnp.pad does not.
    shifted = jax.lax.pad(
        shifted,
        jnp.zeros((), shifted.dtype),
        ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)),
    )
    is_small = math.prod(size) * shifted.shape[3] * fixed.size < FEWEST_MULTIPLICATIONS
    products = _one_tap_at_a_time if is_small else _all_taps_of_some_rows
    return products(fixed, shifted, size, transpose=shift_gradient).astype(x.dtype)


def _one_tap_at_a_time(
    fixed: jax.Array, shifted: jax.Array, size: tuple[int, ...], transpose: bool
) -> jax.Array:
    """Compute the kernel's gradient by one product per tap.

    With `transpose`, `fixed` holds the inputs and `shifted` the gradient, so each tap's matrix is
    transposed and the taps are in reverse order.
    """
    flat = fixed.reshape(-1, fixed.shape[3])
    taps = jnp.arange(math.prod(size))

    def product(tap: jax.Array) -> jax.Array:
        start = (0, tap // size[1], tap % size[1], 0)
        window = jax.lax.dynamic_slice(shifted, start, (*fixed.shape[:3], shifted.shape[3]))
        window = window.reshape(-1, window.shape[3])
        # Transposing here is faster than transposing the whole kernel afterwards.
        return _matmul(flat.T, window) if transpose else _matmul(window.T, flat)

    products = jax.lax.map(product, taps[::-1] if transpose else taps)
    return products.reshape(*size, *products.shape[1:])


def _all_taps_of_some_rows(
    fixed: jax.Array, shifted: jax.Array, size: tuple[int, ...], transpose: bool
) -> jax.Array:
    """Compute what `_one_tap_at_a_time` does by products of all taps with a few rows of pixels.

    There are as many rows in a product as stay in the processor's cache.
    """
    batch, height, width, channels = fixed.shape
    at_once = max(1, PIXELS_AT_ONCE // (batch * width))
    rows = max(n for n in range(1, min(at_once, height) + 1) if height % n == 0)
    taps = [(i, j) for i in range(size[0]) for j in range(size[1])]
    if transpose:
        taps.reverse()

    def add(total: jax.Array, top: jax.Array) -> tuple[jax.Array, None]:
        part = jax.lax.dynamic_slice_in_dim(fixed, top, rows, axis=1).reshape(-1, channels)
        around = jax.lax.dynamic_slice_in_dim(shifted, top, rows + size[0] - 1, axis=1)
        shifts = [around[:, i : i + rows, j : j + width] for i, j in taps]
        patches = jnp.concatenate(shifts, axis=3).reshape(len(part), -1)
        left, right = (part, patches) if transpose else (patches, part)
        return total + _matmul(left.T, right), None

    copied = len(taps) * shifted.shape[3]
    shape = (channels, copied) if transpose else (copied, channels)
    tops = jnp.arange(0, height, rows)
    total, _ = jax.lax.scan(add, at_full_precision(jnp.zeros(shape, fixed.dtype)), tops)
    if transpose:
        total = total.reshape(channels, len(taps), -1).swapaxes(0, 1)
        return total.reshape(*size, channels, shifted.shape[3])
    return total.reshape(*size, shifted.shape[3], channels)


def _matmul(left: jax.Array, right: jax.Array) -> jax.Array:
    """Multiply matrices; products of bfloat16 are summed in float32."""
    dtype = jnp.float32 if left.dtype == jnp.bfloat16 else left.dtype
    return jnp.matmul(left, right, preferred_element_type=dtype)
