"""The keypoint detector: the control points of all splines from one frame."""

import jax
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import Numerics
from fomm_jax.models.thin_plate.control_points import POINTS_OF_SPLINE, ControlPoints
from fomm_jax.models.thin_plate.resnet import ResNet18


class KeypointDetector(nnx.Module):
    """Predicts coordinates by a ResNet-18 (section 3.1 of the paper)."""

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        self.num_points = config.thin_plate.num_tps * POINTS_OF_SPLINE
        self.encoder = ResNet18(config.num_channels, 2 * self.num_points, numerics, rngs=rngs)

    @jax.named_scope("kp_detector")
    def __call__(self, frames: Float[Array, "b *passes h w c"], *, train: bool) -> ControlPoints:
        """Find the control points of frames in [0, 1]."""
        numbers = self.encoder(frames, train=train)
        value = 2 * jax.nn.sigmoid(numbers) - 1
        return ControlPoints(value.reshape(*numbers.shape[:-1], self.num_points, 2))
