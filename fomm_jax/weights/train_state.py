"""Networks and optimisers as one tree of arrays."""

import dataclasses
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config, TrainConfig
from fomm_jax.models.networks import Networks

ADAM_BETAS = (0.5, 0.999)
ADAM_EPSILON = 1e-8
MILESTONE_FACTOR = 0.1  # of the learning rates at each of `epoch_milestones`

T = TypeVar("T")
Optimizers = dict[str, optax.GradientTransformation]  # by network, as in `Networks`


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that a step of training changes.

    `params`, `statistics` and `optimizers` have a branch for each of `kp_detector`, `generator`
    and `discriminator`.
    """

    step: jax.Array  # () int32, steps done
    params: dict[str, nnx.State]
    statistics: dict[str, nnx.State]  # running statistics and singular vectors
    optimizers: dict[str, optax.OptState]
    # Of `params`, over the steps, for evaluation; None unless `config.train.ema_decay` asks for it.
    averages: dict[str, nnx.State] | None = None


def make_optimizers(config: TrainConfig, steps_per_epoch: int) -> Optimizers:
    """Adam for each network, with learning rates that drop by 10 at the milestones."""

    def optimizer(learning_rate: float) -> optax.GradientTransformation:
        schedule = optax.piecewise_constant_schedule(
            learning_rate,
            {epoch * steps_per_epoch: MILESTONE_FACTOR for epoch in config.epoch_milestones},
        )
        adam = optax.adam(schedule, *ADAM_BETAS, eps=ADAM_EPSILON)
        if not config.max_gradient_norm:
            return adam
        return optax.chain(optax.clip_by_global_norm(config.max_gradient_norm), adam)

    return {
        "kp_detector": optimizer(config.lr_kp_detector),
        "generator": optimizer(config.lr_generator),
        "discriminator": optimizer(config.lr_discriminator),
    }


def split_networks(networks: Networks) -> tuple[dict[str, nnx.State], dict[str, nnx.State]]:
    """Parameters and statistics by network."""
    params = nnx.state(networks, nnx.Param)
    statistics = nnx.state(networks, nnx.Not(nnx.Param))
    return dict(params), dict(statistics)


def merge_networks(
    definition: nnx.GraphDef, params: dict[str, nnx.State], statistics: dict[str, nnx.State]
) -> Networks:
    """Networks of their own, which may change their statistics under any transformation."""
    return nnx.merge(definition, nnx.State(params), nnx.State(statistics), copy=True)


def initial_state(config: Config, optimizers: Optimizers, key: jax.Array) -> TrainState:
    """Random networks and fresh optimisers; a pure function of the key."""
    networks = Networks(config.model, config.compat, rngs=nnx.Rngs(key))
    params, statistics = split_networks(networks)
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        statistics=statistics,
        optimizers={name: optimizers[name].init(params[name]) for name in optimizers},
    )
    return begin_averages(state) if config.train.ema_decay else state


def averaged(
    averages: dict[str, nnx.State], params: dict[str, nnx.State], step: jax.Array, decay: float
) -> dict[str, nnx.State]:
    """The exponential moving average of the weights after one more step.

    A step keeps min(decay, (1 + t) / (10 + t)) of the average, where t counts the steps from 0, so
    that random weights are soon forgotten (the rule of TensorFlow's ExponentialMovingAverage).
    """

    def move(average: jax.Array, param: jax.Array) -> jax.Array:
        time = step.astype(param.dtype)
        kept = jnp.minimum(decay, (1 + time) / (10 + time))
        return kept * average + (1 - kept) * param

    return jax.tree.map(move, averages, params)


def begin_averages(state: TrainState) -> TrainState:
    """The state with averages that are its weights."""
    return dataclasses.replace(state, averages=jax.tree.map(jnp.copy, state.params))


def place_like(tree: T, like: T) -> T:
    """Arrays that every process has to where those of another tree lie."""
    # From the host, since arrays on a device go to devices of other processes by no other way.
    return jax.tree.map(
        lambda array, other: jax.device_put(np.asarray(array), other.sharding), tree, like
    )
