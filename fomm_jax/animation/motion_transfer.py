"""Carrying the motion of driving frames over to a source: pure functions of the networks."""

import dataclasses
import math

import jax
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.models.generator import Generator
from fomm_jax.ops import geometry
from fomm_jax.types import Keypoints


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EncodedSource:
    """All that an animation needs of its source."""

    frame: jax.Array  # (1, h, w, c) in [0, 1]
    keypoints: Keypoints  # of batch 1
    features: jax.Array  # (1, h', w', c') of the generator's encoder


def generate(generator: Generator, source: EncodedSource, keypoints: Keypoints) -> jax.Array:
    """The source with its keypoints moved to `keypoints`, of batch t: (t, h, w, c) in [0, 1]."""
    motion = generator.dense_motion_network(source.frame, source.keypoints, keypoints, train=False)
    return generator.decode(source.features, motion, train=False)


def normalize_keypoints(
    source: Keypoints,
    driving: Keypoints,
    initial: Keypoints,
    movement_scale: jax.Array,
    config: NormalizationConfig,
) -> Keypoints:
    """Carry driving keypoints over to the source (section 3.4, "relative motion transfer").

    Relative movement adds to the source's keypoints what the driving ones moved since the initial
    frame, times the scale; relative jacobians are J_driving J_initial⁻¹ J_source.
    """
    if not config.use_relative_movement:
        return driving
    value = movement_scale * (driving.value - initial.value) + source.value
    jacobian = driving.jacobian
    if (
        config.use_relative_jacobian
        and jacobian is not None
        and initial.jacobian is not None
        and source.jacobian is not None
    ):
        change = geometry.multiply_2x2(jacobian, geometry.invert_2x2(initial.jacobian))
        jacobian = geometry.multiply_2x2(change, source.jacobian)
    return Keypoints(value, jacobian)


def movement_scale(source: Keypoints, initial: Keypoints, config: NormalizationConfig) -> float:
    """Square root of the ratio of the areas of the keypoints' convex hulls; 1 where not asked for.

    Args:
      source, initial: of batch 1.
      config: `adapt_movement_scale` asks for it.

    Raises:
      InputError: the keypoints lie on a line, so that there is no area.
    """
    if not config.adapt_movement_scale:
        return 1.0
    try:
        source_area, initial_area = (
            ConvexHull(np.asarray(keypoints.value[0])).volume for keypoints in (source, initial)
        )
    except QhullError as error:
        raise InputError(
            "config.animate.normalization.adapt_movement_scale: the keypoints lie on a line and"
            " have no area to compare; expected keypoints of a trained model"
        ) from error
    return math.sqrt(source_area) / math.sqrt(initial_area)
