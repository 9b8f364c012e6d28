"""Animation: one source picture by the motion of many driving frames.

The source is encoded once; driving frames go through in batches of one size, so that one
compilation serves videos of any length and memory does not grow with it.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.spatial import ConvexHull, QhullError

from fomm_jax import geometry
from fomm_jax.config import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.networks import Networks
from fomm_jax.types import Keypoints


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EncodedSource:
    """All that an animation needs of its source."""

    frame: jax.Array  # (1, h, w, c) in [0, 1]
    keypoints: Keypoints  # of batch 1
    features: jax.Array  # (1, h', w', c') of the generator's encoder


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AnimatedFrames:
    """Driving frames and what the source looks like in their place."""

    prediction: jax.Array  # (t, h, w, c) in [0, 1]
    driving_keypoints: Keypoints  # of batch t, as detected
    normalized_keypoints: Keypoints  # of batch t, as carried over to the source


@dataclasses.dataclass(frozen=True)
class AnimatedFrame:
    """One frame of an animation, on the host."""

    driving: np.ndarray  # (h, w, c) uint8
    prediction: np.ndarray  # (h, w, c) uint8, truncated as the original's PNGs are
    driving_keypoints: np.ndarray  # (k, 2) in (x, y) order on [-1, 1]
    l1: float  # mean |prediction - driving| on [0, 1], before the truncation


def encode_source(networks: Networks, source: jax.Array) -> EncodedSource:
    """Keypoints and features of a source picture (1, h, w, c) in [0, 1]."""
    return EncodedSource(
        frame=source,
        keypoints=networks.kp_detector(source, train=False),
        features=networks.generator.encode(source, train=False),
    )


def animate_frames(
    networks: Networks,
    source: EncodedSource,
    driving: jax.Array,
    initial: Keypoints,
    movement_scale: jax.Array,
    config: NormalizationConfig,
) -> AnimatedFrames:
    """The source in place of driving frames.

    Args:
      networks: trained; their running statistics are used.
      source: from `encode_source`.
      driving: (t, h, w, c) in [0, 1].
      initial: keypoints of the driving video's first frame, of batch 1.
      movement_scale: (), from `movement_scale`.
      config: how keypoints are carried over.
    """
    detected = networks.kp_detector(driving, train=False)
    normalized = normalize_keypoints(source.keypoints, detected, initial, movement_scale, config)
    motion = networks.generator.dense_motion_network(
        source.frame, source.keypoints, normalized, train=False
    )
    prediction = networks.generator.decode(source.features, motion, train=False)
    return AnimatedFrames(prediction, detected, normalized)


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


class Animator:
    """Trained networks with their compiled functions."""

    def __init__(self, networks: Networks, motion: NormalizationConfig, batch_size: int):
        """Prepare to animate `batch_size` frames a call; compilation waits for the first."""
        definition, state = nnx.split(networks)
        self._state = state
        self._motion = motion
        self._batch_size = batch_size

        @jax.jit
        def detect(state: nnx.State, frame: jax.Array) -> Keypoints:
            return nnx.merge(definition, state).kp_detector(_to_float(frame), train=False)

        @jax.jit
        def encode(state: nnx.State, source: jax.Array) -> EncodedSource:
            return encode_source(nnx.merge(definition, state), _to_float(source))

        @jax.jit
        def animate(
            state: nnx.State,
            source: EncodedSource,
            frames: jax.Array,
            initial: Keypoints,
            scale: jax.Array,
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            driving = _to_float(frames)
            networks = nnx.merge(definition, state)
            animated = animate_frames(networks, source, driving, initial, scale, motion)
            prediction = animated.prediction
            l1 = jnp.mean(jnp.abs(prediction - driving), axis=(1, 2, 3))
            truncated = jnp.floor(255 * prediction).astype(jnp.uint8)
            return truncated, animated.driving_keypoints.value, l1

        self._detect, self._encode, self._animate = detect, encode, animate

    def animate(self, source: np.ndarray, frames: Iterable[np.ndarray]) -> Iterator[AnimatedFrame]:
        """Animate a source by driving frames, lazily.

        Args:
          source: (h, w, c) uint8.
          frames: (h, w, c) uint8 each; motion is relative to the first, where it is relative.

        Raises:
          InputError: see `movement_scale`.
        """
        frames = iter(frames)
        batch = list(itertools.islice(frames, self._batch_size))
        if not batch:
            return
        encoded = self._encode(self._state, source[None])
        initial = self._detect(self._state, batch[0][None])
        scale = movement_scale(encoded.keypoints, initial, self._motion)
        while batch:
            # A last batch that is not full is filled up, since a new size would compile anew.
            filled = np.stack(batch + batch[-1:] * (self._batch_size - len(batch)))
            outputs = self._animate(self._state, encoded, filled, initial, jnp.asarray(scale))
            predictions, keypoints, l1 = jax.device_get(outputs)
            for i, driving in enumerate(batch):
                yield AnimatedFrame(driving, predictions[i], keypoints[i], float(l1[i]))
            batch = list(itertools.islice(frames, self._batch_size))

    def detect_keypoints(self, frame: np.ndarray) -> np.ndarray:
        """The keypoints (k, 2) of a frame (h, w, c) uint8, (x, y) on [-1, 1]."""
        return np.asarray(self._detect(self._state, frame[None]).value[0])


def _to_float(pictures: jax.Array) -> jax.Array:
    """uint8 to [0, 1] in JAX's default float."""
    return pictures.astype(jnp.zeros(()).dtype) / 255
