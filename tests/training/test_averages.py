"""The moving averages of weights and running statistics: their values, and where they are used."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx

from fomm_jax.models.build import abstract_model
from fomm_jax.models.normalization import SingularVector
from fomm_jax.parity.trainer import Trainer
from fomm_jax.training.step.gradients import Gradients
from fomm_jax.training.step.train_step import apply_gradients
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.restore import restore_networks, restore_state
from fomm_jax.weights.train_state import (
    begin_averages,
    split_model,
    update_averaged_statistics,
    update_averages,
)


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


def test_statistics_are_averaged_but_not_counts_and_singular_vectors():
    def network(mean, count, left):
        batch_norm = {"mean": nnx.BatchStat(jnp.array(mean)), "count": nnx.BatchStat(count)}
        return {"net": nnx.State({**batch_norm, "left": SingularVector(jnp.array(left))})}

    before = network([1.0, 2.0], np.int32(6), [1.0, 0.0])
    newest = network([5.0, 2.0], np.int32(7), [0.0, 1.0])
    average = update_averaged_statistics(before, newest, np.int32(1000), decay=0.75)["net"]
    np.testing.assert_array_equal(average["mean"][...], [2.0, 2.0])
    assert average["count"][...] == 7
    np.testing.assert_array_equal(average["left"][...], [0.0, 1.0])


@pytest.fixture
def state():
    """The recorded tiny model before training."""
    return Trainer(reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")).initial


def config_of_state():
    return reference.Recording(reference.IN_REPOSITORY / "tiny_first_order").config


def plus_one(tree):
    return jax.tree.map(lambda array: array + 1, tree)


def assert_equal(actual, expected):
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def assert_evaluated(workdir, params, statistics):
    """Assert that evaluation takes these parameters and statistics from a checkpoint."""
    networks = split_model(restore_networks(workdir, abstract_model(config_of_state())))
    leaves = map(jax.tree.leaves, (networks, (params, statistics)))
    for actual, expected in zip(*leaves, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_step_averages_weights_and_statistics(state):
    config = config_of_state()
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, ema_decay=0.5))
    state = begin_averages(dataclasses.replace(state, step=jnp.int32(100)))
    moved = dataclasses.replace(state, params=plus_one(state.params))
    statistics = plus_one(state.statistics)
    after = apply_gradients(config, {}, moved, Gradients({}, {}), statistics)
    assert_equal(after.statistics, statistics)
    for average, begun, newest in (
        (after.averages, state.params, moved.params),
        (after.averaged_statistics, state.statistics, statistics),
    ):
        for actual, old, new in zip(*map(jax.tree.leaves, (average, begun, newest)), strict=True):
            half_way = (old + new) / 2 if jnp.issubdtype(new.dtype, jnp.floating) else new
            np.testing.assert_allclose(actual, half_way, rtol=1e-6)


def test_evaluation_takes_the_averages_and_training_both(tmp_path, state):
    state = begin_averages(state)
    state = dataclasses.replace(
        state,
        averages=plus_one(state.params),
        averaged_statistics=plus_one(state.statistics),
    )
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(0, state, 0)
    abstract = jax.eval_shape(lambda: state)
    assert_equal(restore_state(tmp_path / "checkpoints" / "0", abstract), state)
    assert_evaluated(tmp_path, state.averages, state.averaged_statistics)


@pytest.mark.parametrize("has_averages_of_weights", [False, True])
def test_averages_begin_where_a_checkpoint_has_none(tmp_path, state, has_averages_of_weights):
    """Earlier versions wrote averages of the weights, but none of the running statistics."""
    averages = plus_one(state.params) if has_averages_of_weights else None
    written = dataclasses.replace(state, averages=averages)
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(0, written, 0)
    abstract = jax.eval_shape(lambda: begin_averages(state))
    restored = restore_state(tmp_path / "checkpoints" / "0", abstract)
    assert_equal(restored.averages, averages or state.params)
    assert_equal(restored.averaged_statistics, state.statistics)
    assert_evaluated(tmp_path, averages or state.params, state.statistics)
