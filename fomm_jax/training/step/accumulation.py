"""Gradients of a batch that is taken in parts, one after another, to save memory."""

import jax
import jax.numpy as jnp

from fomm_jax.models.vgg import VggWeights
from fomm_jax.training.step.gradients import Gradients, TakeGradients
from fomm_jax.training.step.objectives import StepInputs, StepOutputs
from fomm_jax.weights.train_state import Branches

Carry = tuple[Gradients, Branches]  # sums of gradients and losses; statistics


def accumulate(take_gradients: TakeGradients, parts: int) -> TakeGradients:
    """Make a function that takes the mean of the gradients over equal parts of the batch.

    Batch normalisation sees one part at a time, and its running statistics move once per part.
    """
    if parts == 1:
        return take_gradients

    def take_in_parts(
        params: Branches, statistics: Branches, inputs: StepInputs, vgg: VggWeights
    ) -> tuple[Gradients, Branches, StepOutputs | None]:
        def add_part(carry: Carry, part: StepInputs) -> tuple[Carry, StepOutputs | None]:
            sums, statistics = carry
            gradients, statistics, outputs = take_gradients(params, statistics, part, vgg)
            return (jax.tree.map(jnp.add, sums, gradients), statistics), outputs

        split_inputs = jax.tree.map(lambda array: _split(array, parts), inputs)
        first = jax.tree.map(lambda array: array[0], split_inputs)
        shapes = jax.eval_shape(take_gradients, params, statistics, first, vgg)[0]
        zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), shapes)
        (sums, statistics), outputs = jax.lax.scan(add_part, (zeros, statistics), split_inputs)
        means = jax.tree.map(lambda array: array / parts, sums)
        return means, statistics, jax.tree.map(_join, outputs)

    return take_in_parts


def _split(array: jax.Array, parts: int) -> jax.Array:
    """Split (b, …) into (parts, b / parts, …); each part has its share of every device's pairs."""
    return jnp.swapaxes(array.reshape(-1, parts, *array.shape[1:]), 0, 1)


def _join(array: jax.Array) -> jax.Array:
    """Join what `_split` has split."""
    return jnp.swapaxes(array, 0, 1).reshape(-1, *array.shape[2:])
