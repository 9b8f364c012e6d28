"""Normalisations of pictures, and of the kernels of convolutions, as in torch."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.ops import geometry

NORM_EPSILON = 1e-5  # torch's default for batch and instance normalisation
STATISTICS_MOMENTUM = 0.1  # torch's default: the share of the new batch in the running statistics


class BatchNorm(nnx.Module):
    """Batch normalisation as in torch: the running variance follows the unbiased batch variance.

    Under `jax.jit` over a mesh the batch is the global one, so the statistics are synchronised.
    """

    def __init__(self, features: int, groups: int = 1):
        """Make the normalisation of pictures with so many channels.

        Args:
          features: the number of channels.
          groups: the number of equal parts of a batch that are normalised apart from one another.
        """
        self.groups = groups
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        # Nothing here reads the counter. Torch counts too, and its checkpoints carry the count.
        self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(
        self, x: Float[Array, "b *passes h w c"], *, train: bool
    ) -> Float[Array, "b *passes h w c"]:
        """Normalise over all axes but the last. Statistics are float32 at least.

        Pictures (b, passes, h, w, c) are normalised as in so many calls, one after another: each
        pass by its own statistics, and the running statistics move with each of them.
        """
        # (groups, pairs of a group, passes, h, w, c)
        pictures = geometry.at_full_precision(x).reshape(
            self.groups if train else 1, -1, math.prod(x.shape[1:-3]), *x.shape[-3:]
        )
        if train:
            mean = pictures.mean(axis=(1, 3, 4), keepdims=True)
            # The mean of squares less the square of the mean would be one reduction less, but in
            # float32 the predictions of one recorded training would leave their tolerance.
            var = ((pictures - mean) ** 2).mean(axis=(1, 3, 4), keepdims=True)
            self._track(mean, var, pictures.size // var.size)
        else:
            mean, var = _channels(self.mean[...], 6), _channels(self.var[...], 6)
        factor = _channels(self.scale[...], 6) * jax.lax.rsqrt(var + NORM_EPSILON)
        normalised = (pictures - mean) * factor + _channels(self.bias[...], 6)
        return normalised.reshape(x.shape).astype(x.dtype)

    def _track(self, mean: jax.Array, var: jax.Array, count: int) -> None:
        """Move the running statistics with each pass, by the mean of all groups.

        Args:
          mean: means, (groups, 1, passes, 1, 1, c).
          var: biased variances of the same shape.
          count: the number of pixels in each mean.
        """
        running_mean, running_var = self.mean[...], self.var[...]
        unbiased = var * (count / (count - 1))
        means, variances = (
            jax.lax.stop_gradient(array).mean(axis=0).reshape(-1, array.shape[-1])
            for array in (mean, unbiased)
        )
        for batch_mean, batch_var in zip(means, variances, strict=True):
            running_mean += STATISTICS_MOMENTUM * (batch_mean - running_mean)
            running_var += STATISTICS_MOMENTUM * (batch_var - running_var)
        # Assigning to `mean[...]` would look for shardings, which takes tracers long to refuse.
        self.mean.set_value(running_mean)
        self.var.set_value(running_var)
        self.num_batches_tracked.set_value(self.num_batches_tracked[...] + len(means))


def _channels(vector: jax.Array, ndim: int) -> jax.Array:
    """Reshape (c,) to (1, …, 1, c), which meets a picture without implicit rank promotion."""
    return vector.reshape((1,) * (ndim - 1) + vector.shape)


def instance_norm(features: int) -> nnx.InstanceNorm:
    """Make an instance normalisation with scale and bias, and torch's constants.

    Flax's fast variance, E[x²] - E[x]², loses digits that the parity with the original needs.
    """
    # Scale and bias are constants at first; a generator of its own leaves the others' order alone.
    return nnx.InstanceNorm(
        features, epsilon=NORM_EPSILON, use_fast_variance=False, rngs=nnx.Rngs(0)
    )


class SingularVector(nnx.Variable):
    """A running estimate of a weight's leading singular vector."""


class SpectralNorm(nnx.Module):
    """Divides a convolution's kernel by its largest singular value (Miyato et al., ICLR 2018).

    The kernel counts as a matrix of (out, in · height · width). Each call in training takes one
    step of the power iteration, as torch's `spectral_norm` does.
    """

    def __init__(self, conv: nnx.Conv, *, rngs: nnx.Rngs):
        height, width, in_features, out_features = conv.kernel.shape
        self.conv = conv
        self.left = SingularVector(_normalize(rngs.params.normal((out_features,))))
        self.right = SingularVector(_normalize(rngs.params.normal((in_features * height * width,))))

    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b _ _ d"]:
        """Convolve with the normalised kernel."""
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
        # The convolution is linear, so its output can be divided in place of its kernel.
        assert self.conv.bias is not None, "`convolution` gives every convolution a bias"
        bias = _channels(self.conv.bias[...], x.ndim)
        return (geometry.at_full_precision(self.conv(x)) - bias) / largest + bias


def _normalize(vector: jax.Array) -> jax.Array:
    """Scale to unit length, with torch's guard against the zero vector."""
    return vector / jnp.maximum(jnp.linalg.norm(vector), 1e-12)
