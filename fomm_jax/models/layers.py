"""The blocks that the networks are made of, and the hourglass.

Every module works on (b, h, w, c). `train` chooses between statistics of the batch, which also
update the running ones, and the running statistics.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import convolve_doubled, convolve_for_flax

NORM_EPSILON = 1e-5  # torch's default for batch and instance normalisation
STATISTICS_MOMENTUM = 0.1  # torch's default: the share of the new batch in the running statistics


def convolution(
    in_features: int, out_features: int, kernel_size: int, padding: int, *, rngs: nnx.Rngs
) -> nnx.Conv:
    """A convolution with torch's default initialisation: U(±1/√fan_in) for kernel and bias."""
    bound = 1 / math.sqrt(in_features * kernel_size**2)

    def uniform(
        key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype, out_sharding: object = None
    ) -> jax.Array:
        del out_sharding
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return nnx.Conv(
        in_features,
        out_features,
        (kernel_size, kernel_size),
        padding=padding,
        kernel_init=uniform,
        bias_init=uniform,
        conv_general_dilated=convolve_for_flax,
        rngs=rngs,
    )


def _channels(vector: jax.Array) -> jax.Array:
    """(c,) to (1, 1, 1, c), to meet a picture without implicit rank promotion."""
    return vector[None, None, None]


class BatchNorm(nnx.Module):
    """Batch normalisation as in torch: the running variance follows the unbiased batch variance.

    Under `jax.jit` over a mesh the batch is the global one, so the statistics are synchronised.
    """

    def __init__(self, features: int):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        # Nothing here reads it; torch counts too, and its checkpoints carry the count.
        self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalise (b, h, w, c) over all axes but the last; statistics are float32 at least."""
        dtype, x = x.dtype, geometry.at_full_precision(x)
        mean, var = self.mean[...], self.var[...]
        if train:
            count = x.size // x.shape[-1]
            batch_mean = x.mean(axis=(0, 1, 2))
            batch_var = jnp.mean((x - _channels(batch_mean)) ** 2, axis=(0, 1, 2))
            unbiased = batch_var * (count / (count - 1))
            step = STATISTICS_MOMENTUM
            # `mean[...] = ` would look for shardings, which tracers take long to say they lack.
            self.mean.set_value(mean + step * jax.lax.stop_gradient(batch_mean - mean))
            self.var.set_value(var + step * jax.lax.stop_gradient(unbiased - var))
            self.num_batches_tracked.set_value(self.num_batches_tracked[...] + 1)
            mean, var = batch_mean, batch_var
        factor = self.scale[...] * jax.lax.rsqrt(var + NORM_EPSILON)
        return ((x - _channels(mean)) * _channels(factor) + _channels(self.bias[...])).astype(dtype)


class InstanceNorm(nnx.Module):
    """Instance normalisation with scale and bias; it has no running statistics."""

    def __init__(self, features: int):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise each channel of each picture of (b, h, w, c)."""
        dtype, x = x.dtype, geometry.at_full_precision(x)
        mean = x.mean(axis=(1, 2), keepdims=True)
        var = jnp.mean((x - mean) ** 2, axis=(1, 2), keepdims=True)
        factor = jax.lax.rsqrt(var + NORM_EPSILON) * _channels(self.scale[...])
        return ((x - mean) * factor + _channels(self.bias[...])).astype(dtype)


class SingularVector(nnx.Variable):
    """A running estimate of a weight's leading singular vector."""


