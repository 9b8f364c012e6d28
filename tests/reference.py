"""The recordings that the tests compare with.

Two sets have the same layout: `tests/data/recorded/NAME` of this repository, made by
`make_fixtures.py`, and `reference/small/NAME` of a folder `shared` beside it.
"""

import functools
import pathlib
import zlib

import numpy as np

from fomm_jax.parity import recordings

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "reference"
IN_REPOSITORY = pathlib.Path(__file__).parent / "data" / "recorded"
GRADIENTS = pathlib.Path(__file__).parent / "data" / "gradients"

DIRECTIONS = 8


class Recording(recordings.Recording):
    """One recorded model, with the original's gradients in float64."""

    @property
    def gradients_file(self) -> pathlib.Path:
        return GRADIENTS / f"{self.folder.name}.npz"

    @functools.cached_property
    def gradient_fingerprints(self) -> recordings.Arrays:
        """Of the original's gradients in float64, at the step that is recorded in float32."""
        with np.load(self.gradients_file) as archive:
            return dict(zip(archive["names"].tolist(), archive["fingerprints"], strict=True))


def all_recordings() -> list[Recording]:
    """All that there are, this repository's first."""
    shared = SHARED / "small"
    folders = [*IN_REPOSITORY.iterdir(), *(shared.iterdir() if shared.is_dir() else ())]
    return [Recording(folder) for folder in folders]


def fingerprints(gradients: recordings.Arrays) -> dict[str, np.ndarray]:
    """The norm of each gradient, and its products with `DIRECTIONS` fixed random vectors of ±1.

    A difference between two gradients has, in the mean over directions, products of its own norm.
    """
    values = {}
    for key, gradient in gradients.items():
        random = np.random.default_rng(zlib.crc32(key.encode()))
        directions = 2.0 * random.integers(0, 2, (DIRECTIONS, gradient.size)) - 1
        products = np.sum(directions * gradient.ravel().astype(np.float64), axis=1)
        values[key] = np.concatenate([[np.linalg.norm(gradient)], products])
    return values
