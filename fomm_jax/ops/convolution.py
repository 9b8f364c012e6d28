"""Convolutions, and the choice between the forms that compute those with stride 1.

All forms give the values of `jax.lax.conv_general_dilated`, up to rounding. Which one is used is
chosen once, by `choose_convolutions`, and handed to the networks when they are built.
"""

import dataclasses
from collections.abc import Iterable
from typing import Protocol

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from fomm_jax.ops import cpu_convolution, tpu_convolution
from fomm_jax.ops.cpu_convolution import Padding, patch_product, xla_convolution
from fomm_jax.ops.geometry import upsample_nearest

# Rematerialisation finds the results of convolutions by this name (`training.gradients`).
CONVOLVED = "convolved"


class Convolve(Protocol):
    """A form of the cross-correlation of pictures with a kernel."""

    def __call__(
        self, x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
    ) -> Float[Array, "b _ _ d"]:
        """Convolve pictures, after adding `padding` rows and columns of zeros around them."""
        ...


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """The forms of convolution that a network is built with."""

    plain: Convolve
    # Convolves pictures in which every pixel is repeated twice in height and width. It takes the
    # pictures before the repetition, a 3×3 kernel, and one row or column of zeros on each side.
    doubled: Convolve


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by XLA's own convolution, on any device."""
    # XLA would swap a picture with a kernel larger than it, and run that as a plain loop, which is
    # far slower.
    if kernel.shape[0] > x.shape[1] or kernel.shape[1] > x.shape[2]:
        return checkpoint_name(patch_product(x, kernel, padding), CONVOLVED)
    return checkpoint_name(xla_convolution(x, kernel, padding), CONVOLVED)


def convolve_halving(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve with stride 2, by XLA's own convolution, on any device."""
    convolved = jax.lax.conv_general_dilated(
        x, kernel, (2, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return checkpoint_name(convolved, CONVOLVED)


def convolve_doubled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"], padding: Padding
) -> Float[Array, "b 2*h 2*w d"]:
    """Repeat every pixel twice in height and width, then convolve by XLA's own convolution."""
    return convolve(upsample_nearest(x), kernel, padding)


def convolve_on_cpu(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by the form that is fastest on a single CPU (docs/performance.md)."""
    larger = kernel.shape[0] > x.shape[1] or kernel.shape[1] > x.shape[2]
    if larger or cpu_convolution.is_mostly_kernel(x, kernel):
        return checkpoint_name(patch_product(x, kernel, padding), CONVOLVED)
    return checkpoint_name(cpu_convolution.convolve(x, kernel, padding), CONVOLVED)


def convolve_doubled_on_cpu(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"], padding: Padding
) -> Float[Array, "b 2*h 2*w d"]:
    """Convolve doubled pictures by the form that is fastest on a single CPU."""
    pixels = 4 * (x.size // x.shape[3])
    # bfloat16 is too coarse for the sums of pixels that Winograd's form takes.
    if cpu_convolution.is_large(pixels, kernel) and x.dtype != jnp.bfloat16:
        return checkpoint_name(cpu_convolution.convolve_doubled(x, kernel), CONVOLVED)
    return convolve_on_cpu(upsample_nearest(x), kernel, padding)


def convolve_on_tpu(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c d"], padding: Padding
) -> Float[Array, "b _ _ d"]:
    """Convolve by the form that takes the fewest cycles on TPU (docs/performance.md)."""
    columns = tpu_convolution.columns_to_fold(x, kernel, padding)
    if columns == 1:
        return convolve(x, kernel, padding)
    return checkpoint_name(tpu_convolution.convolve_folded(x, kernel, padding, columns), CONVOLVED)


def convolve_doubled_on_tpu(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"], padding: Padding
) -> Float[Array, "b 2*h 2*w d"]:
    """Convolve doubled pictures by the form that takes the fewest cycles on TPU."""
    if tpu_convolution.is_mostly_kernel(x, kernel):
        return convolve_doubled(x, kernel, padding)
    return checkpoint_name(tpu_convolution.convolve_doubled(x, kernel), CONVOLVED)


ANY_DEVICE = Convolutions(convolve, convolve_doubled)
ONE_CPU = Convolutions(convolve_on_cpu, convolve_doubled_on_cpu)
TPU = Convolutions(convolve_on_tpu, convolve_doubled_on_tpu)


def choose_convolutions(devices: Iterable[jax.Device]) -> Convolutions:
    """Choose the forms for programs that run on the given devices.

    Several simulated CPU devices get XLA's own convolutions: they share a pool of threads, in which
    a large product and a collective that another device has reached would wait for one another.
    """
    platforms = [device.platform for device in devices]
    if "tpu" in platforms:
        return TPU
    return ONE_CPU if platforms == ["cpu"] else ANY_DEVICE
