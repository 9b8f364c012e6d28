"""Parts of the thin-plate spline model against independent computations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from config_helpers import config_of
from flax import nnx

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.models.layers import Numerics
from fomm_jax.models.thin_plate.background import BackgroundPredictor, identities, transform_grid
from fomm_jax.models.thin_plate.control_points import ControlPoints
from fomm_jax.models.thin_plate.dense_motion import Dropout, mix
from fomm_jax.models.thin_plate.losses import background_consistency
from fomm_jax.models.thin_plate.model import ThinPlateModel, dropout_probability
from fomm_jax.models.thin_plate.resnet import max_pool

RANDOM = np.random.default_rng(0)
TINY = config_of("tpsmm_tiny")


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 2)])
def test_max_pooling_looks_one_pixel_around(size):
    pictures = RANDOM.normal(size=(2, *size, 3)).astype(np.float32)
    pooled = max_pool(jnp.asarray(pictures))
    assert pooled.shape == (2, -(-size[0] // 2), -(-size[1] // 2), 3)
    for row, column in np.ndindex(pooled.shape[1:3]):
        top, left = max(2 * row - 1, 0), max(2 * column - 1, 0)
        window = pictures[:, top : 2 * row + 2, left : 2 * column + 2]
        np.testing.assert_array_equal(pooled[:, row, column], window.max((1, 2)))


def test_dropped_transformations_have_no_share(x64):
    logits = RANDOM.normal(size=(2, 3, 3, 4))
    kept = np.array([[1.0, 0, 1, 1], [1, 1, 0, 0]])

    def shares(active):
        return mix(jnp.asarray(logits), Dropout(jnp.asarray(kept), jnp.full(2, active)))

    exponentials = np.exp(logits - logits.max(-1, keepdims=True)) * kept[:, None, None]
    expected = exponentials / (exponentials.sum(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(shares(True), expected, rtol=0, atol=1e-15)
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(shares(False), softmax, rtol=0, atol=1e-15)
    np.testing.assert_allclose(mix(jnp.asarray(logits), None), softmax, rtol=0, atol=1e-15)


def test_the_background_moves_by_a_matrix(x64):
    matrix = np.array([[0.9, 0.1, 0.2], [-0.1, 1.1, -0.3], [0, 0, 1]])
    grid = transform_grid(jnp.asarray(matrix)[None], 3, 5)
    x, y, _ = matrix @ [0.5, -1, 1]
    np.testing.assert_allclose(grid[0, 0, 3], [x, y], rtol=0, atol=1e-15)
    np.testing.assert_allclose(transform_grid(identities(1, float), 3, 5)[0, 2, 4], [1, 1])
    back = jnp.asarray(np.linalg.inv(matrix))[None]
    assert background_consistency(jnp.asarray(matrix)[None], back) == pytest.approx(0, abs=1e-15)
    still = background_consistency(jnp.asarray(matrix)[None], identities(1, jnp.dtype(float)))
    assert still == pytest.approx(np.abs(np.eye(3) - matrix).mean(), abs=1e-15)


def test_a_background_that_has_not_begun_changes_nothing():
    predictor = BackgroundPredictor(3, Numerics(), rngs=nnx.Rngs(0))
    kernel = RANDOM.normal(0, 0.1, (512, 6)).astype(np.float32)
    predictor.encoder.last.kernel[...] = jnp.asarray(kernel)
    frames = jnp.asarray(RANDOM.uniform(size=(2, 2, 32, 32, 3)), jnp.float32)
    definition, params, statistics = nnx.split(predictor, nnx.Param, ...)

    @jax.jit
    def run(begun):
        model = nnx.merge(definition, params, statistics, copy=True)
        matrices = model(*frames, train=True, begun=begun)
        return matrices, nnx.state(model, nnx.BatchStat)

    still, unchanged = run(jnp.asarray(False))
    np.testing.assert_array_equal(still, np.stack([np.eye(3)] * 2))
    jax.tree.map(np.testing.assert_array_equal, unchanged, nnx.state(predictor, nnx.BatchStat))
    moved, changed = run(jnp.asarray(True))
    assert np.abs(moved - still).max() > 1e-3
    assert changed["encoder"]["norm1"]["num_batches_tracked"][...] == 1
    np.testing.assert_array_equal(moved[:, 2], [[0, 0, 1]] * 2)


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.1), (5, 0.25), (10, 0.3), (34, 0.3)])
def test_the_probability_of_dropout_grows_by_epoch(epoch, expected):
    schedule = config_of("tpsmm_vox_256").train.thin_plate
    assert dropout_probability(schedule, jnp.asarray(epoch)) == pytest.approx(expected)


def test_draws_follow_the_epoch():
    config = config_of("tpsmm_vox_256")

    def draw(epoch):
        key = jax.random.key(0)
        return ThinPlateModel.sample_perturbation(key, 500, jnp.float32, config, jnp.asarray(epoch))

    early, late = draw(9), draw(35)
    np.testing.assert_array_equal(early.dropout.kept[:, 0], 1)
    assert early.dropout.kept[:, 1:].mean() == pytest.approx(0.7, abs=0.03)
    assert early.dropout.active.all()
    assert not late.dropout.active.any()
    assert not early.background_begun.any()
    assert late.background_begun.all()


def test_relative_motion_is_added_to_the_sources_points():
    source, driving, initial = (
        ControlPoints(jnp.asarray(RANDOM.uniform(-1, 1, (b, 10, 2)), jnp.float32))
        for b in (1, 3, 1)
    )
    half, one = jnp.asarray(0.5), jnp.asarray(1.0)
    relative = ThinPlateModel.transfer(source, driving, initial, half, NormalizationConfig())
    expected = source.value + 0.5 * (driving.value - initial.value)
    np.testing.assert_allclose(relative.value, expected, rtol=1e-6, atol=1e-6)
    absolute = NormalizationConfig(use_relative_movement=False)
    assert ThinPlateModel.transfer(source, driving, initial, one, absolute) is driving
