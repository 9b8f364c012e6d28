"""One step of training is the same on one device and on eight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from narrow_vgg import narrow_vgg
from tiny_models import BOTH, STEPS_PER_EPOCH, first_moments, tiny_model

from fomm_jax.errors import InputError
from fomm_jax.models.normalization import BatchNorm
from fomm_jax.ops.convolution import ANY_DEVICE
from fomm_jax.training.step import sharding
from fomm_jax.training.step.train_step import make_train_step
from fomm_jax.types import Batch

PAIRS = 8


@pytest.fixture(scope="module", params=BOTH)
def alone(request):
    """The step, what it is computed from, and its results on one device."""
    source, driving = np.random.default_rng(0).integers(0, 256, (2, PAIRS, 32, 32, 3), np.uint8)
    with jax.enable_x64(True):
        config, optimizers, state = tiny_model(request.param)
        vgg, key = jax.tree.map(jnp.asarray, narrow_vgg()), jax.random.key(1)
        step = make_train_step(config, optimizers, STEPS_PER_EPOCH, ANY_DEVICE)
        arguments = state, Batch(source, driving), key, vgg
        return step, arguments, jax.device_get(jax.jit(step)(*arguments))


@pytest.fixture(
    scope="module",
    params=[1, pytest.param(4, marks=pytest.mark.slow)],
    ids=["replicated", "fsdp 4"],
)
def steps(request, alone):
    """State, losses and outputs after one step: on one device, and spread over all."""
    step, (state, batch, key, vgg), results = alone
    assert jax.device_count() == 8
    with jax.enable_x64(True):
        mesh = sharding.make_mesh(request.param)
        everywhere = sharding.replicated(mesh)
        of_state = sharding.divided(mesh, state, min_size=100)
        spread_step = jax.jit(
            step, out_shardings=(of_state, everywhere, sharding.split_by_batch(mesh))
        )
        placed = jax.device_put((state, key, vgg), (of_state, everywhere, everywhere))
        spread = spread_step(placed[0], sharding.to_global(batch, mesh), *placed[1:])
        shares = [
            leaf.addressable_shards[0].data.size / leaf.size
            for leaf in jax.tree.leaves((spread[0].params, spread[0].optimizers))
            if leaf.size >= 100
        ]
        assert min(shares) == 1 / request.param
        assert np.mean(np.equal(shares, 1 / request.param)) > 0.9
        assert len(spread[2].generated.prediction.addressable_shards) == 8
        assert spread[2].generated.prediction.addressable_shards[0].data.shape[0] == PAIRS // 8
        return results, jax.device_get(spread)


def test_losses_are_the_same(steps):
    (_, alone, _), (_, spread, _) = steps
    assert alone.keys() == spread.keys()
    of_each_model = {"gen_gan", "disc_gan", "equivariance_jacobian"}, {"warp_loss", "bg"}
    assert any({"perceptual"} | terms <= alone.keys() for terms in of_each_model)
    for name, loss in alone.items():
        assert float(spread[name]) == pytest.approx(float(loss), rel=1e-9), name


def test_running_statistics_are_the_same(steps):
    """Batch normalisation sees the whole batch, not the device's part of it."""
    (alone, _, _), (spread, _, _) = steps
    leaves = jax.tree_util.tree_leaves_with_path(alone.statistics)
    assert len(leaves) > 20
    for (path, expected), actual in zip(leaves, jax.tree.leaves(spread.statistics), strict=True):
        np.testing.assert_allclose(
            actual, expected, rtol=0, atol=1e-9, err_msg=jax.tree_util.keystr(path)
        )


def test_gradients_are_the_same(steps):
    """By Adam's first moments, which after one step are a fixed part of the gradients."""
    (alone, _, _), (spread, _, _) = steps
    for network, state in alone.optimizers.items():
        expected, actual = map(first_moments, (state, spread.optimizers[network]))
        assert np.linalg.norm(expected) > 0
        assert np.linalg.norm(actual - expected) < 1e-9 * np.linalg.norm(expected), network


def test_pictures_are_the_same(steps):
    (_, _, alone), (_, _, spread) = steps
    for expected, actual in zip(jax.tree.leaves(alone), jax.tree.leaves(spread), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)


def test_groups_of_devices_normalise_their_parts_of_a_batch(x64):
    mesh = sharding.make_mesh()
    groups = sharding.batch_norm_groups(4, mesh)
    assert groups == 2
    assert sharding.batch_norm_groups(None, mesh) == sharding.batch_norm_groups(8, mesh) == 1
    definition, state = nnx.split(BatchNorm(3, groups))

    @jax.jit
    def normalise(state, x):
        norm = nnx.merge(definition, state)
        return norm(x, train=True), nnx.state(norm)

    x = np.random.default_rng(0).normal(2, 3, (PAIRS, 4, 4, 3))
    placed = jax.device_put(x, sharding.split_by_batch(mesh))
    actual, after = normalise(state, placed)
    for low, high in ((0, 4), (4, 8)):
        half = x[low:high]
        normal = (half - half.mean((0, 1, 2))) / np.sqrt(half.var((0, 1, 2)) + 1e-5)
        np.testing.assert_allclose(actual[low:high], normal, rtol=0, atol=1e-12)
    means = [half.mean((0, 1, 2)) for half in (x[:4], x[4:])]
    np.testing.assert_allclose(after["mean"].get_value(), 0.1 * np.mean(means, axis=0), atol=1e-12)


def test_groups_that_do_not_divide_the_devices_are_refused():
    with pytest.raises(InputError, match=r"config\.train\.batch_norm_devices is 3, expected a div"):
        sharding.batch_norm_groups(3, sharding.make_mesh())


def test_a_batch_that_cannot_be_shared_is_refused():
    mesh = sharding.make_mesh()
    sharding.check_batch_size(16, mesh)
    with pytest.raises(InputError, match=r"config\.train\.batch_size is 12.*8 devices"):
        sharding.check_batch_size(12, mesh)
    sharding.check_batch_size(16, mesh, accumulate=2)
    with pytest.raises(InputError, match=r"is 24.*8 devices times config\.train\.accumulate, 2"):
        sharding.check_batch_size(24, mesh, accumulate=2)


def test_devices_that_do_not_divide_into_groups_are_refused():
    with pytest.raises(InputError, match=r"config\.train\.fsdp is 3, expected a divisor of the 8"):
        sharding.make_mesh(fsdp=3)
