"""The gradients of all networks on a batch."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model
from fomm_jax.models.layers import Numerics
from fomm_jax.models.vgg import VggWeights
from fomm_jax.ops.convolution import ANY_DEVICE, CONVOLVED, Convolutions
from fomm_jax.training.objectives import (
    Losses,
    StepInputs,
    StepOutputs,
    discriminator_loss,
    generator_losses,
)
from fomm_jax.weights.train_state import Branches, merge_model, split_model

# Rematerialisation keeps the results of convolutions: what lies between them takes much memory and
# little time.
KEEP_CONVOLVED = jax.checkpoint_policies.save_only_these_names(CONVOLVED)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Gradients:
    """Gradients by network, and the losses that they reduce."""

    networks: Branches
    losses: Losses


# (params, statistics, inputs, vgg) -> (gradients, statistics after the pass, outputs)
TakeGradients = Callable[
    [Branches, Branches, StepInputs, VggWeights], tuple[Gradients, Branches, StepOutputs]
]


def make_gradients(config: Config, convolutions: Convolutions = ANY_DEVICE) -> TakeGradients:
    """Make the function that takes the gradients of all networks at fixed parameters.

    The generator's gradients come first. The discriminator's see the frame that was generated for
    them, detached.

    Args:
      config: the configuration of the run.
      convolutions: the forms of convolution that suit the devices.
    """
    definition = nnx.graphdef(abstract_model(config, convolutions))
    # No dtype leaves float64 alone, in which parity with the recordings is computed.
    dtype = jnp.bfloat16 if config.model.compute_dtype == "bfloat16" else None
    vgg_numerics = Numerics(convolutions, dtype)

    def take_gradients(
        params: Branches, statistics: Branches, inputs: StepInputs, vgg: VggWeights
    ) -> tuple[Gradients, Branches, StepOutputs]:
        def generator_objective(
            trained: Branches,
        ) -> tuple[jax.Array, tuple[Losses, StepOutputs, Branches]]:
            model = merge_model(definition, params | trained, statistics)
            terms, outputs = generator_losses(config, model, vgg, vgg_numerics, inputs)
            total = jnp.sum(jnp.stack(list(terms.values())))
            return total, (terms, outputs, split_model(model)[1])

        objective = generator_objective
        if config.train.remat:
            objective = jax.checkpoint(generator_objective, policy=KEEP_CONVOLVED)
        trained = {name: params[name] for name in params if name != "discriminator"}
        networks, (terms, outputs, updated) = jax.grad(objective, has_aux=True)(trained)
        if config.train.loss_weights.generator_gan == 0:
            return Gradients(networks, terms), updated, outputs

        def discriminator_objective(trained: nnx.State) -> tuple[jax.Array, Branches]:
            model = merge_model(definition, params | {"discriminator": trained}, updated)
            loss = discriminator_loss(config, model, outputs)
            return loss, split_model(model)[1]

        (loss, updated_again), networks["discriminator"] = jax.value_and_grad(
            discriminator_objective, has_aux=True
        )(params["discriminator"])
        return Gradients(networks, terms | {"disc_gan": loss}), updated_again, outputs

    return take_gradients
