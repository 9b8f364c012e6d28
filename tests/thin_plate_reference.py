"""The recordings of the thin-plate spline model that the tests compare with.

`../shared/reference/tpsmm/README.md` describes them. Their weights are too large to store: they are
drawn anew by the code beside the recordings.
"""

import functools
import json
import sys

import numpy as np
import pytest
from reference import SHARED

from fomm_jax.parity.thin_plate_recordings import ThinPlateRecording

FOLDER = SHARED / "tpsmm"
SMALL = ("background_multi_mask", "no_background_single_mask", "before_background")
NUM_SAMPLES = 64  # of an array that was recorded by its norm and samples


class Recording(ThinPlateRecording):
    """The recording of one model, with weights that are drawn anew."""

    @functools.cached_property
    def manifest(self):
        return json.loads((self.folder / "manifest.json").read_text())

    @functools.cached_property
    def checkpoint(self):
        """The networks before training, as arrays of NumPy by network and key."""
        draw_module = seeded_weights().draw_module
        generator = np.random.default_rng(self.manifest["seed"])
        checkpoint = {}
        for module, shapes in self.manifest["modules"].items():
            buffers = {
                key: np.asarray(values, np.float32).reshape(shapes[key])
                for key, values in self.manifest["buffers"][module].items()
            }
            adjust = self.manifest.get("adjust", {}).get(module)
            checkpoint[module] = draw_module(shapes, buffers, generator, adjust)
        return checkpoint | {"epoch": 0}

    def resumed_checkpoint(self):
        """The same networks with the states of optimisers."""
        pytest.importorskip("torch", reason="PyTorch is not installed")
        resumed = self.manifest["resumed"]
        generator = np.random.default_rng(resumed["seed"])
        optimizers = {}
        for name, description in resumed["optimizers"].items():
            adam = seeded_weights().draw_adam(self.manifest, description, generator)
            state = {
                number: {key: tensor.numpy() for key, tensor in entry.items()}
                for number, entry in adam["state"].items()
            }
            optimizers[name] = adam | {"state": state}
        return self.checkpoint | optimizers | {"epoch": resumed["epoch"]}


def find(name):
    """Return a recording of ../shared; skip the test if it is not there."""
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return Recording(folder)


@functools.cache
def seeded_weights():
    """The module beside the recordings that draws weights."""
    sys.path.insert(0, str(SHARED))
    try:
        import seeded_weights

        return seeded_weights
    finally:
        sys.path.remove(str(SHARED))


def differences(actual, recorded):
    """Return the largest difference of each recorded array, relative to its largest value.

    An array is recorded whole, or by its norm and samples.
    """
    worst = {}
    for name, expected in recorded.items():
        key, _, part = name.rpartition("/")
        if part == "norm":
            array = np.linalg.norm(np.asarray(actual[key], np.float64))
        elif part == "samples":
            flat = actual[key].reshape(-1)
            array = flat[np.linspace(0, flat.size - 1, NUM_SAMPLES).astype(int)]
        else:
            array = actual[name]
        assert np.shape(array) == expected.shape, name
        worst[name] = np.abs(array - expected).max() / np.abs(expected).max()
    return worst
