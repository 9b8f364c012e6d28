"""The AVD network: animation via disentanglement of shape and pose."""

import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.normalization import BatchNorm
from fomm_jax.models.thin_plate.control_points import POINTS_OF_SPLINE, ControlPoints
from fomm_jax.models.thin_plate.resnet import linear

HIDDEN = (256, 512, 1024)  # widths of the encoders' hidden layers; the decoder's are in reverse


class Perceptron(nnx.Module):
    """Linear layers with batch normalisation and rectifiers between them."""

    def __init__(self, widths: tuple[int, ...], *, rngs: nnx.Rngs):
        self.linears = nnx.List(
            linear(before, after, rngs=rngs) for before, after in itertools.pairwise(widths)
        )
        self.norms = nnx.List(BatchNorm(width) for width in widths[1:-1])

    def __call__(self, x: Float[Array, "b n"], *, train: bool) -> Float[Array, "b m"]:
        """Compute the outputs of the last layer."""
        *hidden, last = self.linears
        for layer, norm in zip(hidden, self.norms, strict=True):
            # The normalisation takes pictures; these are of one pixel.
            x = jax.nn.relu(norm(layer(x)[:, None, None], train=train)[:, 0, 0])
        return last(x)


class AvdNetwork(nnx.Module):
    """Gives the object of a source the pose of a driving frame (section 3.5 of the paper)."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        model = config.thin_plate
        numbers = 2 * POINTS_OF_SPLINE * model.num_tps
        shape, pose = model.avd_network.id_bottle_size, model.avd_network.pose_bottle_size
        self.id_encoder = Perceptron((numbers, *HIDDEN, shape), rngs=rngs)
        self.pose_encoder = Perceptron((numbers, *HIDDEN, pose), rngs=rngs)
        self.decoder = Perceptron((pose + shape, *HIDDEN[::-1], numbers), rngs=rngs)

    def is_trained(self) -> bool:
        """Tell whether a batch has moved the running statistics of a new network."""
        mean = self.decoder.norms[0].mean[...]
        return bool(jnp.any(mean != 0))

    @jax.named_scope("avd_network")
    def __call__(
        self, source: ControlPoints, driving: ControlPoints, *, train: bool
    ) -> ControlPoints:
        """Return the control points of the sources' objects in the poses of the driving frames.

        A single source serves every driving frame.
        """
        pose, shape = (
            encoder(points.value.reshape(points.value.shape[0], -1), train=train)
            for encoder, points in ((self.pose_encoder, driving), (self.id_encoder, source))
        )
        shape = jnp.broadcast_to(shape, (pose.shape[0], shape.shape[1]))
        numbers = self.decoder(jnp.concatenate([pose, shape], axis=-1), train=train)
        return ControlPoints(numbers.reshape(numbers.shape[0], -1, 2))


def draw_scales(key: Array, batch: int, dtype: jnp.dtype, largest: float) -> Float[Array, "b 2"]:
    """Draw factors for x and y, uniformly from [1 - largest, 1 + largest]."""
    return jax.random.uniform(key, (batch, 2), dtype, 1 - largest, 1 + largest)
