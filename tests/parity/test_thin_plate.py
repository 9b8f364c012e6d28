"""The thin-plate spline model computes what its original computed.

The README beside the shared recordings tells how exact the original itself is.
"""

import jax
import numpy as np
import pytest
import thin_plate_reference as reference

from fomm_jax.parity.thin_plate_forward import evaluate


def recordings(quick):
    """Return the mark of a test on every recording, of which `make test` takes one."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(f"small/{name}", marks=[] if name == quick else [pytest.mark.slow])
            for name in reference.SMALL
        ],
    )


# Of values in float32, relative to the largest of their array. How far the original in float32 is
# from itself in float64: random weights give a jagged deformation, which magnifies rounding.
FLOAT32_TOLERANCES = {
    "kp_source": 2e-5,
    "kp_driving": 2e-5,
    "avd": 2e-5,
    "bg_param": 2e-5,
    "tps": 6e-4,
    "transformations": 6e-4,
    "deformation": 6e-4,
    "prediction": 7e-4,
    "deformed": 1.2e-3,
    "deformed_source": 1.2e-3,
    "warped_encoder_maps": 1.2e-3,
}
OTHERS = 4e-4
MEAN_TOLERANCE = 2e-5  # of the mean difference of a prediction


@recordings("background_multi_mask")
def test_evaluation_in_float64(name):
    recording = reference.find(name)
    with jax.enable_x64(True):
        model = recording.model(np.float64)
        outputs = evaluate(recording.config, model, *recording.pairs(0, np.float64))
    for key, difference in reference.differences(outputs, recording.below("eval_float64/")).items():
        assert difference < 1e-9, key


@recordings("no_background_single_mask")
def test_evaluation_in_float32(name):
    recording = reference.find(name)
    model = recording.model(np.float32)
    outputs = evaluate(recording.config, model, *recording.pairs(0, np.float32))
    for key, difference in reference.differences(outputs, recording.below("eval/")).items():
        assert difference < FLOAT32_TOLERANCES.get(key.split("/")[0], OTHERS), key
    distance = np.abs(outputs["prediction"] - recording.array("eval/prediction"))
    assert distance.mean() < MEAN_TOLERANCE
