"""The AVD network trains as the original trained it, in float64."""

import dataclasses

import jax
import numpy as np
import pytest
import thin_plate_reference as reference

from fomm_jax.parity.thin_plate.recording import AvdRecording
from fomm_jax.parity.trainer import Trainer

LOSS_TOLERANCES = (1e-12, 1e-11, 1e-11)
SETS = [
    pytest.param(name, marks=[] if name == "no_background_single_mask" else [pytest.mark.slow])
    for name in reference.SMALL
]


@pytest.mark.parametrize("name", SETS)
def test_avd_follows_the_original_from_the_pictures(name, x64):
    recording = reference.find(f"small/{name}", AvdRecording)
    trainer = Trainer(recording)
    state = trainer.initial
    for i, tolerance in enumerate(LOSS_TOLERANCES):
        step_name = f"avd_float64/step_{i}"
        state, step = trainer.step(state, step_name)
        loss = float(recording.array(f"{step_name}/losses/rec_kp"))
        assert step.losses == {"rec_kp": pytest.approx(loss, rel=tolerance)}
        if i == 0:
            recorded = recording.below(f"{step_name}/grads/")
            reference.check_gradients(step.gradients, recorded)
        recorded = recording.below(f"{step_name}/state_after/")
        assert bool(recorded) == (i in (0, 2))
        reference.check_state(step.state_after, recorded)
    before = trainer.initial.params
    for network in before.keys() - {"avd_network"}:
        jax.tree.map(np.testing.assert_array_equal, state.params[network], before[network])


def test_a_finished_model_stays_as_it_is(x64, monkeypatch):
    """Without the switch the running statistics detect the points, and are left alone."""
    recording = reference.find("small/no_background_single_mask", AvdRecording)
    compat = dataclasses.replace(recording.config.compat, avd_batch_statistics=False)
    config = dataclasses.replace(recording.config, compat=compat)
    monkeypatch.setitem(recording.__dict__, "config", config)  # where it is cached
    trainer = Trainer(recording)
    _, step = trainer.step(trainer.initial, "avd_float64/step_0")
    moved = set()
    for name, array in step.state_after.items():
        network, _, key = name.partition("/")
        if not np.array_equal(array, recording.checkpoint[network][key]):
            moved.add(network)
    assert moved == {"avd_network"}