class SpectralNorm(nnx.Module):
    """Divides a convolution's kernel by its largest singular value (Miyato et al., ICLR 2018).

    The kernel is seen as a matrix of (out, in · height · width). Each call in training does one
    step of the power iteration, as torch's `spectral_norm` does.
    """

    def __init__(self, conv: nnx.Conv, *, rngs: nnx.Rngs):
        height, width, in_features, out_features = conv.kernel.shape
        self.conv = conv
        self.left = SingularVector(_normalize(rngs.params.normal((out_features,))))
        self.right = SingularVector(_normalize(rngs.params.normal((in_features * height * width,))))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Convolve (b, h, w, c) with the normalised kernel."""
        kernel = self.conv.kernel[...]
        matrix = jnp.transpose(kernel, (3, 2, 0, 1)).reshape(kernel.shape[3], -1)
        left, right = self.left[...], self.right[...]
        if train:
            constant = jax.lax.stop_gradient(matrix)
            right = _normalize(jnp.matmul(left, constant, precision="highest"))
            left = _normalize(jnp.matmul(constant, right, precision="highest"))
            self.left.set_value(left)
            self.right.set_value(right)
        response = jnp.matmul(matrix, right, precision="highest")
        largest = jnp.matmul(left, response, precision="highest")
        # The convolution is linear, so its output is divided in place of its kernel.
        assert self.conv.bias is not None, "`convolution` gives every convolution one"
        bias = _channels(self.conv.bias[...])
        return (geometry.at_full_precision(self.conv(x)) - bias) / largest + bias


def _normalize(vector: jax.Array) -> jax.Array:
    """To unit length, with torch's guard against the zero vector."""
    return vector / jnp.maximum(jnp.linalg.norm(vector), 1e-12)


class ResBlock(nnx.Module):
    """Two normalised convolutions beside the identity; keeps size and channels."""

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.norm1 = BatchNorm(features)
        self.conv1 = convolution(features, features, 3, 1, rngs=rngs)
        self.norm2 = BatchNorm(features)
        self.conv2 = convolution(features, features, 3, 1, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(b, h, w, c) to (b, h, w, c)."""
        out = self.conv1(jax.nn.relu(self.norm1(x, train=train)))
        return x + self.conv2(jax.nn.relu(self.norm2(out, train=train)))


class ConvBlock(nnx.Module):
    """Convolution, batch normalisation, rectifier; keeps the size."""

    def __init__(
        self, in_features: int, out_features: int, kernel_size: int = 3, *, rngs: nnx.Rngs
    ):
        self.conv = convolution(in_features, out_features, kernel_size, kernel_size // 2, rngs=rngs)
        self.norm = BatchNorm(out_features)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(b, h, w, in_features) to (b, h, w, out_features)."""
        return jax.nn.relu(self.norm(self.conv(x), train=train))


class DownBlock(ConvBlock):
    """A `ConvBlock` that halves the size."""

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(b, h, w, in_features) to (b, h/2, w/2, out_features)."""
        return geometry.average_pool(super().__call__(x, train=train))


class UpBlock(ConvBlock):
    """A `ConvBlock` of pictures with each pixel repeated: (b, h, w, c) to (b, 2h, 2w, d)."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs):
        super().__init__(in_features, out_features, rngs=rngs)
        self.conv.conv_general_dilated = convolve_doubled


class Hourglass(nnx.Module):
    """Encoder and decoder with skip connections (U-Net).

    Block i of the encoder has min(max_features, block_expansion · 2^(i+1)) channels. The output
    has `out_features` channels, of which the last are the input itself.
    """

    def __init__(
        self,
        in_features: int,
        block_expansion: int,
        num_blocks: int,
        max_features: int,
        *,
        rngs: nnx.Rngs,
    ):
        def features(depth: int) -> int:
            return min(max_features, block_expansion * 2**depth)

        self.down_blocks = nnx.List(
            DownBlock(features(i) if i else in_features, features(i + 1), rngs=rngs)
            for i in range(num_blocks)
        )
        self.up_blocks = nnx.List(
            # Below the deepest one, a block sees its predecessor's output and a skip connection.
            UpBlock(features(i + 1) * (1 if i == num_blocks - 1 else 2), features(i), rngs=rngs)
            for i in reversed(range(num_blocks))
        )
        self.out_features = block_expansion + in_features

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(b, h, w, in_features) to (b, h, w, out_features); h and w divide by 2^num_blocks."""
        skips = [x]
        for block in self.down_blocks:
            skips.append(block(skips[-1], train=train))
        out = skips.pop()
        for up_block in self.up_blocks:
            skip = skips.pop()
            # The last one is the input, which has the precision of what comes after.
            out = jnp.concatenate([up_block(out, train=train).astype(skip.dtype), skip], axis=-1)
        return out
