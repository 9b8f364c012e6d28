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


def tiny():
    """Return the recording in this repository."""
    return ThinPlateRecording(IN_REPOSITORY / "tiny")


def find(name):
    """Return a recording of ../shared, or `tiny`; skip the test if it is not there."""
    if name == "tiny":
        return tiny()
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return ThinPlateRecording(folder)


def differences(actual, recorded):
    """Return the largest difference of each recorded array, relative to its largest value."""
    worst = {}
    for name, expected in recorded.items():
        array = recorded_form(name, actual)
        assert np.shape(array) == expected.shape, name
        worst[name] = np.abs(array - expected).max() / np.abs(expected).max()
    return worst
