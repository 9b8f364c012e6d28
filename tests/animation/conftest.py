"""A recorded model as an `Animator`, and the frames that it was recorded with."""

import numpy as np
import pytest
import reference

from fomm_jax.animation.animator import Animator
from fomm_jax.parity import recordings

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")


@pytest.fixture(scope="module")
def model():
    return RECORDING.model(np.float32)


@pytest.fixture(scope="module")
def animator(model):
    return Animator(model, RECORDING.config, batch_size=3)


@pytest.fixture(scope="module")
def frames():
    return recordings.to_nhwc(RECORDING.arrays["inputs/driving"])


@pytest.fixture(scope="module")
def source():
    return recordings.to_nhwc(RECORDING.arrays["inputs/source"])[0]
