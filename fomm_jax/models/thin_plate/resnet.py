"""ResNet-18 (He et al., CVPR 2016), in the form of torchvision's, for pictures of any channels."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.models.layers import FlaxConvolution, Numerics
from fomm_jax.models.random_parameters import Source, draw_normal, draw_uniform
from fomm_jax.ops.convolution import convolve_halving

WIDTHS = (64, 128, 256, 512)  # channels of the four stages
BLOCKS_OF_STAGE = 2


class Block(nnx.Module):
    """Two normalised 3×3 convolutions beside a shortcut; with `halve` it halves the size."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        numerics: Numerics,
        *,
        halve: bool,
        rngs: nnx.Rngs,
    ):
        self.conv1 = _convolution(in_features, out_features, 3, numerics, halve=halve, rngs=rngs)
        self.norm1 = numerics.normalize(out_features)
        self.conv2 = _convolution(out_features, out_features, 3, numerics, halve=False, rngs=rngs)
        self.norm2 = numerics.normalize(out_features)
        self.shortcut: Shortcut | None = nnx.data(None)
        if halve:
            self.shortcut = Shortcut(in_features, out_features, numerics, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b *passes _ _ c"], *, train: bool
    ) -> Float[Array, "b *passes _ _ d"]:
        """Add the convolved pictures to the pictures, and rectify."""
        out = jax.nn.relu(self.norm1(self.conv1(x), train=train))
        out = self.norm2(self.conv2(out), train=train)
        return jax.nn.relu(out + (x if self.shortcut is None else self.shortcut(x, train=train)))


class Shortcut(nnx.Module):
    """A normalised 1×1 convolution that halves the size."""

    def __init__(self, in_features: int, out_features: int, numerics: Numerics, *, rngs: nnx.Rngs):
        self.conv = _convolution(in_features, out_features, 1, numerics, halve=True, rngs=rngs)
        self.norm = numerics.normalize(out_features)

    def __call__(
        self, x: Float[Array, "b *passes _ _ c"], *, train: bool
    ) -> Float[Array, "b *passes _ _ d"]:
        """Convolve and normalise."""
        return self.norm(self.conv(x), train=train)


class ResNet18(nnx.Module):
    """A ResNet-18 whose last layer gives `out_features` numbers for a picture."""

    def __init__(self, in_features: int, out_features: int, numerics: Numerics, *, rngs: nnx.Rngs):
        self.conv1 = _convolution(in_features, WIDTHS[0], 7, numerics, halve=True, rngs=rngs)
        self.norm1 = numerics.normalize(WIDTHS[0])
        self.stages = nnx.List(
            nnx.List(
                Block(
                    WIDTHS[max(stage - 1, 0)] if i == 0 else width,
                    width,
                    numerics,
                    halve=stage > 0 and i == 0,
                    rngs=rngs,
                )
                for i in range(BLOCKS_OF_STAGE)
            )
            for stage, width in enumerate(WIDTHS)
        )
        self.last = linear(WIDTHS[-1], out_features, rngs=rngs)

    def __call__(
        self, pictures: Float[Array, "b *passes _ _ c"], *, train: bool
    ) -> Float[Array, "b *passes d"]:
        """Compute the numbers of each picture. In training, each pass is normalised alone."""
        out = jax.nn.relu(self.norm1(self.conv1(pictures), train=train))
        out = max_pool(out)
        for stage in self.stages:
            for block in stage:
                out = block(out, train=train)
        return self.last(jnp.mean(out, axis=(-3, -2)))


def linear(in_features: int, out_features: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """Make a linear layer with torch's initial values, U(±1/√in_features)."""
    bound = 1 / math.sqrt(in_features)

    def uniform(
        source: Source, shape: tuple[int, ...], dtype: jnp.dtype, out_sharding: object = None
    ) -> Any:
        del out_sharding
        return draw_uniform(source, shape, dtype, bound)

    return nnx.Linear(in_features, out_features, kernel_init=uniform, bias_init=uniform, rngs=rngs)


def max_pool(x: Float[Array, "*b _ _ c"]) -> Float[Array, "*b _ _ c"]:
    """Take the largest of 3×3 pixels around every second one; beyond the border there is nothing.

    Among equal pixels, the gradient goes to the first one.
    """
    padding = [(0, 0)] * (x.ndim - 3) + [(1, 1), (1, 1), (0, 0)]
    padded = jnp.pad(x, padding, constant_values=-jnp.inf)
    # XLA's reductions over small axes are slow on CPU; comparisons are not.
    of_rows = _largest_of_three(padded, x.ndim - 2, x.shape[-2])
    return _largest_of_three(of_rows, x.ndim - 3, x.shape[-3])


def _largest_of_three(x: jax.Array, axis: int, size: int) -> jax.Array:
    """Take the largest of three neighbours along an axis of `size` + 2, at every second one."""
    first, second, third = (
        jax.lax.slice_in_dim(x, start, start + size, stride=2, axis=axis) for start in range(3)
    )
    larger = jnp.where(first >= second, first, second)
    return jnp.where(larger >= third, larger, third)


def _convolution(
    in_features: int,
    out_features: int,
    kernel_size: int,
    numerics: Numerics,
    *,
    halve: bool,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """Make a convolution without bias, with torchvision's initial values, N(0, 2/fan_out)."""
    deviation = math.sqrt(2 / (out_features * kernel_size**2))

    def normal(
        source: Source, shape: tuple[int, ...], dtype: jnp.dtype, out_sharding: object = None
    ) -> Any:
        del dtype, out_sharding  # parameters are float32
        return draw_normal(source, shape) * np.float32(deviation)

    return nnx.Conv(
        in_features,
        out_features,
        (kernel_size, kernel_size),
        padding=kernel_size // 2,
        use_bias=False,
        dtype=numerics.dtype,
        kernel_init=normal,
        conv_general_dilated=FlaxConvolution(
            convolve_halving if halve else numerics.convolutions.plain
        ),
        rngs=rngs,
    )
