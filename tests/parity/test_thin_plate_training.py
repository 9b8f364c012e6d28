"""The thin-plate spline model trains as its original trained, in float64.

The README beside the shared recordings tells how exact the original itself is.
"""

import jax
import numpy as np
import pytest
import thin_plate_reference as reference

from fomm_jax.parity.trainer import Trainer

# Relative differences of the losses of each step. They grow as the original's own would, if the
# last digits of its weights were others.
LOSS_TOLERANCES = (1e-10, 1e-9, 1e-7, 1e-7, 1e-6, 1e-6)
RESUMED_TOLERANCES = (1e-10, 1e-9)
GRADIENT_TOLERANCE = 1e-8  # relative to the largest element
# A gradient that is 0 except for rounding, such as that of a bias before a normalisation, is at
# most this share of the largest gradient in the same network.
ZERO_GRADIENT = 1e-10
STATE_TOLERANCE = 2e-7  # relative to the largest element; whole arrays are recorded in float32


@pytest.fixture(scope="module", params=reference.SMALL)
def training(request):
    """A recording, and its trainer."""
    recording = reference.find(f"small/{request.param}")
    with jax.enable_x64(True):
        yield recording, Trainer(recording)
    jax.clear_caches()


def check_losses(recording, name, step, tolerance):
    recorded = recording.below(f"{name}/losses/")
    for key, expected in recorded.items():
        assert step.losses[key] == pytest.approx(float(expected), rel=tolerance), (name, key)
    # A background that does not move yet has a loss of 0 here, and none there.
    assert not any(step.losses[key] for key in step.losses.keys() - recorded.keys())


def check_state(recording, name, step):
    recorded = recording.below(f"{name}/state_after/")
    assert recorded
    for key, difference in reference.differences(step.state_after, recorded).items():
        assert difference < STATE_TOLERANCE, (name, key)


def check_gradients(recording, gradients):
    recorded = recording.below("float64/step_0/grads/")
    networks = {key.split("/")[0] for key in recorded}
    assert networks <= {key.split("/")[0] for key in gradients}
    largest = {
        network: max(
            np.abs(array).max() for key, array in gradients.items() if key.startswith(network)
        )
        for network in networks
    }
    differences = reference.differences(gradients, recorded)
    for key, expected in recorded.items():
        floor = ZERO_GRADIENT * largest[key.split("/")[0]]
        if np.abs(expected).max() <= floor:
            assert np.abs(gradients[key]).max() <= floor, key
        else:
            assert differences[key] < GRADIENT_TOLERANCE, key


@pytest.mark.slow
def test_training_follows_the_original(training):
    recording, trainer = training
    state = trainer.initial
    for i, tolerance in enumerate(LOSS_TOLERANCES):
        name = f"float64/step_{i}"
        state, step = trainer.step(state, name)
        if i == 0:
            check_gradients(recording, step.gradients)
            for key in ("prediction", "transformed_frame"):
                recorded = recording.array(f"{name}/{key}")
                np.testing.assert_allclose(getattr(step, key), recorded, rtol=0, atol=1e-9)
        check_losses(recording, name, step, tolerance)
        if i in (0, 3):
            check_state(recording, name, step)


@pytest.mark.slow
def test_training_goes_on_from_a_checkpoint_with_optimizers(training):
    recording, trainer = training
    state = trainer.resumed
    for i, tolerance in enumerate(RESUMED_TOLERANCES):
        name = f"resumed_float64/step_{i}"
        state, step = trainer.step(state, name)
        check_losses(recording, name, step, tolerance)
    check_state(recording, name, step)
