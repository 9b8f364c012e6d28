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
TORCH_CLIP_EPSILON = 1e-6
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
    # The averages of `params` and `statistics` over the steps, for evaluation; None unless
    # `config.train.ema_decay` asks for them.
    averages: Branches | None = None
    averaged_statistics: Branches | None = None


def state_parts(state: TrainState) -> dict[str, Any]:
    """Return the fields of a state that are not None: the parts of its checkpoint."""
    fields = (field.name for field in dataclasses.fields(state))
    return {name: part for name in fields if (part := getattr(state, name)) is not None}


def make_optimizers(config: Config, steps_per_epoch: int) -> Optimizers:
    """Make Adam for each network that is trained.

    Learning rates drop by 10 at the milestones. What a group asks for beyond that comes first: its
    gradient is shortened, and then weight decay is added to it.
    """

    def optimizer(group: ParameterGroup) -> optax.GradientTransformation:
        schedule = optax.piecewise_constant_schedule(
            group.learning_rate,
            {epoch * steps_per_epoch: MILESTONE_FACTOR for epoch in config.train.epoch_milestones},
        )
        before = []
        if group.max_gradient_norm:
            before.append(optax.clip_by_global_norm(group.max_gradient_norm))
        if group.largest_gradient:
            before.append(_limit_elements(group.largest_gradient))
        if group.weight_decay:
            before.append(optax.add_decayed_weights(group.weight_decay))
        if not group.first_epoch:
            adam = optax.adam(schedule, *ADAM_BETAS, eps=ADAM_EPSILON)
            return optax.chain(*before, adam) if before else adam
        first_step = group.first_epoch * steps_per_epoch
        # The schedule of the learning rate counts while the rest waits.
        waiting = optax.conditionally_mask(
            optax.chain(*before, optax.scale_by_adam(*ADAM_BETAS, eps=ADAM_EPSILON)),
            lambda step: step >= first_step,
        )
        return optax.chain(waiting, optax.scale_by_learning_rate(schedule))

    groups = model_class(config).parameter_groups(config)
    return {name: optimizer(group) for name, group in groups.items()}


def _limit_elements(largest: float) -> optax.GradientTransformation:
    """Make a transformation that shortens gradients with a larger element than `largest`.

    Like torch's clipping, it divides by slightly more than the largest element.
    """

    def update(gradient: nnx.State, state: optax.EmptyState, params: object = None) -> Any:
        del params
        norm = optax.tree.norm(gradient, ord="inf")
        factor = jnp.minimum(1, largest / (norm + TORCH_CLIP_EPSILON))
        return jax.tree.map(lambda array: array * factor, gradient), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def at_step(optimizer: optax.OptState, step: int) -> optax.OptState:
    """Let an optimiser's learning rate, and its first epoch, go by another number of steps done.

    Adam's own count of steps stays.
    """

    def set_count(node: Any) -> Any:
        # As an array of numpy it becomes an array of JAX for each counter, which they need because
        # training donates them.
        count = np.asarray(step, np.int32)
        if isinstance(node, optax.ScaleByScheduleState):
            return node._replace(count=count)
        if isinstance(node, optax.ConditionallyMaskState):
            return node._replace(step=count)
        return node

    counters = optax.ScaleByScheduleState, optax.ConditionallyMaskState
    return jax.tree.map(set_count, optimizer, is_leaf=lambda node: isinstance(node, counters))


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
        averaged_statistics=statistics if config.train.ema_decay else None,
    )


def update_averages(averages: T, params: T, step: Int[Array, ""], decay: float) -> T:
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


def update_averaged_statistics(
    averages: Branches, statistics: Branches, step: Int[Array, ""], decay: float
) -> Branches:
    """Update the average of the running statistics after one more step, as `update_averages` does.

    Running statistics are those of about the last ten batches, too few for averaged weights. The
    count of batches and the singular vectors, which have no meaningful average, are the newest.
    """

    def update(average: nnx.Variable, newest: nnx.Variable) -> nnx.Variable:
        is_mean = isinstance(newest, nnx.BatchStat) and jnp.issubdtype(newest.dtype, jnp.floating)
        return update_averages(average, newest, step, decay) if is_mean else newest

    return jax.tree.map(
        update, averages, statistics, is_leaf=lambda node: isinstance(node, nnx.Variable)
    )


def begin_averages(state: TrainState) -> TrainState:
    """Add the averages that a state lacks; they begin as its weights and statistics."""
    parts = {"averages": state.params, "averaged_statistics": state.statistics}
    absent = {
        name: jax.tree.map(jnp.copy, part)
        for name, part in parts.items()
        if getattr(state, name) is None
    }
    return dataclasses.replace(state, **absent)


def place_like(tree: T, like: T) -> T:
    """Put arrays that every process has on the devices where those of another tree are."""
    # By way of the host: arrays on a device reach devices of other processes by no other way.
    return jax.tree.map(
        lambda array, other: jax.device_put(np.asarray(array), other.sharding), tree, like
    )
