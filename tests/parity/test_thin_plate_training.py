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


# Two ResNet18 in float64 take 4 GB, and a minute, even with the tiny recording.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["tiny", *(f"small/{name}" for name in reference.SMALL)])
def training(request):
    """A recording, and its trainer."""
    recording = reference.find(request.param)
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
    reference.check_state(step.state_after, recorded)


def test_training_follows_the_original(training):
    recording, trainer = training
    state = trainer.initial
    num_steps = sum(name.endswith("/losses/perceptual") for name in recording.below("float64/"))
    assert num_steps in (3, len(LOSS_TOLERANCES))
    for i, tolerance in enumerate(LOSS_TOLERANCES[:num_steps]):
        name = f"float64/step_{i}"
        state, step = trainer.step(state, name)
        if i == 0:
            recorded = recording.below(f"{name}/grads/")
            reference.check_gradients(step.gradients, recorded)
            for key, picture in step.pictures.items():
                if f"{name}/{key}" in recording.arrays:
                    recorded = recording.array(f"{name}/{key}")
                    np.testing.assert_allclose(picture, recorded, rtol=0, atol=1e-9)
        check_losses(recording, name, step, tolerance)
        if i in (0, 3) and recording.below(f"{name}/state_after/"):
            check_state(recording, name, step)


@pytest.mark.slow
def test_training_goes_on_from_a_checkpoint_with_optimizers(training):
    recording, trainer = training
    if not recording.below("resumed_float64/"):
        pytest.skip("the recording has no resumed run")
    state = trainer.resumed
    for i, tolerance in enumerate(RESUMED_TOLERANCES):
        name = f"resumed_float64/step_{i}"
        state, step = trainer.step(state, name)
        check_losses(recording, name, step, tolerance)
    check_state(recording, name, step)
