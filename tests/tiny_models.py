"""A small model of each kind with its state before training, for tests of the step."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import reference
from config_helpers import config_of

from fomm_jax.parity.trainer import Trainer
from fomm_jax.weights.train_state import initial_state, make_optimizers

STEPS_PER_EPOCH = 10
# Both models, of which `make test` takes the first-order one: the other has two ResNet-18.
BOTH = ["first-order", pytest.param("thin-plate", marks=pytest.mark.slow)]


def tiny_model(name):
    """Return the configuration of a model, its optimisers, and its state.

    Floats are in JAX's default precision. The first-order model is a recorded one with a
    discriminator; the networks of the other are random.
    """
    if name == "first-order":
        recording = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
        config, state = recording.config, Trainer(recording).initial
        optimizers = make_optimizers(config, STEPS_PER_EPOCH)
    else:
        config = config_of("tpsmm_tiny")
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
