"""The thin-plate spline model computes what its original computed.

The READMEs beside the recordings tell where they come from, and how exact the original itself is.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import thin_plate_reference as reference
from flax import nnx

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.models.layers import Numerics
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.animated_clip import animate_clip
from fomm_jax.parity.recordings import seeded_vgg19
from fomm_jax.parity.seeded_weights import draw_checkpoint, draw_resumed_checkpoint
from fomm_jax.parity.thin_plate.forward import evaluate_recording
from fomm_jax.parity.thin_plate.tolerances import FLOAT32, OTHERS_FLOAT32
from fomm_jax.training.step.objectives import StepInputs, generator_losses


def recordings(quick, others):
    """Return the mark of a test on recordings, of which `make test` takes one."""
    names = [quick, *(pytest.param(name, marks=pytest.mark.slow) for name in others)]
    return pytest.mark.parametrize("name", names)


SMALL = [f"small/{name}" for name in reference.SMALL]
MEAN_TOLERANCE = 2e-5  # of the mean difference of a prediction
MODES = {
    "standard": NormalizationConfig(use_relative_movement=False),
    "relative": NormalizationConfig(adapt_movement_scale=True),
    "avd": NormalizationConfig(use_avd=True),
}


@recordings("tiny", [*SMALL, "full/taichi-256"])
def test_evaluation_in_float64(name):
    recording = reference.find(name)
    with jax.enable_x64(True):
        outputs = evaluate_recording(recording, np.float64)
    recorded = recording.below("eval_float64/")
    assert len(recorded) > 25
    for key, difference in reference.differences(outputs, recorded).items():
        assert difference < 1e-9, key


@recordings("small/no_background_single_mask", [SMALL[0], SMALL[2]])
def test_evaluation_in_float32(name):
    recording = reference.find(name)
    outputs = evaluate_recording(recording, np.float32)
    for key, difference in reference.differences(outputs, recording.below("eval/")).items():
        assert difference < FLOAT32.get(key.split("/")[0], OTHERS_FLOAT32), key
    distance = np.abs(outputs["prediction"] - recording.array("eval/prediction"))
    assert distance.mean() < MEAN_TOLERANCE


@pytest.mark.slow
def test_evaluation_at_full_size_in_float32():
    recording = reference.find("full/taichi-256")
    outputs = evaluate_recording(recording, np.float32)
    pictures = ("prediction", "deformed", "deformed_source")
    recorded = recording.below("eval/")
    others = {key: array for key, array in recorded.items() if key not in pictures}
    for key, difference in reference.differences(outputs, others).items():
        assert difference < FLOAT32.get(key.split("/")[0], OTHERS_FLOAT32), key
    for key in pictures:  # a few pixels lie on edges of the deformation
        distance = np.abs(outputs[key] - recorded[key])
        assert np.percentile(distance, 99.9) < 1e-3, key
    assert distance.mean() < MEAN_TOLERANCE


def test_losses_of_a_step_in_float64():
    """The gradients, which take 4 GB, are compared in `test_thin_plate_training.py`."""
    recording, step = reference.find("tiny"), "float64/step_0"
    with jax.enable_x64(True):
        definition, state = nnx.split(recording.model(np.float64))
        vgg = jax.tree.map(lambda array: jnp.asarray(array, np.float64), seeded_vgg19())
        inputs = StepInputs(
            *(jnp.asarray(frames) for frames in recording.pairs_of(step, np.float64)),
            recording.perturbation(step, np.float64),
        )

        @jax.jit
        def losses(state, inputs, vgg):
            model = nnx.merge(definition, state)
            return generator_losses(recording.config, model, vgg, Numerics(ONE_CPU), inputs)[0]

        actual = losses(state, inputs, vgg)
    recorded = recording.below(f"{step}/losses/")
    assert len(recorded) >= 4
    for name, expected in recorded.items():
        np.testing.assert_allclose(actual[name], expected, rtol=1e-10, err_msg=name)


@recordings("tiny", ["animation"])
def test_animation_in_float64(name):
    recording = reference.find(name)
    # The original's demo is in float32, in which it is as far from itself in float64.
    points, pixels = (1e-7, 1e-5) if name == "tiny" else (1e-5, 7e-4)
    with jax.enable_x64(True):
        model = CompiledModel(recording.model(np.float64), recording.config, ONE_CPU)
        source, driving = recording.array("source")[None], recording.array("driving")
        for mode, normalization in MODES.items():
            clip = animate_clip(model, source.astype(float), driving.astype(float), normalization)
            moved, prediction = (
                recording.array(f"{mode}/{key}") for key in ("fg_kp", "prediction")
            )
            np.testing.assert_allclose(clip.transferred.value, moved, rtol=0, atol=points)
            np.testing.assert_allclose(clip.prediction, prediction, rtol=0, atol=pixels)


@pytest.mark.parametrize("name", [SMALL[1], "full/taichi-256"])
def test_weights_are_drawn_as_the_recorded_ones(name, shared, monkeypatch):
    recording = reference.find(name)
    monkeypatch.syspath_prepend(shared / "reference")
    import seeded_weights

    manifest = recording.manifest
    random = np.random.default_rng(manifest["seed"])
    drawn = draw_checkpoint(manifest)
    for network, shapes in manifest["modules"].items():
        buffers = {
            key: np.asarray(values, np.float32).reshape(shapes[key])
            for key, values in manifest["buffers"][network].items()
        }
        adjust = manifest.get("adjust", {}).get(network)
        expected = seeded_weights.draw_module(shapes, buffers, random, adjust)
        assert list(drawn[network]) == list(expected)
        for key, tensor in expected.items():
            np.testing.assert_array_equal(drawn[network][key], tensor, err_msg=key)


def test_optimizers_are_drawn_as_the_recorded_ones(shared, monkeypatch):
    pytest.importorskip("torch", reason="the code beside the recordings needs it")
    manifest = reference.find(SMALL[1]).manifest
    monkeypatch.syspath_prepend(shared / "reference")
    import seeded_weights

    resumed = manifest["resumed"]
    random = np.random.default_rng(resumed["seed"])
    drawn = draw_resumed_checkpoint(manifest)
    assert drawn["epoch"] == resumed["epoch"]
    for name, description in resumed["optimizers"].items():
        expected = seeded_weights.draw_adam(manifest, description, random)
        assert drawn[name]["param_groups"] == expected["param_groups"]
        for number, moments in expected["state"].items():
            for key, tensor in moments.items():
                np.testing.assert_array_equal(drawn[name]["state"][number][key], tensor.numpy())
