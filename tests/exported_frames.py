"""Frames of exported animations, compared with those of the animator."""

import numpy as np

from fomm_jax.config.schema import NormalizationConfig

ABSOLUTE = NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False)


def assert_same_frames(actual, expected):
    """Up to single values on the border between two levels, which sums in other order may cross."""
    expected = np.stack(list(expected))
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape
    difference = np.abs(actual.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference != 0) < 1e-3
