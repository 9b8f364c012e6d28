"""How much larger the source moves than the driving video."""

import math

import numpy as np

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError


def movement_scale(source: np.ndarray, initial: np.ndarray, config: NormalizationConfig) -> float:
    """Compute the square root of the ratio of the areas of the keypoints' convex hulls.

    Args:
      source: keypoints of the source, (k, 2).
      initial: keypoints of the frame that relative motion starts from, (k, 2).
      config: the mode of transfer; unless it `scales_movement`, the scale is 1.

    Raises:
      InputError: the keypoints lie on a line, so that there is no area.
    """
    if not config.scales_movement:
        return 1.0
    from scipy.spatial import ConvexHull, QhullError  # slow to import, and seldom needed

    try:
        source_area, initial_area = (ConvexHull(points).volume for points in (source, initial))
    except QhullError as error:
        raise InputError(
            "config.animate.normalization.adapt_movement_scale: the keypoints lie on a line and"
            " have no area to compare; expected keypoints of a trained model"
        ) from error
    return math.sqrt(source_area) / math.sqrt(initial_area)
