"""Animation by the thin-plate spline model, through the same `Animator` as any other model."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import thin_plate_reference as reference
from config_helpers import config_of
from flax import nnx
from jax import export

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.motion import Motion
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.config.validation import check_config
from fomm_jax.errors import InputError
from fomm_jax.models.thin_plate.avd import AvdNetwork
from fomm_jax.models.thin_plate.control_points import ControlPoints
from fomm_jax.parity.recordings import to_nhwc
from fomm_jax.parity.thin_plate.forward import compile_evaluation

RECORDING = reference.tiny()
ABSOLUTE = NormalizationConfig(use_relative_movement=False)
AVD = NormalizationConfig(use_avd=True)
MODES = {
    "standard": ABSOLUTE,
    "relative": NormalizationConfig(adapt_movement_scale=True),
    "avd": AVD,
}


@pytest.fixture(scope="module")
def model():
    return RECORDING.model(np.float32)


@pytest.fixture(scope="module")
def animator(model):
    return Animator(model, RECORDING.config, batch_size=2)


@pytest.fixture(scope="module")
def frames():
    return to_nhwc(RECORDING.array("inputs/driving"))[:3]


@pytest.fixture(scope="module")
def source():
    return to_nhwc(RECORDING.array("inputs/source"))[0]


@pytest.mark.parametrize("mode", MODES)
def test_the_animator_gives_the_recorded_frames(animator, source, frames, mode):
    pictures = list(animator.animate(source, frames, normalization=MODES[mode]))
    recorded = RECORDING.array(f"{mode}/prediction")
    for picture, expected in zip(pictures, recorded, strict=True):
        below = 255 * expected - picture  # pictures are rounded down
        assert np.percentile(below, 0.1) > -0.2
        assert np.percentile(below, 99.9) < 1.2


def test_a_reconstruction_sees_how_the_background_moves(model, animator, source, frames):
    same_scene = Animator(model, RECORDING.config, batch_size=2, same_scene=True)
    outputs = list(same_scene.compare(source, frames, normalization=ABSOLUTE))
    evaluate = compile_evaluation(RECORDING.config, model)
    pictures = source[None] / np.float32(255), frames[1:2] / np.float32(255)
    expected = to_nhwc(evaluate(*pictures)["prediction"])[0]
    below = 255 * expected - outputs[1].prediction
    assert np.percentile(below, 0.1) > -0.2
    assert np.percentile(below, 99.9) < 1.2
    assert outputs[1].l1 == pytest.approx(np.abs(expected - pictures[1][0]).mean(), abs=1e-5)
    # In an animation, whose frames may show another scene, the background stands still.
    others = list(animator.compare(source, frames, normalization=ABSOLUTE))
    moved = np.abs(others[1].prediction.astype(int) - outputs[1].prediction)
    assert moved.mean() > 1
    with pytest.raises(InputError, match=r"^frames have size \(32, 64\), the source has size"):
        list(same_scene.compare(source, frames[:, :32]))


def test_a_motion_file_has_the_control_points(animator, source, frames, tmp_path):
    animator.record(frames, fps=25.0).save(tmp_path / "motion.npz")
    motion = Motion.load(tmp_path / "motion.npz")
    assert {name: array.shape for name, array in motion.arrays.items()} == {"value": (3, 10, 2)}
    for mode in (ABSOLUTE, AVD):
        np.testing.assert_array_equal(
            list(animator.animate(source, motion, normalization=mode)),
            list(animator.animate(source, frames, normalization=mode)),
        )


def test_a_new_avd_network_is_refused():
    config = config_of("tpsmm_tiny").model
    network = AvdNetwork(config, rngs=nnx.Rngs(0))
    assert not network.is_trained()
    points = ControlPoints(jnp.asarray(np.random.default_rng(0).normal(size=(3, 10, 2)), "f4"))
    network(points, points, train=True)
    assert network.is_trained()


def test_models_without_a_trained_avd_network_say_so(model, source, frames):
    definition, state = nnx.split(model)
    untrained = nnx.merge(definition, state)
    for norm in untrained.avd_network.decoder.norms:
        norm.mean.set_value(jnp.zeros_like(norm.mean[...]))
    animator = Animator(untrained, RECORDING.config)
    with pytest.raises(InputError, match=r"^motion_transfer: .* the AVD network .* not trained"):
        next(animator.animate(source, frames, normalization=AVD))
    with pytest.raises(InputError, match="not trained"):
        animator.export("unwritten", normalization=AVD)


def test_a_configuration_asks_for_an_avd_network_that_its_model_has():
    first_order = config_of("tiny")
    normalization = dataclasses.replace(first_order.animate.normalization, use_avd=True)
    animate = dataclasses.replace(first_order.animate, normalization=normalization)
    with pytest.raises(InputError, match=r"use_avd: expected False, since the first-order model"):
        check_config(dataclasses.replace(first_order, animate=animate))


@pytest.mark.slow
@pytest.mark.parametrize("mode", [ABSOLUTE, AVD])
def test_an_exported_animation_gives_the_same_frames(animator, source, frames, mode, tmp_path):
    pytest.importorskip("flatbuffers", reason="fomm_jax[export] is not installed")
    animator.export(tmp_path / "animation.bin", normalization=mode)
    exported = export.deserialize((tmp_path / "animation.bin").read_bytes())
    actual = np.asarray(exported.call(source[None], frames, frames[:1]))
    expected = np.stack(list(animator.animate(source, frames, normalization=mode)))
    difference = np.abs(actual.astype(int) - expected)
    # A few values lie on the border between two levels, or on an edge of the deformation.
    assert np.percentile(difference, 99) <= 1
    assert difference.mean() < 0.1
