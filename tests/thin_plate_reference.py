"""The recordings of the thin-plate spline model that the tests compare with.

`make_thin_plate_fixture.py` makes the one in this repository. The README of
`../shared/reference/tpsmm` describes the others. All weights are drawn from a seed.
"""

import pathlib

import numpy as np
import pytest
from reference import SHARED

from fomm_jax.parity.recordings import recorded_form
from fomm_jax.parity.thin_plate.recording import ThinPlateRecording

IN_REPOSITORY = pathlib.Path(__file__).parent / "data" / "recorded_thin_plate"
FOLDER = SHARED / "tpsmm"
SMALL = ("background_multi_mask", "no_background_single_mask", "before_background")
GRADIENT_TOLERANCE = 1e-8  # relative to the largest element
# A gradient that is 0 except for rounding, such as that of a bias before a normalisation, is at
# most this share of the largest gradient in the same network.
ZERO_GRADIENT = 1e-10
# Relative to the largest element. Whole arrays of a state are recorded in float32.
STATE_TOLERANCE, WHOLE_STATE_TOLERANCE = 1e-9, 2e-7


def tiny():
    """Return the recording in this repository."""
    return ThinPlateRecording(IN_REPOSITORY / "tiny")


def find(name, kind=ThinPlateRecording):
    """Return a recording of ../shared, or `tiny`; skip the test if it is not there."""
    folder = IN_REPOSITORY / name if name == "tiny" else FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return kind(folder)


def differences(actual, recorded):
    """Return the largest difference of each recorded array, relative to its largest value."""
    worst = {}
    for name, expected in recorded.items():
        array = recorded_form(name, actual)
        assert np.shape(array) == expected.shape, name
        worst[name] = np.abs(array - expected).max() / np.abs(expected).max()
    return worst


def check_gradients(gradients, recorded):
    """Compare gradients by NETWORK/KEY with recorded ones, relative to the largest element."""
    networks = {key.split("/")[0] for key in recorded}
    assert networks <= {key.split("/")[0] for key in gradients}
    largest = {
        network: max(
            np.abs(array).max() for key, array in gradients.items() if key.startswith(network)
        )
        for network in networks
    }
    relative = differences(gradients, recorded)
    for key, expected in recorded.items():
        floor = ZERO_GRADIENT * largest[key.split("/")[0]]
        if np.abs(expected).max() <= floor:
            assert np.abs(recorded_form(key, gradients)).max() <= floor, key
        else:
            assert relative[key] < GRADIENT_TOLERANCE, key


def check_state(state, recorded):
    """Compare parameters and statistics by NETWORK/KEY with recorded ones."""
    for key, difference in differences(state, recorded).items():
        is_whole = key.rpartition("/")[2] not in ("norm", "samples")
        assert difference < (WHOLE_STATE_TOLERANCE if is_whole else STATE_TOLERANCE), key
