"""A batch in parts, rematerialisation, and gradients of limited length."""

import collections
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from narrow_vgg import narrow_vgg
from tiny_models import BOTH, first_moments, tiny_model

from fomm_jax.config.schema import Config, TrainConfig
from fomm_jax.models.build import model_class
from fomm_jax.ops.convolution import ANY_DEVICE
from fomm_jax.training.step.gradients import make_gradients
from fomm_jax.training.step.objectives import StepInputs
from fomm_jax.training.step.train_step import make_update
from fomm_jax.weights.train_state import make_optimizers


@pytest.fixture(scope="module", params=BOTH)
def tiny(request):
    """Config and state in float64 of a small model, and what its gradients are computed from."""
    with jax.enable_x64(True):
        config, _, state = tiny_model(request.param)
        source, driving = np.random.default_rng(0).uniform(size=(2, 4, 32, 32, 3))
        draws = model_class(config).sample_perturbation(
            jax.random.key(0), 4, jnp.float64, config, jnp.asarray(0)
        )
        look_keys = jax.random.split(jax.random.key(1), 4)
        return (
            config,
            state,
            jax.tree.map(jnp.asarray, narrow_vgg()),
            StepInputs(*map(jnp.asarray, (source, driving)), draws, look_keys),
        )


def check_gradient(actual, expected):
    """Compare gradients in float64, relative to the largest: in ResNets they differ by 10^6."""
    atol = max(1e-9 * np.abs(expected).max(), 1e-11)
    np.testing.assert_allclose(actual, expected, rtol=1e-7, atol=atol)


def with_settings(config, **settings):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, **settings))


@pytest.fixture(scope="module")
def take_gradients(tiny):
    return jax.jit(make_gradients(tiny[0], ANY_DEVICE))


@pytest.fixture(scope="module")
def parts(tiny, take_gradients):
    """The pairs of either half of the batch, and what they give one after the other."""
    _, state, vgg, inputs = tiny
    with jax.enable_x64(True):
        statistics, results = state.statistics, []
        for part in range(2):
            half = jax.tree.map(lambda array, part=part: array[part::2], inputs)
            arguments = state.params, statistics, half, vgg
            results.append((arguments, take_gradients(*arguments)))
            statistics = results[-1][1][1]
        return results


def test_parts_give_the_mean_of_their_gradients(x64, tiny, parts):
    config, before, vgg, inputs = tiny
    config = with_settings(config, accumulate=2)
    # The models' own optimisers may clip gradients or decay weights.
    optimizers = {network: optax.adam(1e-3, b1=0.5) for network in before.optimizers}
    states = {name: optimizers[name].init(before.params[name]) for name in optimizers}
    before = dataclasses.replace(before, optimizers=states)
    after, scalars, outputs = jax.jit(make_update(config, optimizers, ANY_DEVICE))(
        before, inputs, vgg
    )

    for part, (_, (_, _, part_outputs)) in enumerate(parts):
        np.testing.assert_allclose(
            outputs.generated.prediction[part::2], part_outputs.generated.prediction, atol=1e-10
        )
    mean = jax.tree.map(
        lambda a, b: (a + b) / 2, *(part_gradients for _, (part_gradients, _, _) in parts)
    )
    for name, term in mean.losses.items():
        assert float(scalars[name]) == pytest.approx(float(term), rel=1e-10)
    for network, gradient in mean.by_network.items():
        expected = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]) / 2
        actual = first_moments(after.optimizers[network])  # half of the gradients
        check_gradient(actual, expected)
    statistics = parts[-1][1][1]
    for actual, expected in zip(
        jax.tree.leaves(after.statistics), jax.tree.leaves(statistics), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def test_groups_of_batch_norm_give_the_mean_of_gradients_and_statistics(x64, tiny, take_gradients):
    """All losses are means over pairs, so a half that is normalised alone gives half of each."""
    config, state, vgg, inputs = tiny
    first_half, second_half = (
        jax.tree.map(lambda array, start=start: array[start : start + 2], inputs)
        for start in (0, 2)
    )
    halves = [
        take_gradients(state.params, state.statistics, half, vgg)
        for half in (first_half, second_half)
    ]
    in_groups = jax.jit(make_gradients(config, ANY_DEVICE, batch_norm_groups=2))
    gradients, statistics, outputs = in_groups(state.params, state.statistics, inputs, vgg)
    predictions = [half_outputs.generated.prediction for _, _, half_outputs in halves]
    np.testing.assert_allclose(
        outputs.generated.prediction, np.concatenate(predictions), rtol=0, atol=1e-10
    )
    for mine, first, second in zip(
        *(jax.tree.leaves(result[:2]) for result in ((gradients, statistics), *halves)),
        strict=True,
    ):
        check_gradient(mine, (first + second) / 2)


def test_rematerialisation_keeps_convolutions_alone_and_changes_no_gradient(x64, tiny, parts):
    arguments, expected = parts[0]
    take_gradients = make_gradients(with_settings(tiny[0], remat=True), ANY_DEVICE)
    traced = jax.jit(take_gradients).trace(*arguments)
    equations = traced.jaxpr.eqns
    (backward,) = (equation for equation in equations if equation.params.get("differentiated"))
    convolved = collections.Counter(
        equation.outvars[0].aval.shape
        for equation in equations
        if equation.primitive.name == "name"
    )
    residuals = collections.Counter(
        variable.aval.shape
        for variable in backward.invars
        # Two pairs, or the three passes of the keypoint detector over them.
        if variable not in traced.jaxpr.invars and variable.aval.shape[:1] in ((2,), (6,))
    )
    pictures = collections.Counter({shape: n for shape, n in residuals.items() if len(shape) == 4})
    assert pictures.total() > 30
    assert pictures <= convolved
    results = traced.lower().compile()(*arguments)
    for actual, desired in zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True):
        check_gradient(actual, desired)


def test_long_gradients_are_shortened_and_keep_their_direction():
    config = Config(train=TrainConfig(max_gradient_norm=0.5))
    optimizer = make_optimizers(config, 10)["generator"]
    for length in (0.2, 3.0):
        gradient = {"a": jnp.array([0.6, 0.0]) * length, "b": jnp.array([0.8]) * length}
        with jax.numpy_dtype_promotion("standard"):
            _, (_, (adam, _)) = optimizer.update(gradient, optimizer.init(gradient))
        factor = 0.5 * min(1.0, 0.5 / length)  # after one step the moment is half the gradient
        for name, array in gradient.items():
            np.testing.assert_allclose(adam.mu[name], factor * array, rtol=1e-6)
