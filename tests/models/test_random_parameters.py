"""The random parameters of new networks."""

import dataclasses

import jax
import numpy as np

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.weights.train_state import abstract_state, initial_state, make_optimizers

CONFIG = from_config_dict(tiny.get_config())


def test_a_seed_gives_the_same_networks_and_another_one_others():
    optimizers = make_optimizers(CONFIG, 1)
    first, again, other = (initial_state(CONFIG, optimizers, seed) for seed in (3, 3, 4))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    kernel = first.params["generator"]["final"]["kernel"][...]
    assert np.all(kernel != other.params["generator"]["final"]["kernel"][...])


def test_kernels_are_uniform_within_the_bound_of_torch():
    state = initial_state(CONFIG, make_optimizers(CONFIG, 1), 0)
    kernel = state.params["generator"]["final"]["kernel"][...]
    bound = 1 / np.sqrt(np.prod(kernel.shape[:3]))
    assert np.abs(kernel).max() <= bound
    assert np.abs(kernel).max() > 0.95 * bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.1)
    assert abs(kernel.mean()) < 0.1 * bound


def test_the_shapes_of_a_state_are_those_of_a_drawn_one():
    """Also with averages and clipped gradients, which add to the state."""
    settings = dataclasses.replace(CONFIG.train, ema_decay=0.9, max_gradient_norm=1.0)
    config = dataclasses.replace(CONFIG, train=settings)
    optimizers = make_optimizers(config, 1)
    drawn, abstract = initial_state(config, optimizers, 0), abstract_state(config, optimizers)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), drawn) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), abstract
    )
    fresh = {name: optimizers[name].init(drawn.params[name]) for name in optimizers}
    for ours, theirs in zip(jax.tree.leaves(drawn.optimizers), jax.tree.leaves(fresh), strict=True):
        np.testing.assert_array_equal(ours, theirs)
