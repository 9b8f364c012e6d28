"""Convolutions in forms that fill a TPU's matrix units better than XLA's own convolution.

A TPU multiplies matrices of 128 rows and columns. A convolution with three channels at one end
fills few of these, and one of doubled pictures multiplies the same pixels several times. The forms
here are XLA's convolution of rearranged pictures with a rearranged kernel, and so are their
gradients. docs/performance.md has the measurements behind the constants.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.ops.cpu_convolution import Padding, xla_convolution
from fomm_jax.ops.geometry import at_full_precision, fold_columns

# Columns are folded if the pictures, or the results, have at most so many channels.
FEW_CHANNELS = 4
COLUMNS_OF_PICTURES, COLUMNS_OF_RESULTS = 4, 8  # how many become channels in each case
# Two columns are folded if both have at most so many channels, half of a matrix unit's, and in wide
# pictures also if one has so many and the other one twice as many.
HALF_OF_THE_CHANNELS = 64
WIDE = 256  # narrower pictures lose more to reordering than they gain


def columns_to_fold(x: jax.Array, kernel: jax.Array, padding: Padding) -> int:
    """Return how many neighbouring columns to fold into channels; 1 leaves them as they are."""
    height, taps, channels, features = kernel.shape
    if height * taps == 1:
        return 1
    fewer, more = sorted((channels, features))
    most = 2 * HALF_OF_THE_CHANNELS if x.shape[2] >= WIDE else HALF_OF_THE_CHANNELS
    if fewer <= FEW_CHANNELS:
        columns = COLUMNS_OF_RESULTS if features <= channels else COLUMNS_OF_PICTURES
    elif fewer <= HALF_OF_THE_CHANNELS and more <= most:
        columns = 2
    else:
        return 1
    result_width = x.shape[2] + sum(padding[1]) - taps + 1
    divides = x.shape[2] % columns == result_width % columns == 0
    return columns if divides else 1


def convolve_folded(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding, columns: int
) -> Float[Array, "b _ _ d"]:
    """Convolve with groups of neighbouring columns as channels, by a kernel of as many channels.

    Args:
      x: the pictures.
      kernel: the kernel.
      padding: the zeros around the pictures.
      columns: the number of columns in a group. It divides the width of pictures and result.
    """
    batch, _, width, channels = x.shape
    _, taps, _, features = kernel.shape
    rows, (left, right) = padding
    # Within a group of the result, column q begins with column q - left of the group's pictures.
    before = -(-left // columns)  # groups that begin to the left of the result's
    groups = before + 1 + (columns + taps - left - 2) // columns
    kernels = [
        jnp.pad(kernel, ((0, 0), (start, groups * columns - start - taps), (0, 0), (0, 0)))
        for start in range(before * columns - left, (before + 1) * columns - left)
    ]
    folded_kernel = jnp.stack(kernels, axis=3).reshape(
        len(kernel), groups, columns * channels, columns * features
    )
    result_width = width + left + right - taps + 1
    after = (result_width - width) // columns + groups - 1 - before
    result = xla_convolution(fold_columns(x, columns), folded_kernel, (rows, (before, after)))
    return result.reshape(batch, result.shape[1], result_width, features)


def is_mostly_kernel(x: jax.Array, kernel: jax.Array) -> bool:
    """Tell whether rearranging the kernel costs more than it saves: few pixels, many channels."""
    pixels = x.size // x.shape[3]
    return pixels <= kernel.shape[2]


def convolve_doubled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"]
) -> Float[Array, "b 2*h 2*w d"]:
    """Convolve doubled pictures by two convolutions of the pictures before they are doubled.

    One makes the even rows and the other one the odd rows, both with the even and the odd columns
    as channels. Taps that meet the same pixel are summed beforehand, in float32.
    """
    batch, height, width, _ = x.shape
    first, second, third = jnp.split(at_full_precision(kernel), 3, axis=0)
    even_rows = jnp.concatenate([first, second + third], axis=0)  # of the row above and this one
    odd_rows = jnp.concatenate([first + second, third], axis=0)  # of this row and the one below
    rows = [
        xla_convolution(x, _both_columns(kernel_of_rows).astype(kernel.dtype), (padding, (1, 1)))
        for kernel_of_rows, padding in ((even_rows, (1, 0)), (odd_rows, (0, 1)))
    ]
    return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, kernel.shape[3])


def _both_columns(kernel: jax.Array) -> jax.Array:
    """Make the kernel (kh, 3, c, 2d) of the even and the odd columns of doubled pictures."""
    first, second, third = jnp.split(kernel, 3, axis=1)
    nothing = jnp.zeros_like(first)
    even = jnp.concatenate([first, second + third, nothing], axis=1)
    odd = jnp.concatenate([nothing, first + second, third], axis=1)
    return jnp.concatenate([even, odd], axis=3)
