"""The interface of a motion model: all that differs between one motion model and another.

Training, animation, checkpoints, export and reports work through this interface and never ask
which model they deal with. CONTRIBUTING.md tells how to add one.
"""

import abc
import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from fomm_jax.config.schema import LossWeightsConfig, NormalizationConfig, TrainConfig
from fomm_jax.models.discriminator import MultiScaleDiscriminator
from fomm_jax.types import DenseMotion, GeneratorOutput

# What a model detects in frames: a pytree of arrays whose first dimension is the batch. For the
# first-order model these are keypoints with jacobians.
Motion = Any
# What the losses of a step depend on at random: a pytree of arrays, batch first. For the
# first-order model this is the thin-plate transform of the equivariance losses.
Perturbation = Any


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """How the optimiser treats the parameters of one network."""

    learning_rate: float
    max_gradient_norm: float = 0.0  # longer gradients are shortened to it; 0 leaves them alone


@dataclasses.dataclass(frozen=True)
class ModelLosses:
    """A model's own terms of the objective, and what they looked at."""

    terms: dict[str, Float[Array, ""]]  # weighted
    transformed: Float[Array, "b h w c"] | None = None  # the perturbed driving frames
    transformed_motion: Motion | None = None  # the motion that was detected in them


class MotionModel(nnx.Module, abc.ABC):
    """The networks of a motion model.

    Each attribute that is a network is one branch of a training state and of a checkpoint.
    `DETECTOR` names the branch that decides what `detect` returns. Frames are (b, h, w, c) in
    [0, 1]. `train` chooses between statistics of the batch, which also update the running ones,
    and the running statistics.
    """

    DETECTOR: str
    discriminator: MultiScaleDiscriminator | None

    @abc.abstractmethod
    def detect(self, frames: Float[Array, "b h w c"], *, train: bool) -> Motion:
        """Detect the motion in frames."""

    @abc.abstractmethod
    def flow(
        self,
        source: Float[Array, "#b h w c"],
        source_motion: Motion,
        driving_motion: Motion,
        *,
        train: bool,
    ) -> DenseMotion:
        """Compute the motion field from driving frames to sources, and what the sources hide.

        A single source serves every driving frame.
        """

    @abc.abstractmethod
    def encode(self, source: Float[Array, "b h w c"], *, train: bool) -> Any:
        """Compute the features of sources; an animation calls it once."""

    @abc.abstractmethod
    def decode(
        self, features: Any, dense_motion: DenseMotion, *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Warp the features and generate frames in [0, 1]; a single source serves every motion."""

    @abc.abstractmethod
    def warp(
        self, source: Float[Array, "#b h w c"], dense_motion: DenseMotion
    ) -> Float[Array, "b h w c"]:
        """Warp source pictures by the motion field alone, for people to look at."""

    def generate(
        self,
        source: Float[Array, "b h w c"],
        source_motion: Motion,
        driving_motion: Motion,
        *,
        train: bool,
    ) -> GeneratorOutput:
        """Generate the driving frames from source pictures in [0, 1]."""
        features = self.encode(source, train=train)
        dense_motion = self.flow(source, source_motion, driving_motion, train=train)
        return GeneratorOutput(
            prediction=self.decode(features, dense_motion, train=train),
            deformed=self.warp(source, dense_motion),
            dense_motion=dense_motion,
        )

    @classmethod
    @abc.abstractmethod
    def sample_perturbation(
        cls, key: Array, batch: int, dtype: jnp.dtype, config: TrainConfig
    ) -> Perturbation:
        """Draw what the losses of a step depend on at random."""

    @abc.abstractmethod
    def losses(
        self,
        driving: Float[Array, "b h w c"],
        driving_motion: Motion,
        perturbation: Perturbation,
        weights: LossWeightsConfig,
    ) -> ModelLosses:
        """Compute the model's terms beyond the perceptual and adversarial ones, in training."""

    @classmethod
    @abc.abstractmethod
    def parameter_groups(cls, config: TrainConfig) -> dict[str, ParameterGroup]:
        """Return how the optimisers treat each branch of parameters."""

    @classmethod
    @abc.abstractmethod
    def transfer(
        cls,
        source: Motion,
        driving: Motion,
        initial: Motion,
        scale: Float[Array, ""],
        config: NormalizationConfig,
    ) -> Motion:
        """Transfer the motion of driving frames to a source.

        Args:
          source: the motion of the source, of batch 1.
          driving: the motion of the driving frames.
          initial: the motion of the frame that relative motion starts from, of batch 1.
          scale: the factor by which movements grow.
          config: the mode of transfer.
        """

    @classmethod
    @abc.abstractmethod
    def points(cls, motion: Motion) -> Float[Any, "*b k 2"]:
        """Return the points of a motion in (x, y) order on [-1, 1], to draw and compare."""
