"""The interface of a motion model: all that differs between one motion model and another.

Training, animation, checkpoints, export and reports work through this interface and never ask
which model they deal with. CONTRIBUTING.md tells how to add one.
"""

import abc
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from fomm_jax.config.schema import Config, LossWeightsConfig, NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.models.discriminator import MultiScaleDiscriminator
from fomm_jax.ops.convolution import Convolutions
from fomm_jax.types import DenseMotion, GeneratorOutput

# What a model detects in frames: a pytree of arrays whose first dimension is the batch. For the
# first-order model these are keypoints with jacobians.
Motion = Any
# What a step of training draws at random for a model: a pytree of arrays, batch first. For the
# first-order model this is the thin-plate transform of the equivariance losses.
Perturbation = Any


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """How the optimiser treats the parameters of one network."""

    learning_rate: float
    max_gradient_norm: float = 0.0  # longer gradients are shortened to it; 0 leaves them alone
    weight_decay: float = 0.0  # times the parameters is added to the gradient
    # Gradients are shortened so that no element is larger; 0 leaves them alone.
    largest_gradient: float = 0.0
    first_epoch: int = 0  # before it, nothing of the network changes


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Reproduction:
    """Driving frames that a model has generated in training, and how they came about."""

    source: Float[Array, "b h w c"]  # in [0, 1]
    driving: Float[Array, "b h w c"]  # the real frames
    source_motion: Motion
    driving_motion: Motion
    features: Any  # of the sources, as `encode` computes them
    generated: GeneratorOutput
    perturbed_motion: Motion  # in the frames of `perturb_driving`; None if there are none


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SameScene:
    """What `flow` may see in training and reconstruction, but not in an animation."""

    driving: Float[Array, "b h w c"]  # driving frames that show the source's scene
    perturbation: Perturbation | None  # None outside of training


class MotionModel(nnx.Module, abc.ABC):
    """The networks of a motion model.

    Each attribute that is a network is one branch of a training state and of a checkpoint.
    `DETECTOR` names the branch that decides what `detect` returns. `SEES_SCENE` tells whether
    `flow` has a use for driving frames that show the source's scene. Frames are (b, h, w, c) in
    [0, 1]. With `train`, normalisation uses the statistics of the batch and updates the running
    ones; otherwise it uses the running ones.
    """

    DETECTOR: str
    SEES_SCENE = False
    discriminator: MultiScaleDiscriminator | None

    @abc.abstractmethod
    def __init__(
        self,
        config: Config,
        convolutions: Convolutions,
        *,
        batch_norm_groups: int,
        with_discriminator: bool,
        rngs: nnx.Rngs,
    ):
        """Build the networks with random parameters.

        Args:
          config: the configuration of the run.
          convolutions: the forms of convolution that suit the devices.
          batch_norm_groups: the number of equal parts of a batch that are normalised apart.
          with_discriminator: False for an animation, which needs none.
          rngs: the source of random parameters.
        """

    @abc.abstractmethod
    def detect(self, frames: Float[Array, "b *passes h w c"], *, train: bool) -> Motion:
        """Detect the motion in frames.

        Frames (b, passes, h, w, c) are treated as in so many calls, one after another: with
        `train`, each pass has statistics of its own, and updates the running ones. The arrays of
        their motion begin with (b, passes) as well.
        """

    @abc.abstractmethod
    def flow(
        self,
        source: Float[Array, "#b h w c"],
        source_motion: Motion,
        driving_motion: Motion,
        *,
        scene: SameScene | None = None,
        train: bool,
    ) -> DenseMotion:
        """Compute the dense motion from driving frames to sources, with the occlusion maps.

        A single source serves every driving frame.

        Args:
          source: the source frames.
          source_motion: their motion.
          driving_motion: the motion of the driving frames.
          scene: the driving frames themselves; None if they may show something else.
          train: see the class.
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
        source: Float[Array, "#b h w c"],
        features: Any,
        dense_motion: DenseMotion,
        *,
        train: bool,
    ) -> GeneratorOutput:
        """Generate driving frames from source pictures in [0, 1] and their encoded features."""
        return GeneratorOutput(
            prediction=self.decode(features, dense_motion, train=train),
            deformed=self.warp(source, dense_motion),
            dense_motion=dense_motion,
        )

    @classmethod
    @abc.abstractmethod
    def sample_perturbation(
        cls, key: Array, batch: int, dtype: jnp.dtype, config: Config, epoch: Int[Array, ""]
    ) -> Perturbation:
        """Draw the random input of `flow`, `perturb_driving` and `losses` in a step of an epoch."""

    @abc.abstractmethod
    def perturb_driving(
        self,
        driving: Float[Array, "b h w c"],
        perturbation: Perturbation,
        weights: LossWeightsConfig,
    ) -> Float[Array, "b h w c"] | None:
        """Return the frames whose motion `losses` compares with that of the driving frames.

        None if no loss that compares them has a weight.
        """

    @abc.abstractmethod
    def losses(
        self, reproduction: Reproduction, perturbation: Perturbation, weights: LossWeightsConfig
    ) -> dict[str, Float[Array, ""]]:
        """Compute the model's weighted terms beyond the perceptual and adversarial ones.

        Networks that it calls are in training, as in `flow` with `train`.
        """

    def finishing_losses(
        self,
        source: Float[Array, "b h w c"],
        driving: Float[Array, "b h w c"],
        perturbation: Perturbation,
        config: Config,
    ) -> dict[str, Float[Array, ""]]:
        """Compute the weighted terms of `config.train.stage`, if it is not "motion".

        Such a stage trains networks that a finished model gets. Most models have none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no stage {config.train.stage}")

    @classmethod
    @abc.abstractmethod
    def parameter_groups(cls, config: Config) -> dict[str, ParameterGroup]:
        """Return how the optimisers treat each branch that `config.train.stage` trains."""

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
        """Transfer the motion of driving frames to a source, absolutely or relatively.

        Args:
          source: the motion of the source, of batch 1.
          driving: the motion of the driving frames.
          initial: the motion of the frame that relative motion starts from, of batch 1.
          scale: the factor applied to relative movements; see `movement_scale`.
          config: the mode of transfer.
        """

    def check_can_retarget(self) -> None:
        """Raise an `InputError` if `retarget` cannot be used, as here, without an AVD network."""
        raise InputError(
            "motion_transfer: expected relative or absolute, since this model has no AVD network"
        )

    def retarget(self, source: Motion, driving: Motion) -> Motion:
        """Give a source's object the poses of driving frames by an AVD network.

        Args:
          source: the motion of the source, of batch 1.
          driving: the motion of the driving frames.
        """
        raise NotImplementedError("check_can_retarget says whether a model has it")

    @classmethod
    @abc.abstractmethod
    def points(cls, motion: Motion) -> Float[Any, "*b k 2"]:
        """Return the points of a motion in (x, y) order on [-1, 1], to draw and compare."""
