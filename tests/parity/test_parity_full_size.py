"""Two of the original's models at full size, with seeded random weights, are evaluated alike."""

import functools
import json

import numpy as np
import pytest
import reference

from fomm_jax.parity.first_order.forward import evaluate_recording

TOLERANCES = {
    "kp_source/value": 1e-4,
    "kp_source/jacobian": 1e-3,
    "kp_driving/value": 1e-4,
    "kp_driving/jacobian": 1e-3,
    "mask": 1e-3,
    "deformation": 1e-3,
    "occlusion_map": 1e-3,
    "prediction": 1e-3,
    "discriminator/prediction_map_1": 1e-3,
}


class SeededRecording(reference.Recording):
    """A recording without a checkpoint, whose weights are drawn from a seed."""

    @functools.cached_property
    def checkpoint(self):
        import seeded_weights

        manifest = json.loads((self.folder / "manifest.json").read_text())
        random = np.random.default_rng(manifest["seed"])
        checkpoint = {}
        for network, shapes in manifest["modules"].items():  # drawn in this order
            constants = {
                key: np.asarray(values, np.float32).reshape(shapes[key])
                for key, values in manifest["buffers"][network].items()
            }
            checkpoint[network] = seeded_weights.draw_module(shapes, constants, random)
        return checkpoint


@pytest.mark.parametrize("name", ["vox-adv-256", "mgif-256"])
def test_evaluation(shared, monkeypatch, name):
    monkeypatch.syspath_prepend(shared / "reference")
    recording = SeededRecording(shared / "reference" / "full" / name)
    recorded = recording.below("eval/")
    assert recorded.keys() == TOLERANCES.keys()
    outputs = evaluate_recording(recording)
    for key, tolerance in TOLERANCES.items():
        np.testing.assert_allclose(outputs[key], recorded[key], rtol=0, atol=tolerance, err_msg=key)
