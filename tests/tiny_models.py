"""A small model of each kind with its state before training, for tests of the step."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from config_helpers import config_of, with_fields

from fomm_jax.weights.train_state import initial_state, make_optimizers

STEPS_PER_EPOCH = 10
# Both models, of which `make test` takes the first-order one: the other has two ResNet-18.
BOTH = ["first-order", pytest.param("thin-plate", marks=pytest.mark.slow)]


# Flat networks, which compile in half the time of configs/tiny.py, with every kind of part in them.
CONFIGS = {
    "first-order": with_fields(
        config_of("tiny"),
        model__kp_detector__num_blocks=1,
        model__generator__num_down_blocks=1,
        model__generator__dense_motion__num_blocks=1,
        model__discriminator__num_blocks=1,
        model__discriminator__use_kp=True,
    ),
    "thin-plate": config_of("tpsmm_tiny"),
}


def tiny_model(name):
    """Return the configuration of a model, its optimisers, and its state.

    Floats are in JAX's default precision, and the networks are random.
    """
    config = CONFIGS[name]
    optimizers = make_optimizers(config, STEPS_PER_EPOCH)
    state = initial_state(config, optimizers, seed=0)
    precision = jax.dtypes.canonicalize_dtype(float)
    params, statistics = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, precision if leaf.dtype.kind == "f" else leaf.dtype),
        (state.params, state.statistics),
    )
    fresh = {network: optimizers[network].init(params[network]) for network in optimizers}
    state = dataclasses.replace(
        state,
        step=jnp.asarray(0, jnp.int32),
        params=params,
        statistics=statistics,
        optimizers=fresh,
    )
    return config, optimizers, state


def first_moments(optimizer):
    """Return Adam's first moments in one vector: after one step a fixed part of the gradient."""
    moments = optax.tree_utils.tree_get(optimizer, "mu")
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(moments)])
