"""Networks and optimisers as one tree of arrays."""

import dataclasses
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Int

from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model, build_model, model_class
from fomm_jax.models.motion_model import MotionModel, ParameterGroup
from fomm_jax.models.random_parameters import host_source

ADAM_BETAS = (0.5, 0.999)
ADAM_EPSILON = 1e-8
MILESTONE_FACTOR = 0.1  # of the learning rates at each of `epoch_milestones`

T = TypeVar("T")
Branches = dict[str, nnx.State]  # by the name of the network, as in the motion model
Optimizers = dict[str, optax.GradientTransformation]  # by the name of the network


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that a step of training changes.

    `params`, `statistics` and `optimizers` have a branch for each network of the motion model; the
    first-order model has `kp_detector`, `generator` and `discriminator`.
    """

    step: Int[Array, ""]  # steps done
    params: Branches
    statistics: Branches  # running statistics and singular vectors
    optimizers: dict[str, optax.OptState]
    # The average of `params` over the steps, for evaluation; None unless `config.train.ema_decay`
    # asks for it.
    averages: Branches | None = None


def state_parts(state: TrainState) -> dict[str, Any]:
    """Return the fields of a state that are not None: the parts of its checkpoint."""
    fields = (field.name for field in dataclasses.fields(state))
    return {name: part for name in fields if (part := getattr(state, name)) is not None}


def make_optimizers(config: Config, steps_per_epoch: int) -> Optimizers:
    """Make Adam for each network, with learning rates that drop by 10 at the milestones."""

    def optimizer(group: ParameterGroup) -> optax.GradientTransformation:
        schedule = optax.piecewise_constant_schedule(
            group.learning_rate,
            {epoch * steps_per_epoch: MILESTONE_FACTOR for epoch in config.train.epoch_milestones},
        )
        adam = optax.adam(schedule, *ADAM_BETAS, eps=ADAM_EPSILON)
        if not group.max_gradient_norm:
            return adam
        return optax.chain(optax.clip_by_global_norm(group.max_gradient_norm), adam)

    groups = model_class(config).parameter_groups(config.train)
    return {name: optimizer(group) for name, group in groups.items()}


def split_model(model: MotionModel) -> tuple[Branches, Branches]:
    """Split a model into parameters and statistics, by network."""
    params = nnx.state(model, nnx.Param)
    statistics = nnx.state(model, nnx.Not(nnx.Param))
    return dict(params), dict(statistics)


def merge_model(definition: nnx.GraphDef, params: Branches, statistics: Branches) -> MotionModel:
    """Make a model of its own, which may change its statistics under any transformation."""
    return nnx.merge(definition, nnx.State(params), nnx.State(statistics), copy=True)


def initial_state(config: Config, optimizers: Optimizers, seed: int) -> TrainState:
    """Draw random networks and make fresh optimisers, as arrays of NumPy."""
    params, statistics = split_model(build_model(config, rngs=host_source(seed)))
    state = _before_the_first_step(config, optimizers, params, statistics)
    # Fresh optimisers hold nothing but zeros.
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state.optimizers)
    state = dataclasses.replace(state, optimizers=zeros)
    return jax.tree.map(np.asarray, state)


def abstract_state(config: Config, optimizers: Optimizers) -> TrainState:
    """Return the state of a run with shapes and dtypes in place of arrays."""
    networks = split_model(abstract_model(config))
    state = _before_the_first_step(config, optimizers, *networks)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)


def _before_the_first_step(
    config: Config, optimizers: Optimizers, params: Branches, statistics: Branches
) -> TrainState:
    """Add to networks what a state has besides; optimisers with shapes in place of arrays."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        statistics=statistics,
        optimizers={
            name: jax.eval_shape(optimizers[name].init, params[name]) for name in optimizers
        },
        averages=params if config.train.ema_decay else None,
    )


def update_averages(
    averages: Branches, params: Branches, step: Int[Array, ""], decay: float
) -> Branches:
    """Update the exponential moving average of the weights after one more step.

    A step keeps the share min(decay, (1 + t) / (10 + t)) of the average, where t counts the steps
    from 0, so that random weights are soon forgotten (the rule of TensorFlow's
    ExponentialMovingAverage).
    """

    def update(average: jax.Array, param: jax.Array) -> jax.Array:
        time = step.astype(param.dtype)
        share = jnp.minimum(decay, (1 + time) / (10 + time))
        # `optax.incremental_update` takes 1 - share, which rounds the share itself.
        return share * average + (1 - share) * param

    return jax.tree.map(update, averages, params)


def begin_averages(state: TrainState) -> TrainState:
    """Add averages to a state; they begin as its weights."""
    return dataclasses.replace(state, averages=jax.tree.map(jnp.copy, state.params))


def place_like(tree: T, like: T) -> T:
    """Put arrays that every process has on the devices where those of another tree are."""
    # By way of the host: arrays on a device reach devices of other processes by no other way.
    return jax.tree.map(
        lambda array, other: jax.device_put(np.asarray(array), other.sharding), tree, like
    )
