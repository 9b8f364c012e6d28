"""The objectives of generator and discriminator."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from fomm_jax.config.schema import Config, LossWeightsConfig
from fomm_jax.models.layers import Numerics
from fomm_jax.models.motion_model import (
    Motion,
    MotionModel,
    Perturbation,
    Reproduction,
    SameScene,
)
from fomm_jax.models.vgg import VggWeights
from fomm_jax.training.step import losses
from fomm_jax.training.step.changed_looks import change_looks
from fomm_jax.types import GeneratorOutput

Losses = dict[str, jax.Array]  # weighted terms by name, each ()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepInputs:
    """The inputs of a step, after augmentation."""

    source: Float[Array, "b h w c"]  # in [0, 1]
    driving: Float[Array, "b h w c"]  # in [0, 1]
    perturbation: Perturbation  # what the motion model draws at random
    look_keys: Key[Array, " b"] | None = None  # random keys of `compat.change_looks`


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepOutputs:
    """The frames, keypoints and predictions of a step.

    The discriminator's loss, the diagnostics and the pictures of the training use them.
    """

    source: Float[Array, "b h w c"]  # in [0, 1], augmented
    driving: Float[Array, "b h w c"]  # in [0, 1], augmented
    source_points: Float[Array, "b k 2"]  # keypoints, in (x, y) order on [-1, 1]
    driving_points: Float[Array, "b k 2"]
    generated: GeneratorOutput
    # The perturbed driving frames and their keypoints; None if no loss asks for them.
    transformed: Float[Array, "b h w c"] | None
    transformed_points: Float[Array, "b k 2"] | None


def stage_losses(
    config: Config, model: MotionModel, vgg: VggWeights, vgg_numerics: Numerics, inputs: StepInputs
) -> tuple[Losses, StepOutputs | None]:
    """Compute the terms of `config.train.stage`, as `generator_losses` does for that of motion.

    The others have no outputs: they generate no frames.
    """
    if config.train.stage == "motion":
        return generator_losses(config, model, vgg, vgg_numerics, inputs)
    terms = model.finishing_losses(inputs.source, inputs.driving, inputs.perturbation, config)
    return terms, None


def generator_losses(
    config: Config, model: MotionModel, vgg: VggWeights, vgg_numerics: Numerics, inputs: StepInputs
) -> tuple[Losses, StepOutputs]:
    """Compute the weighted terms that train everything but the discriminator.

    Args:
      config: the configuration of the run.
      model: the model; its running statistics are updated.
      vgg: the weights of the perceptual network.
      vgg_numerics: how the perceptual network's convolutions are computed.
      inputs: the inputs of the step.
    """
    weights = config.train.loss_weights
    transformed = _transform_driving(model, inputs, weights)
    source_motion, driving_motion, transformed_motion = _detect_in_passes(
        model, inputs.source, inputs.driving, transformed
    )
    features = model.encode(inputs.source, train=True)
    dense_motion = model.flow(
        inputs.source,
        source_motion,
        driving_motion,
        scene=SameScene(inputs.driving, inputs.perturbation),
        train=True,
    )
    generated = model.generate(inputs.source, features, dense_motion, train=True)
    driving_points = model.points(driving_motion)

    terms: Losses = {}
    if any(weights.perceptual):
        terms["perceptual"] = losses.perceptual(
            vgg,
            generated.prediction,
            inputs.driving,
            config.train.scales,
            weights.perceptual,
            vgg_numerics,
        )
    if weights.generator_gan:
        terms |= _adversarial_losses(config, model, generated, inputs.driving, driving_points)
    reproduction = Reproduction(
        source=inputs.source,
        driving=inputs.driving,
        source_motion=source_motion,
        driving_motion=driving_motion,
        features=features,
        generated=generated,
        perturbed_motion=transformed_motion,
    )
    terms |= model.losses(reproduction, inputs.perturbation, weights)
    outputs = StepOutputs(
        source=inputs.source,
        driving=inputs.driving,
        source_points=model.points(source_motion),
        driving_points=driving_points,
        generated=generated,
        transformed=transformed,
        transformed_points=None if transformed is None else model.points(transformed_motion),
    )
    return terms, outputs


def _transform_driving(
    model: MotionModel, inputs: StepInputs, weights: LossWeightsConfig
) -> jax.Array | None:
    """Compute the frames of the equivariance losses; None if no loss asks for them."""
    warped = model.perturb_driving(inputs.driving, inputs.perturbation, weights)
    if warped is None or inputs.look_keys is None:
        return warped
    return change_looks(inputs.look_keys, warped)


def _detect_in_passes(model: MotionModel, *frames: jax.Array | None) -> list[Motion | None]:
    """Detect the motion in frames as in so many calls, one after another; None stays None."""
    # One call for all frames: its products are larger, and so are its messages between devices.
    passes = [picture for picture in frames if picture is not None]
    together = model.detect(jnp.stack(passes, axis=1), train=True)
    motions = [
        jax.tree.map(lambda leaf, index=index: leaf[:, index], together)
        for index in range(len(passes))
    ]
    return [None if picture is None else motions.pop(0) for picture in frames]


def _adversarial_losses(
    config: Config,
    model: MotionModel,
    generated: GeneratorOutput,
    driving: jax.Array,
    driving_points: jax.Array,
) -> Losses:
    """Compute the generator's adversarial term, and feature matching if it has a weight."""
    weights = config.train.loss_weights
    assert model.discriminator is not None, "models are trained with a discriminator"
    points = jax.lax.stop_gradient(driving_points)
    of_generated = model.discriminator(generated.prediction, points, train=True)
    of_real = model.discriminator(driving, points, train=True)
    terms = {"gen_gan": losses.generator_gan(of_generated, weights.generator_gan)}
    if any(weights.feature_matching):
        terms["feature_matching"] = losses.feature_matching(
            of_generated, of_real, weights.feature_matching
        )
    return terms


def discriminator_loss(
    config: Config, model: MotionModel, outputs: StepOutputs
) -> Float[Array, ""]:
    """Compute the discriminator's weighted term on the generator's outputs, detached."""
    assert model.discriminator is not None, "models are trained with a discriminator"
    prediction, driving, points = jax.lax.stop_gradient(
        (outputs.generated.prediction, outputs.driving, outputs.driving_points)
    )
    of_generated = model.discriminator(prediction, points, train=True)
    of_real = model.discriminator(driving, points, train=True)
    weight = config.train.loss_weights.discriminator_gan
    return losses.discriminator_gan(of_generated, of_real, weight)
