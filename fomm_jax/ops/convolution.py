"""Convolution with stride 1, around what XLA does badly on CPU.

The values are those of `jax.lax.conv_general_dilated`. What was measured is in docs/performance.md.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from fomm_jax.ops import winograd
from fomm_jax.ops.geometry import at_full_precision, upsample_nearest

# By this name rematerialisation (`step.make_gradients`) finds what `convolve` gives.
CONVOLVED = "convolved"

# So many pixels, with all their shifts, fit into a processor's cache.
PIXELS_AT_ONCE = 1024

# `winograd` pays where channels in times channels out are at least so many; for the convolution
# itself, though not for its gradient, there must be so many pixels, too.
FEWEST_PRODUCTS = 128 * 256
FEWEST_PIXELS = 512
# Where there are fewer multiplications, the other forms save less than they take to compile.
FEWEST_MULTIPLICATIONS = 2**30
# XLA takes longer to reorder a kernel of so many numbers than to multiply with it, if there are
# eight times as many as in the pictures.
LARGE_KERNEL = 2**20

Padding = tuple[tuple[int, int], ...]  # rows above and below, columns left and right

_portable = contextvars.ContextVar("_portable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """What is traced meanwhile has XLA's own convolutions alone, for programs to run elsewhere."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def convolve(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Cross-correlation of pictures with a kernel.

    Args:
      x: (b, h, w, c).
      kernel: (kh, kw, c, d).
      padding: zeros around the picture.

    Returns:
      (b, h', w', d) where h' = h - kh + 1 + padding above and below, and w' likewise.
    """
    # XLA would swap picture and kernel, and run that in a plain loop, which is far slower.
    smaller = kernel.shape[0] > x.shape[1] or kernel.shape[1] > x.shape[2]
    if smaller or (_may_differ() and kernel.size >= max(LARGE_KERNEL, 8 * x.size)):
        return checkpoint_name(_product_of_patches(x, kernel, padding), CONVOLVED)
    return checkpoint_name(_convolve(x, kernel, padding), CONVOLVED)


def convolve_for_flax(
    x: jax.Array, kernel: jax.Array, strides: object, padding: Any, **options: object
) -> jax.Array:
    """`convolve` as the `conv_general_dilated` of an `nnx.Conv` that has padding alone."""
    del strides, options
    return convolve(x, kernel, tuple((low, high) for low, high in padding))


def convolve_doubled(
    x: jax.Array, kernel: jax.Array, strides: object, padding: Any, **options: object
) -> jax.Array:
    """Convolution of pictures whose every pixel is repeated twice in height and width.

    Args:
      x: (b, h, w, c).
      kernel: (3, 3, c, d), which sees one row or column of zeros around the doubled picture.
      strides, padding, options: what an `nnx.Conv` gives its `conv_general_dilated` besides.

    Returns:
      (b, 2h, 2w, d).
    """
    pixels = 4 * (x.size // x.shape[3])
    # bfloat16 is too coarse for sums of pixels.
    if _may_differ() and _is_large(pixels, kernel) and x.dtype != jnp.bfloat16:
        return checkpoint_name(_convolve_doubled(x, kernel), CONVOLVED)
    return convolve_for_flax(upsample_nearest(x), kernel, strides, padding, **options)


def _may_differ() -> bool:
    """Whether there may be another form of the convolution, for a CPU."""
    # Simulated devices share a pool of threads, in which a large product and the collective that
    # another device has reached wait for one another.
    return jax.default_backend() == "cpu" and jax.device_count() == 1 and not _portable.get()


def _is_large(pixels: int, kernel: jax.Array) -> bool:
    return kernel.size * pixels >= FEWEST_MULTIPLICATIONS


@jax.custom_vjp
def _convolve_doubled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`winograd.convolve_doubled`, of which the gradients keep nothing but the inputs."""
    return winograd.convolve_doubled(x, kernel)


