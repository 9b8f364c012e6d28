"""The blocks that the networks are made of, and the hourglass.

Every module works on pictures (b, h, w, c), or on those of several passes, (b, passes, h, w, c).
Its argument `train` chooses between the statistics of the batch, which also update the running
ones, and the running statistics.
"""

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from fomm_jax.models.normalization import BatchNorm, InstanceNorm
from fomm_jax.models.random_parameters import Source, draw_uniform
from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import ANY_DEVICE, Convolutions, Convolve


@dataclasses.dataclass(frozen=True)
class Numerics:
    """How a network computes."""

    convolutions: Convolutions = ANY_DEVICE
    dtype: DTypeLike | None = None  # of convolutions; None: that of inputs and parameters
    normalization: Literal["batch", "instance"] = "batch"  # of the blocks
    batch_norm_groups: int = 1  # equal parts of a batch that are normalised apart from one another
    antialias_sigma: float | None = None  # of the filters before shrinking; None follows the scale

    @property
    def for_heads(self) -> "Numerics":
        """The same without a dtype: the outputs of a network are computed in full precision."""
        return dataclasses.replace(self, dtype=None)

    def normalize(self, features: int) -> BatchNorm | InstanceNorm:
        """Make the normalisation of pictures with so many channels."""
        if self.normalization == "instance":
            return InstanceNorm(features)
        return BatchNorm(features, self.batch_norm_groups)


@dataclasses.dataclass(frozen=True)
class FlaxConvolution:
    """A form of convolution as an `nnx.Conv` calls it. Equal forms compare equal, as jit needs."""

    convolve: Convolve

    def __call__(
        self, x: jax.Array, kernel: jax.Array, strides: object, padding: Any, **options: object
    ) -> jax.Array:
        """Convolve, as `jax.lax.conv_general_dilated` does."""
        del strides, options  # a form has its stride, and takes nothing but padding
        return self.convolve(x, kernel, tuple((low, high) for low, high in padding))


