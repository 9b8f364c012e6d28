"""The recordings that the tests compare with.

There are two sets with the same layout. `make_fixtures.py` makes `tests/data/recorded/NAME` in this
repository; the other set is `reference/small/NAME` in the folder `shared` beside the repository.
"""

import functools
import pathlib
import zlib

import numpy as np

from fomm_jax.parity import recordings

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "reference"
IN_REPOSITORY = pathlib.Path(__file__).parent / "data" / "recorded"
GRADIENTS = pathlib.Path(__file__).parent / "data" / "gradients"

DIRECTIONS = 8  # random vectors that a gradient is multiplied with


class Recording(recordings.Recording):
    """The recording of one model, with the original's gradients in float64."""

    @property
    def gradients_file(self) -> pathlib.Path:
        """The file of the gradients' fingerprints."""
        return GRADIENTS / f"{self.folder.name}.npz"

    @functools.cached_property
    def gradient_fingerprints(self) -> recordings.Arrays:
        """The fingerprints of the original's gradients in float64, by `NETWORK/KEY`.

        They belong to the inputs of the step that is recorded in float32.
        """
        with np.load(self.gradients_file) as archive:
            return dict(zip(archive["names"].tolist(), archive["fingerprints"], strict=True))


def all_recordings() -> list[Recording]:
    """Return all recordings on this machine, those in the repository first."""
    shared = SHARED / "small"
    folders = [*IN_REPOSITORY.iterdir(), *(shared.iterdir() if shared.is_dir() else ())]
    return [Recording(folder) for folder in folders]


def fingerprints(gradients: recordings.Arrays) -> dict[str, np.ndarray]:
    """Compute a few numbers that tell gradients apart, to record in place of whole gradients.

    They are the norm of a gradient and its products with `DIRECTIONS` fixed random vectors of ±1.
    If two gradients differ, the root mean square of the products' differences, over all possible
    directions, is the norm of the difference.
    """
    values = {}
    for key, gradient in gradients.items():
        random = np.random.default_rng(zlib.crc32(key.encode()))
        directions = 2.0 * random.integers(0, 2, (DIRECTIONS, gradient.size)) - 1
        products = np.sum(directions * gradient.ravel().astype(np.float64), axis=1)
        values[key] = np.concatenate([[np.linalg.norm(gradient)], products])
    return values
