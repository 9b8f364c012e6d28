"""One step of training, as a pure function of state, batch and random key."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from fomm_jax.config.schema import Config
from fomm_jax.models.build import model_class
from fomm_jax.models.vgg import VggWeights
from fomm_jax.ops.convolution import Convolutions
from fomm_jax.training.step.accumulation import accumulate
from fomm_jax.training.step.augmentation import augment
from fomm_jax.training.step.gradients import Gradients, make_gradients
from fomm_jax.training.step.objectives import StepInputs, StepOutputs
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import (
    Branches,
    Optimizers,
    TrainState,
    update_averaged_statistics,
    update_averages,
)

Scalars = dict[str, jax.Array]  # the losses and DIAGNOSTICS
# The norm of all gradients together, and the spread of the keypoints (absent with one keypoint,
# and where no frames are generated).
DIAGNOSTICS = ("gradient_norm", "keypoint_spread")

Result = tuple[TrainState, Scalars, StepOutputs | None]
TrainStep = Callable[[TrainState, Batch, jax.Array, VggWeights], Result]
Update = Callable[[TrainState, StepInputs, VggWeights], Result]


def make_train_step(
    config: Config,
    optimizers: Optimizers,
    steps_per_epoch: int,
    convolutions: Convolutions,
    batch_norm_groups: int = 1,
) -> TrainStep:
    """Make the step from pairs in uint8.

    Pass it the key of the run at every step; it folds in the number of the step.

    Args:
      config: the configuration of the run.
      optimizers: one for each network that is trained.
      steps_per_epoch: the number of steps in an epoch.
      convolutions: the forms of convolution that suit the devices.
      batch_norm_groups: the number of equal parts of a batch that are normalised apart.
    """
    update = make_update(config, optimizers, convolutions, batch_norm_groups)

    def train_step(state: TrainState, batch: Batch, key: jax.Array, vgg: VggWeights) -> Result:
        epoch = state.step // steps_per_epoch
        inputs = prepare_inputs(config, jax.random.fold_in(key, state.step), batch, epoch)
        return update(state, inputs, vgg)

    return train_step


def make_update(
    config: Config, optimizers: Optimizers, convolutions: Convolutions, batch_norm_groups: int = 1
) -> Update:
    """Make the deterministic part of the step: take the gradients, and apply them."""
    of_part = make_gradients(config, convolutions, batch_norm_groups)
    take_gradients = accumulate(of_part, config.train.accumulate)

    def update(state: TrainState, inputs: StepInputs, vgg: VggWeights) -> Result:
        gradients, statistics, outputs = take_gradients(state.params, state.statistics, inputs, vgg)
        new_state = apply_gradients(config, optimizers, state, gradients, statistics)
        return new_state, step_scalars(gradients, outputs), outputs

    return update


def prepare_inputs(
    config: Config, key: jax.Array, batch: Batch, epoch: Int[Array, ""]
) -> StepInputs:
    """Convert the pairs to [0, 1], augment them, and draw what the model needs at random."""
    augment_key, perturbation_key, look_key = jax.random.split(key, 3)
    source, driving = augment(augment_key, batch, config.dataset.augmentation)
    perturbation = model_class(config).sample_perturbation(
        perturbation_key, len(driving), driving.dtype, config, epoch
    )
    look_keys = jax.random.split(look_key, len(driving)) if config.compat.change_looks else None
    return StepInputs(source, driving, perturbation, look_keys)


def apply_gradients(
    config: Config,
    optimizers: Optimizers,
    state: TrainState,
    gradients: Gradients,
    statistics: Branches,
) -> TrainState:
    """Update parameters, optimisers and averages with the gradients, and count the step."""
    params, optimizer_states = dict(state.params), dict(state.optimizers)
    for name, gradient in gradients.by_network.items():
        # Optax raises floats to integer powers, which the strict promotion of our tests refuses.
        with jax.numpy_dtype_promotion("standard"), jax.named_scope("optimizer"):
            updates, optimizer_states[name] = optimizers[name].update(
                gradient, optimizer_states[name], params[name]
            )
        params[name] = optax.apply_updates(params[name], updates)
    new_state = TrainState(state.step + 1, params, statistics, optimizer_states)
    if state.averages is None or state.averaged_statistics is None:
        return new_state
    time = state.step, config.train.ema_decay
    return dataclasses.replace(
        new_state,
        averages=update_averages(state.averages, params, *time),
        averaged_statistics=update_averaged_statistics(
            state.averaged_statistics, statistics, *time
        ),
    )


def step_scalars(gradients: Gradients, outputs: StepOutputs | None) -> Scalars:
    """Return the losses and `DIAGNOSTICS` of a step."""
    scalars = gradients.losses | {"gradient_norm": optax.tree.norm(gradients.by_network)}
    if outputs is not None and outputs.driving_points.shape[1] > 1:
        scalars["keypoint_spread"] = keypoint_spread(outputs.driving_points)
    return scalars


def keypoint_spread(points: Float[Array, "b k 2"]) -> Float[Array, ""]:
    """Compute the standard deviation of a frame's keypoints, as a share of the frame's side.

    It covers x and y together, and is the mean over the frames: from 0 for keypoints all in one
    place to 0.5 for keypoints in opposite corners.
    """
    variance = jnp.mean(jnp.var(points, axis=1), axis=-1)
    return jnp.mean(jnp.sqrt(variance)) / 2