def convolution(
    in_features: int,
    out_features: int,
    kernel_size: int,
    padding: int,
    numerics: Numerics,
    *,
    doubled: bool = False,
    initializers: tuple[Initializer, Initializer] | None = None,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """Make a convolution with stride 1.

    It takes eight parameters because it is the one place that builds an `nnx.Conv`.

    Args:
      in_features: channels of the input.
      out_features: channels of the output.
      kernel_size: height and width of the kernel.
      padding: rows and columns of zeros on each side.
      numerics: how it is computed.
      doubled: whether every pixel of the input is repeated twice in height and width first.
      initializers: of kernel and bias; by default torch's, U(±1/√fan_in) for both.
      rngs: the source of random parameters.
    """
    bound = 1 / math.sqrt(in_features * kernel_size**2)

    def uniform(
        source: Source, shape: tuple[int, ...], dtype: jnp.dtype, out_sharding: object = None
    ) -> Any:
        del out_sharding
        return draw_uniform(source, shape, dtype, bound)

    kernel_init, bias_init = initializers or (uniform, uniform)
    forms = numerics.convolutions
    return nnx.Conv(
        in_features,
        out_features,
        (kernel_size, kernel_size),
        padding=padding,
        dtype=numerics.dtype,
        kernel_init=kernel_init,
        bias_init=bias_init,
        conv_general_dilated=FlaxConvolution(forms.doubled if doubled else forms.plain),
        rngs=rngs,
    )


class ResBlock(nnx.Module):
    """Two normalised convolutions beside the identity; it keeps size and channels."""

    def __init__(self, features: int, numerics: Numerics, *, rngs: nnx.Rngs):
        self.norm1 = numerics.normalize(features)
        self.conv1 = convolution(features, features, 3, 1, numerics, rngs=rngs)
        self.norm2 = numerics.normalize(features)
        self.conv2 = convolution(features, features, 3, 1, numerics, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b *passes h w c"], *, train: bool
    ) -> Float[Array, "b *passes h w c"]:
        """Add the convolved and normalised pictures to the pictures."""
        out = self.conv1(jax.nn.relu(self.norm1(x, train=train)))
        return x + self.conv2(jax.nn.relu(self.norm2(out, train=train)))


class ConvBlock(nnx.Module):
    """Convolution, normalisation, rectifier; it keeps the size."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        numerics: Numerics,
        *,
        kernel_size: int = 3,
        doubled: bool = False,
        rngs: nnx.Rngs,
    ):
        self.conv = convolution(
            in_features,
            out_features,
            kernel_size,
            kernel_size // 2,
            numerics,
            doubled=doubled,
            rngs=rngs,
        )
        self.norm = numerics.normalize(out_features)

    def __call__(
        self, x: Float[Array, "b *passes _ _ c"], *, train: bool
    ) -> Float[Array, "b *passes _ _ d"]:
        """Convolve, normalise and rectify."""
        return jax.nn.relu(self.norm(self.conv(x), train=train))


class DownBlock(ConvBlock):
    """A `ConvBlock` that halves height and width afterwards."""

    def __init__(self, in_features: int, out_features: int, numerics: Numerics, *, rngs: nnx.Rngs):
        super().__init__(in_features, out_features, numerics, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b *passes h w c"], *, train: bool
    ) -> Float[Array, "b *passes h//2 w//2 d"]:
        """Convolve, normalise, rectify and average over 2×2 pixels."""
        return geometry.average_pool(super().__call__(x, train=train))


class UpBlock(ConvBlock):
    """A `ConvBlock` that doubles height and width first, by repeating pixels."""

    def __init__(self, in_features: int, out_features: int, numerics: Numerics, *, rngs: nnx.Rngs):
        super().__init__(in_features, out_features, numerics, doubled=True, rngs=rngs)


class Hourglass(nnx.Module):
    """Encoder and decoder with skip connections (U-Net).

    Block i of the encoder has min(max_features, block_expansion · 2^(i+1)) channels. The outputs
    of the decoder's blocks have `out_features` channels, from coarse to fine; the last channels of
    the finest output are the input itself.
    """

    def __init__(
        self,
        in_features: int,
        block_expansion: int,
        num_blocks: int,
        max_features: int,
        numerics: Numerics,
        *,
        rngs: nnx.Rngs,
    ):
        def features(depth: int) -> int:
            return min(max_features, block_expansion * 2**depth)

        self.down_blocks = nnx.List(
            DownBlock(features(i) if i else in_features, features(i + 1), numerics, rngs=rngs)
            for i in range(num_blocks)
        )
        self.up_blocks = nnx.List(
            # Every block but the deepest one sees its predecessor's output and a skip connection.
            UpBlock(
                features(i + 1) * (1 if i == num_blocks - 1 else 2),
                features(i),
                numerics,
                rngs=rngs,
            )
            for i in reversed(range(num_blocks))
        )
        self.out_features = (
            *(2 * features(i) for i in reversed(range(1, num_blocks))),
            block_expansion + in_features,
        )

    def __call__(
        self, x: Float[Array, "b *passes h w c"], *, train: bool
    ) -> Float[Array, "b *passes h w d"]:
        """Compute the features of pictures whose height and width divide by 2^num_blocks."""
        return self.pyramid(x, train=train)[-1]

    def pyramid(
        self, x: Float[Array, "b *passes h w c"], *, train: bool
    ) -> tuple[Float[Array, "b *passes _ _ _"], ...]:
        """Compute the outputs of the decoder's blocks, each twice as large as the one before."""
        skips = [x]
        for block in self.down_blocks:
            skips.append(block(skips[-1], train=train))
        out = skips.pop()
        outputs = []
        for up_block in self.up_blocks:
            skip = skips.pop()
            # The last skip is the input, whose precision the heads are to have.
            out = jnp.concatenate([up_block(out, train=train).astype(skip.dtype), skip], axis=-1)
            outputs.append(out)
        return tuple(outputs)
