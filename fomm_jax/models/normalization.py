"""Normalisations of pictures, and of the kernels of convolutions, as in torch."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.models.random_parameters import draw_normal
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
        if not train:
            parameters = (self.mean, self.var, self.scale, self.bias)
            return _normalise(x, *(_channels(each[...], x.ndim) for each in parameters))
        # (groups, pairs of a group, passes, h, w, c)
        pictures = x.reshape(self.groups, -1, math.prod(x.shape[1:-3]), *x.shape[-3:])
        scale, bias = _channels(self.scale[...], 6), _channels(self.bias[...], 6)
        normalised, mean, var = _normalise_by_batch(pictures, scale, bias)
        self._track(mean, var, pictures.size // var.size)
        return normalised.reshape(x.shape)

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
            array.mean(axis=0).reshape(-1, array.shape[-1]) for array in (mean, unbiased)
        )
        for batch_mean, batch_var in zip(means, variances, strict=True):
            running_mean += STATISTICS_MOMENTUM * (batch_mean - running_mean)
            running_var += STATISTICS_MOMENTUM * (batch_var - running_var)
        # Assigning to `mean[...]` would look for shardings, which takes tracers long to refuse.
        self.mean.set_value(running_mean)
        self.var.set_value(running_var)
        self.num_batches_tracked.set_value(self.num_batches_tracked[...] + len(means))


_PIXELS = (1, 3, 4)  # the axes of (groups, b, passes, h, w, c) that share a mean and a variance
_Residuals = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


def _normalise(
    x: jax.Array, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array
) -> jax.Array:
    """Normalise in float32 at least, and return the dtype of the pictures."""
    factor = scale * jax.lax.rsqrt(var + NORM_EPSILON)
    return ((geometry.at_full_precision(x) - mean) * factor + bias).astype(x.dtype)


@jax.custom_vjp
def _normalise_by_batch(
    x: Float[Array, "groups b passes h w c"],
    scale: Float[Array, "1 1 1 1 1 c"],
    bias: Float[Array, "1 1 1 1 1 c"],
) -> tuple[Array, Float[Array, "groups 1 passes 1 1 c"], Float[Array, "groups 1 passes 1 1 c"]]:
    """Normalise by the means and biased variances of the pictures, and return these, too.

    The gradient reduces over the pictures once, for two sums. Differentiating the mean and the
    variance, one after the other, would reduce twice. No gradient goes through the statistics that
    are returned.
    """
    values = geometry.at_full_precision(x)
    mean = values.mean(axis=_PIXELS, keepdims=True)
    # The mean of squares less the square of the mean would be one reduction less, but in float32
    # the predictions of one recorded training would leave their tolerance.
    var = ((values - mean) ** 2).mean(axis=_PIXELS, keepdims=True)
    return _normalise(x, mean, var, scale, bias), mean, var


def _normalise_forward(
    x: jax.Array, scale: jax.Array, bias: jax.Array
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], _Residuals]:
    normalised, mean, var = _normalise_by_batch(x, scale, bias)
    return (normalised, mean, var), (x, mean, var, scale)


def _normalise_backward(
    residuals: _Residuals, gradients: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Compute the gradients (Ioffe and Szegedy, 2015, section 3) of pictures, scale and bias."""
    x, mean, var, scale = residuals
    gradient = geometry.at_full_precision(gradients[0])
    rate = jax.lax.rsqrt(var + NORM_EPSILON)
    standardised = (geometry.at_full_precision(x) - mean) * rate
    sums = gradient.sum(axis=_PIXELS, keepdims=True)
    products = (gradient * standardised).sum(axis=_PIXELS, keepdims=True)
    count = x.size // sums.size
    of_pictures = scale * rate * (gradient - sums / count - standardised * (products / count))
    of_scale, of_bias = (array.sum(axis=(0, 2), keepdims=True) for array in (products, sums))
    return of_pictures.astype(x.dtype), of_scale, of_bias


_normalise_by_batch.defvjp(_normalise_forward, _normalise_backward)


def _channels(vector: jax.Array, ndim: int) -> jax.Array:
    """Reshape (c,) to (1, …, 1, c), which meets a picture without implicit rank promotion."""
    return vector.reshape((1,) * (ndim - 1) + vector.shape)


class InstanceNorm(nnx.InstanceNorm):
    """Instance normalisation with scale and bias, and torch's constants.

    It is the same in training and evaluation. Flax's fast variance, E[x²] - E[x]², loses digits
    that the parity with the original needs.
    """

    def __init__(self, features: int):
        # Scale and bias are constants at first; a generator of its own leaves the others' order
        # alone.
        super().__init__(features, epsilon=NORM_EPSILON, use_fast_variance=False, rngs=nnx.Rngs(0))

    def __call__(  # type: ignore[override]  # Flax's has a mask in place of `train`
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Normalise each channel of each picture. Statistics are float32 at least."""
        del train
        # Flax promotes float64 with float32, which the strict promotion of our tests refuses.
        with jax.numpy_dtype_promotion("standard"):
            return super().__call__(geometry.at_full_precision(x)).astype(x.dtype)


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
        self.left = SingularVector(_normalize(draw_normal(rngs.params(), (out_features,))))
        taps = in_features * height * width
        self.right = SingularVector(_normalize(draw_normal(rngs.params(), (taps,))))

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


def _normalize(vector: jax.Array | np.ndarray) -> jax.Array:
    """Scale to unit length, with torch's guard against the zero vector."""
    vector = jnp.asarray(vector)
    return vector / jnp.maximum(jnp.linalg.norm(vector), 1e-12)
