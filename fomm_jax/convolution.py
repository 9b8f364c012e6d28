"""Convolution with stride 1, around two things that XLA does badly on CPU.

The values are those of `jax.lax.conv_general_dilated`. What was measured is in docs/performance.md.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

# By this name rematerialisation (`train_step.make_gradients`) finds what `convolve` gives.
CONVOLVED = "convolved"

Padding = tuple[tuple[int, int], ...]  # rows above and below, columns left and right


def convolve(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Cross-correlation of pictures with a kernel.

    Args:
      x: (b, h, w, c).
      kernel: (kh, kw, c, d).
      padding: zeros around the picture.

    Returns:
      (b, h', w', d) where h' = h - kh + 1 + padding above and below, and w' likewise.
    """
    if kernel.shape[0] > x.shape[1] or kernel.shape[1] > x.shape[2]:
        # XLA would swap picture and kernel, and run that in a plain loop, which is far slower.
        return checkpoint_name(_product_of_patches(x, kernel, padding), CONVOLVED)
    return checkpoint_name(_convolve(x, kernel, padding), CONVOLVED)


def convolve_for_flax(
    x: jax.Array, kernel: jax.Array, strides: object, padding: Any, **options: object
) -> jax.Array:
    """`convolve` as the `conv_general_dilated` of an `nnx.Conv` that has padding alone."""
    del strides, options
    return convolve(x, kernel, tuple((low, high) for low, high in padding))


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
    """`_xla_convolution`, with `_kernel_gradient_by_products` on a CPU."""
    return _xla_convolution(x, kernel, padding)


def _convolve_forward(
    x: jax.Array, kernel: jax.Array, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _xla_convolution(x, kernel, padding), (x, kernel)


def _convolve_backward(
    padding: Padding, inputs: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = inputs

    def by_xla(x: jax.Array, gradient: jax.Array) -> jax.Array:
        return jax.vjp(lambda kernel: _xla_convolution(x, kernel, padding), kernel)[1](gradient)[0]

    def by_products(x: jax.Array, gradient: jax.Array) -> jax.Array:
        # Simulated devices share a pool of threads, in which a large product and the collective
        # that another device has reached wait for one another.
        if jax.default_backend() != "cpu" or jax.device_count() > 1:
            return by_xla(x, gradient)
        return _kernel_gradient_by_products(x, gradient, kernel.shape[:2], padding)

    return (
        jax.vjp(lambda x: _xla_convolution(x, kernel, padding), x)[1](gradient)[0],
        jax.lax.platform_dependent(x, gradient, cpu=by_products, default=by_xla),
    )


_convolve.defvjp(_convolve_forward, _convolve_backward)


def _kernel_gradient_by_products(
    x: jax.Array, gradient: jax.Array, size: tuple[int, ...], padding: Padding
) -> jax.Array:
    """dL/dkernel[i, j] = Σ x[·, y + i - above, x + j - left] ⊗ gradient[·, y, x]: a product a tap.

    Of the two, the one with fewer channels is shifted, since a shift is a copy.

    Args:
      x: (b, h, w, c).
      gradient: (b, h', w', d).
      size: kh and kw.
      padding: as in `convolve`.

    Returns:
      (kh, kw, c, d).
    """
    shift_gradient = gradient.shape[-1] < x.shape[-1]
    if shift_gradient:
        # Where x moves by (i, j) against the gradient, that moves by (-i, -j) against x.
        still, shifted = x, gradient
        padding = tuple(
            (extent - 1 - low, extent - 1 - high)
            for extent, (low, high) in zip(size, padding, strict=True)
        )
    else:
        still, shifted = gradient, x
    # Unlike jnp.pad, lax.pad takes less than nothing, which `shift_gradient` makes of wide padding.
    shifted = jax.lax.pad(
        shifted,
        jnp.zeros((), shifted.dtype),
        ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)),
    )
    flat = still.reshape(-1, still.shape[-1])

    def product(tap: jax.Array) -> jax.Array:
        start = (0, tap // size[1], tap % size[1], 0)
        window = jax.lax.dynamic_slice(shifted, start, (*still.shape[:3], shifted.shape[-1]))
        return window.reshape(-1, window.shape[-1]).T @ flat

    products = jax.lax.map(product, jnp.arange(size[0] * size[1]))
    products = products.reshape(*size, shifted.shape[-1], still.shape[-1])
    return jnp.flip(products, (0, 1)).swapaxes(2, 3) if shift_gradient else products