def _convolve_doubled_forward(
    x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve_doubled(x, kernel), (x, kernel)


def _convolve_doubled_backward(
    inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jax.vjp(winograd.convolve_doubled, *inputs)[1](gradient)


_convolve_doubled.defvjp(_convolve_doubled_forward, _convolve_doubled_backward)


def _product_of_patches(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """The convolution as one matrix product."""
    height, width, _, features = kernel.shape
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    patches = [
        padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)
    ]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, features)


def _xla_convolution(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """`_xla_convolution`, in other forms on a CPU."""
    if _may_differ() and _suits_winograd(x, kernel, padding):
        pixels = x.size // x.shape[3]
        if pixels >= FEWEST_PIXELS:
            return winograd.convolve(x, kernel)
    return _xla_convolution(x, kernel, padding)


def _suits_winograd(x: jax.Array, kernel: jax.Array, padding: Padding) -> bool:
    _, height, width, channels = x.shape
    return (
        kernel.shape[:2] == (3, 3)
        and padding == ((1, 1), (1, 1))
        and x.dtype != jnp.bfloat16
        and _is_large(x.size // channels, kernel)
        and height % 2 == width % 2 == 0
        and channels * kernel.shape[3] >= FEWEST_PRODUCTS
    )


def _convolve_forward(
    x: jax.Array, kernel: jax.Array, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, padding), (x, kernel)


def _convolve_backward(
    padding: Padding, inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = inputs
    if not _may_differ():
        return jax.vjp(lambda x, kernel: _xla_convolution(x, kernel, padding), *inputs)[1](gradient)
    if _suits_winograd(x, kernel, padding):
        x_gradient = jax.vjp(lambda x: winograd.convolve(x, kernel), x)[1](gradient)[0]
    else:
        # XLA's own is as fast, but not in a loop, as that of `train.accumulate`.
        turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
        x_gradient = _xla_convolution(gradient, turned, _turned_padding(kernel.shape, padding))
    return x_gradient, _kernel_gradient_by_products(x, gradient, kernel.shape[:2], padding)


_convolve.defvjp(_convolve_forward, _convolve_backward)


def _turned_padding(size: tuple[int, ...], padding: Padding) -> Padding:
    """With so much, a kernel of this size that is turned over takes the result to the picture."""
    (above, below), (left, right) = padding
    height, width = size[0] - 1, size[1] - 1
    return (height - above, height - below), (width - left, width - right)


def _kernel_gradient_by_products(
    x: jax.Array, gradient: jax.Array, size: tuple[int, ...], padding: Padding
) -> jax.Array:
    """dL/dkernel[i, j] = Σ x[·, y + i - above, x + j - left] ⊗ gradient[·, y, x], as products.

    Of the two, the one with fewer channels is shifted, since a shift is a copy.

    Args:
      x: (b, h, w, c).
      gradient: (b, h', w', d).
      size: kh and kw.
      padding: as in `convolve`.

    Returns:
      (kh, kw, c, d).
    """
    shift_gradient = gradient.shape[3] <= x.shape[3]
    if shift_gradient:
        # Where x moves by (i, j) against the gradient, that moves by (-i, -j) against x.
        still, shifted = x, gradient
        padding = _turned_padding(size, padding)
    else:
        still, shifted = gradient, x
    # Unlike jnp.pad, lax.pad takes less than nothing, which `shift_gradient` makes of wide padding.
    shifted = jax.lax.pad(
        shifted,
        jnp.zeros((), shifted.dtype),
        ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)),
    )
    few = math.prod(size) * shifted.shape[3] * still.size < FEWEST_MULTIPLICATIONS
    by_products = _tap_by_tap if few else _all_taps_of_some_rows
    return by_products(still, shifted, size, turned=shift_gradient).astype(x.dtype)


def _tap_by_tap(
    still: jax.Array, shifted: jax.Array, size: tuple[int, ...], turned: bool
) -> jax.Array:
    """One product has one tap; with `turned`, the kernel is that of `still` as the input."""
    flat = still.reshape(-1, still.shape[3])
    taps = jnp.arange(math.prod(size))

    def product(tap: jax.Array) -> jax.Array:
        start = (0, tap // size[1], tap % size[1], 0)
        window = jax.lax.dynamic_slice(shifted, start, (*still.shape[:3], shifted.shape[3]))
        window = window.reshape(-1, window.shape[3])
        # Turned here, since a transposition of the whole kernel takes longer.
        return _product(flat.T, window) if turned else _product(window.T, flat)

    products = jax.lax.map(product, taps[::-1] if turned else taps)
    return products.reshape(*size, *products.shape[1:])


def _all_taps_of_some_rows(
    still: jax.Array, shifted: jax.Array, size: tuple[int, ...], turned: bool
) -> jax.Array:
    """As `_tap_by_tap`; one product has all taps of as many rows as stay in the cache."""
    batch, height, width, channels = still.shape
    at_once = max(1, PIXELS_AT_ONCE // (batch * width))
    rows = max(n for n in range(1, min(at_once, height) + 1) if height % n == 0)
    taps = [(i, j) for i in range(size[0]) for j in range(size[1])]
    if turned:
        taps.reverse()

    def add(total: jax.Array, top: jax.Array) -> tuple[jax.Array, None]:
        part = jax.lax.dynamic_slice_in_dim(still, top, rows, axis=1).reshape(-1, channels)
        around = jax.lax.dynamic_slice_in_dim(shifted, top, rows + size[0] - 1, axis=1)
        shifts = [around[:, i : i + rows, j : j + width] for i, j in taps]
        patches = jnp.concatenate(shifts, axis=3).reshape(len(part), -1)
        left, right = (part, patches) if turned else (patches, part)
        return total + _product(left.T, right), None

    copied = len(taps) * shifted.shape[3]
    shape = (channels, copied) if turned else (copied, channels)
    tops = jnp.arange(0, height, rows)
    total, _ = jax.lax.scan(add, at_full_precision(jnp.zeros(shape, still.dtype)), tops)
    if turned:
        total = total.reshape(channels, len(taps), -1).swapaxes(0, 1)
        return total.reshape(*size, channels, shifted.shape[3])
    return total.reshape(*size, shifted.shape[3], channels)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    """A matrix product; that of bfloat16 sums in float32."""
    dtype = jnp.float32 if left.dtype == jnp.bfloat16 else left.dtype
    return jnp.matmul(left, right, preferred_element_type=dtype)
