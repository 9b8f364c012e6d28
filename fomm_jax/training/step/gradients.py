"""The gradients of all networks on a batch."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model, model_class
from fomm_jax.models.layers import Numerics
from fomm_jax.models.vgg import VggWeights
from fomm_jax.ops.convolution import CONVOLVED, Convolutions
from fomm_jax.training.step.objectives import (
    Losses,
    StepInputs,
    StepOutputs,
    discriminator_loss,
    stage_losses,
)
from fomm_jax.weights.train_state import Branches, merge_model, split_model

# Rematerialisation keeps the results of convolutions: what lies between them takes much memory and
# little time.
KEEP_CONVOLVED = jax.checkpoint_policies.save_only_these_names(CONVOLVED)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Gradients:
    """Gradients by network, and the losses that they reduce."""

    by_network: Branches
    losses: Losses


# (params, statistics, inputs, vgg) -> (gradients, statistics after the pass, outputs)
TakeGradients = Callable[
    [Branches, Branches, StepInputs, VggWeights], tuple[Gradients, Branches, StepOutputs | None]
]


def make_gradients(
    config: Config, convolutions: Convolutions, batch_norm_groups: int = 1
) -> TakeGradients:
    """Make the function that takes the gradients of all networks at fixed parameters.

    The discriminator's objective sees the frame that was generated for the generator's, detached.

    Args:
      config: the configuration of the run.
      convolutions: the forms of convolution that suit the devices.
      batch_norm_groups: the number of equal parts of a batch that are normalised apart.
    """
    abstract = abstract_model(config, convolutions, batch_norm_groups=batch_norm_groups)
    definition = nnx.graphdef(abstract)
    trained = model_class(config).parameter_groups(config)
    # None keeps the dtype of the pictures: the parity checks run in float64.
    dtype = jnp.bfloat16 if config.model.compute_dtype == "bfloat16" else None
    vgg_numerics = Numerics(convolutions, dtype, antialias_sigma=config.compat.antialias_sigma)

    def take_gradients(
        params: Branches, statistics: Branches, inputs: StepInputs, vgg: VggWeights
    ) -> tuple[Gradients, Branches, StepOutputs | None]:
        def generator_objective(
            generator_params: Branches,
        ) -> tuple[jax.Array, tuple[Losses, StepOutputs | None, Branches]]:
            model = merge_model(definition, params | generator_params, statistics)
            losses, outputs = stage_losses(config, model, vgg, vgg_numerics, inputs)
            total = jnp.sum(jnp.stack(list(losses.values())))
            return total, (losses, outputs, split_model(model)[1])

        objective = generator_objective
        if config.train.remat:
            objective = jax.checkpoint(generator_objective, policy=KEEP_CONVOLVED)
        generator_params = {name: params[name] for name in trained if name != "discriminator"}
        gradients, (losses, outputs, statistics_after_generator) = jax.grad(
            objective, has_aux=True
        )(generator_params)
        if outputs is None or config.train.loss_weights.generator_gan == 0:
            return Gradients(gradients, losses), statistics_after_generator, outputs

        def discriminator_objective(
            discriminator_params: nnx.State,
        ) -> tuple[jax.Array, Branches]:
            all_params = params | {"discriminator": discriminator_params}
            model = merge_model(definition, all_params, statistics_after_generator)
            loss = discriminator_loss(config, model, outputs)
            return loss, split_model(model)[1]

        (loss, statistics_after_both), gradients["discriminator"] = jax.value_and_grad(
            discriminator_objective, has_aux=True
        )(params["discriminator"])
        losses = losses | {"disc_gan": loss}
        return Gradients(gradients, losses), statistics_after_both, outputs

    return take_gradients
