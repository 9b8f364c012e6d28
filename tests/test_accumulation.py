"""A batch in parts, and gradients of limited length."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from test_devices import small_vgg

from fomm_jax import recordings
from fomm_jax.config import TrainConfig
from fomm_jax.equivariance import sample_transform
from fomm_jax.train_state import make_optimizers
from fomm_jax.train_step import make_gradients, make_update


def test_parts_give_the_mean_of_their_gradients(x64):
    recording = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
    config = recording.config
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, accumulate=2))
    optimizers = make_optimizers(config.train, 10)
    before = recordings.Trainer(recording).initial
    fresh = {name: optimizers[name].init(before.params[name]) for name in optimizers}
    before = dataclasses.replace(before, optimizers=fresh)
    source, driving = np.random.default_rng(0).uniform(size=(2, 4, 32, 32, 3))
    transform = sample_transform(jax.random.key(0), 4, config.train.transform, jnp.float64)
    vgg, seen = jax.tree.map(jnp.asarray, small_vgg()), (source, driving, transform)
    update = jax.jit(make_update(config, optimizers), compiler_options=recordings.QUICK_COMPILATION)
    after, scalars, outputs = update(before, *seen, vgg)

    gradients_of = jax.jit(
        make_gradients(recording.config), compiler_options=recordings.QUICK_COMPILATION
    )
    statistics, found = before.statistics, []
    for part in range(2):
        chosen = jax.tree.map(lambda array, part=part: array[part::2], seen)
        statistics, gradients_and_terms, part_outputs = gradients_of(
            before.params, statistics, vgg, chosen
        )
        found.append(gradients_and_terms)
        np.testing.assert_allclose(
            outputs.generated.prediction[part::2], part_outputs.generated.prediction, atol=1e-12
        )
    gradients, terms = jax.tree.map(lambda a, b: (a + b) / 2, *found)
    for name, term in terms.items():
        assert float(scalars[name]) == pytest.approx(float(term), rel=1e-12)
    for network, gradient in gradients.items():
        expected = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]) / 2
        moments = jax.tree.leaves(after.optimizers[network][0].mu)  # half of the gradients
        found = np.concatenate([np.ravel(leaf) for leaf in moments])
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(
        jax.tree.leaves(after.statistics), jax.tree.leaves(statistics), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_long_gradients_are_shortened_and_keep_their_direction():
    settings = dataclasses.replace(TrainConfig(), max_gradient_norm=0.5)
    optimizer = make_optimizers(settings, 10)["generator"]
    for length in (0.2, 3.0):
        gradient = {"a": jnp.array([0.6, 0.0]) * length, "b": jnp.array([0.8]) * length}
        with jax.numpy_dtype_promotion("standard"):
            _, (_, (adam, _)) = optimizer.update(gradient, optimizer.init(gradient))
        factor = 0.5 * min(1.0, 0.5 / length)  # after one step the moment is half the gradient
        for name, array in gradient.items():
            np.testing.assert_allclose(adam.mu[name], factor * array, rtol=1e-6)
