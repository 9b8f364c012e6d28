"""The moving average of the weights: its values, and where it is used."""

import dataclasses

import jax
import numpy as np
import pytest
import reference

from fomm_jax.models.build import abstract_model
from fomm_jax.parity.trainer import Trainer
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.restore import restore_networks, restore_state
from fomm_jax.weights.train_state import begin_averages, split_model, update_averages


def test_the_average_is_the_weighted_sum_of_all_weights_so_far(x64):
    decay, weights = 0.9, np.random.default_rng(0).normal(size=(201, 3))
    average = {"net": weights[0]}
    for step, current in enumerate(weights[1:]):
        average = update_averages(average, {"net": current}, np.int32(step), decay)
    # What a step keeps of the average, 0.1 at first, then 2/11, … up to the decay from step 80 on.
    kept = [min(decay, (1 + step) / (10 + step)) for step in range(200)]
    assert kept[0] == 0.1
    assert kept[79] < decay == kept[80]
    shares = [1.0, *(1 - share for share in kept)]
    shares = [share * np.prod(kept[number:]) for number, share in enumerate(shares)]
    np.testing.assert_allclose(average["net"], np.dot(shares, weights), rtol=1e-12)


@pytest.fixture
def state():
    """The recorded tiny model before training."""
    return Trainer(reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")).initial


def config_of_state():
    return reference.Recording(reference.IN_REPOSITORY / "tiny_first_order").config


def test_evaluation_takes_the_averages_and_training_both(tmp_path, state):
    state = begin_averages(state)
    moved = jax.tree.map(lambda array: array + 1, state.averages)
    state = dataclasses.replace(state, averages=moved)
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(0, state, 0)
    abstract = jax.eval_shape(lambda: state)
    restored = restore_state(tmp_path / "checkpoints" / "0", abstract)
    for actual, expected in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(actual, expected)
    params, _ = split_model(restore_networks(tmp_path, abstract_model(config_of_state())))
    for actual, expected in zip(jax.tree.leaves(params), jax.tree.leaves(moved), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_averages_begin_at_the_weights_of_a_checkpoint_that_has_none(tmp_path, state):
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(0, state, 0)
    abstract = jax.eval_shape(lambda: begin_averages(state))
    restored = restore_state(tmp_path / "checkpoints" / "0", abstract)
    for actual, expected in zip(
        jax.tree.leaves(restored.averages), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)
