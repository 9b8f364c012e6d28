"""The movement scale, against the areas of hulls."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from fomm_jax.animation.movement_scale import movement_scale
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError

RANDOM = np.random.default_rng(0)


def normalization(relative, adapt=False):
    return NormalizationConfig(
        adapt_movement_scale=adapt, use_relative_movement=relative, use_relative_jacobian=relative
    )


def test_movement_scale_compares_the_sides_of_the_hulls():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.4]])
    source, initial = square, 0.25 * square
    assert movement_scale(source, initial, normalization(True, True)) == pytest.approx(4)
    assert movement_scale(source, initial, normalization(True, False)) == 1
    cloud = RANDOM.uniform(-1, 1, (5, 2))
    area = ConvexHull(cloud).volume
    scale = movement_scale(cloud, initial, normalization(True, True))
    assert scale == pytest.approx(np.sqrt(area) / 0.25)


def test_keypoints_on_a_line_are_refused():
    line = np.linspace(0, 1, 5)[:, None].repeat(2, axis=1)
    with pytest.raises(InputError, match="adapt_movement_scale") as error:
        movement_scale(RANDOM.uniform(-1, 1, (5, 2)), line, normalization(True, True))
    assert "\n" not in str(error.value)
