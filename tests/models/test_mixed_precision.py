"""Computing in bfloat16: where it is used, where it is not, and that the model stays the same."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx
from narrow_vgg import narrow_vgg
from tiny_models import BOTH, STEPS_PER_EPOCH, first_moments, tiny_model

from fomm_jax.models.build import abstract_model
from fomm_jax.ops.convolution import ANY_DEVICE
from fomm_jax.training.step.train_step import make_train_step
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import merge_model, split_model


def in_bfloat16(config):
    return dataclasses.replace(
        config, model=dataclasses.replace(config.model, compute_dtype="bfloat16")
    )


@pytest.fixture(scope="module", params=BOTH)
def steps(request):
    """New state, scalars and outputs of one step by dtype, from the same state."""
    config, optimizers, state = tiny_model(request.param)
    source, driving = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), np.uint8)
    actual = {}
    for dtype, config_of_step in (("float32", config), ("bfloat16", in_bfloat16(config))):
        vgg = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), narrow_vgg())
        step = make_train_step(config_of_step, optimizers, STEPS_PER_EPOCH, ANY_DEVICE)
        arguments = state, Batch(source, driving), jax.random.key(1), vgg
        traced = jax.jit(step).trace(*arguments)
        actual[dtype] = traced.jaxpr, traced.lower().compile()(*arguments)
    return actual


def dtypes_of_convolutions(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.outvars[0].aval.dtype.name
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "jaxpr")
        ):
            if hasattr(value, "jaxpr"):
                yield from dtypes_of_convolutions(value.jaxpr)


def test_most_convolutions_are_in_bfloat16_and_none_without_the_switch(steps):
    mixed = [*dtypes_of_convolutions(steps["bfloat16"][0].jaxpr)]
    assert mixed.count("bfloat16") > 0.4 * len(mixed)
    assert "float32" in mixed  # the keypoint detector, the heads and the smoothing of the pyramid
    assert set(dtypes_of_convolutions(steps["float32"][0].jaxpr)) == {"float32"}


def test_what_is_kept_is_float32(steps):
    _, (state, scalars, outputs) = steps["bfloat16"]
    kept = jax.tree.leaves((state, scalars, outputs))
    assert {leaf.dtype.name for leaf in kept} <= {"float32", "int32"}


def test_losses_and_gradients_are_near_those_of_float32(steps):
    _, (state, scalars, outputs) = steps["float32"]
    _, (mixed_state, mixed_scalars, mixed_outputs) = steps["bfloat16"]
    # A background in a new predictor stands still, whatever the precision.
    of_keypoints = {"equivariance_value", "equivariance_jacobian", "keypoint_spread", "bg"}
    for name, value in scalars.items():
        mixed, expected = float(mixed_scalars[name]), float(value)
        # In an untrained ResNet, the norm of the gradients is another by a fifth.
        most = 0.3 if name == "gradient_norm" else 0.1
        assert mixed == pytest.approx(expected, rel=most), name
        if name in of_keypoints:
            assert mixed == pytest.approx(expected, rel=1e-5), name
        else:
            assert mixed != expected, name
    np.testing.assert_allclose(mixed_outputs.driving_points, outputs.driving_points, atol=1e-6)
    # A source moved by a rounding of bfloat16 turns the gradients of this untrained model as much
    # in float32: those of the generator to a cosine of 0.8, those of the keypoints to 0.2 to 0.5.
    least_cosines = {"discriminator": 0.95, "generator": 0.6, "inpainting_network": 0.9}
    for network in least_cosines.keys() & state.optimizers.keys():
        ours, theirs = (
            first_moments(optimizers[network])
            for optimizers in (mixed_state.optimizers, state.optimizers)
        )
        cosine = np.dot(ours, theirs) / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert cosine > least_cosines[network], network


def test_an_animation_is_near_that_of_float32():
    recording = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")
    model = recording.model(np.float32)
    definition = nnx.graphdef(abstract_model(in_bfloat16(recording.config)))
    frame = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 32, 32, 3)), jnp.float32)
    mixed = merge_model(definition, *split_model(model))

    def generate(model):
        keypoints = model.detect(frame, train=False)
        dense_motion = model.flow(frame, keypoints, keypoints, train=False)
        return model.decode(model.encode(frame, train=False), dense_motion, train=False)

    difference = np.abs(generate(mixed) - generate(model))
    assert 0 < difference.max() < 0.05
