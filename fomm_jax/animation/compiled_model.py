"""The parts of a model that an animation runs, each compiled once for each size of picture."""

import functools
import hashlib
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fomm_jax.animation.motion_transfer import EncodedSource, generate, normalize_keypoints
from fomm_jax.models.generator import Generator
from fomm_jax.models.keypoint_detector import KeypointDetector
from fomm_jax.models.networks import Networks
from fomm_jax.types import Array, Keypoints

R = TypeVar("R")


class CompiledModel:
    """Keypoint detector and generator of trained networks, ready for several threads."""

    def __init__(self, networks: Networks):
        """Compile when a size is first met; the discriminator is not kept."""
        detector, self._detector = nnx.split(networks.kp_detector)
        generator, self._generator = nnx.split(networks.generator)
        self._definitions = detector, generator

        @_CompiledOnce
        def detect(state: nnx.State, frames: jax.Array) -> Keypoints:
            return nnx.merge(detector, state)(to_float(frames), train=False)

        @_CompiledOnce
        def encode(state: nnx.State, source: jax.Array, keypoints: Keypoints) -> EncodedSource:
            frame = to_float(source)
            features = nnx.merge(generator, state).encode(frame, train=False)
            return EncodedSource(frame, keypoints, features)

        @_CompiledOnce
        def paint(
            state: nnx.State, source: EncodedSource, keypoints: Keypoints
        ) -> tuple[jax.Array, jax.Array]:
            prediction = generate(nnx.merge(generator, state), source, keypoints)
            return prediction, to_bytes(prediction)

        self._detect, self._encode, self._paint = detect, encode, paint

    def detect(self, frames: np.ndarray) -> Keypoints:
        """The keypoints of frames (b, h, w, c) uint8."""
        return self._detect(self._detector, frames)

    def encode(self, source: np.ndarray, keypoints: Keypoints) -> EncodedSource:
        """The encoded source (1, h, w, c) uint8, whose keypoints were detected before."""
        return self._encode(self._generator, source, keypoints)

    def paint(self, source: EncodedSource, keypoints: Keypoints) -> tuple[jax.Array, jax.Array]:
        """The source with its keypoints moved: (b, h, w, c) in [0, 1], and as uint8."""
        return self._paint(self._generator, source, keypoints)

    def networks(self) -> tuple[KeypointDetector, Generator]:
        """The networks themselves, as they can be called inside of one traced function."""
        detector, generator = self._definitions
        return nnx.merge(detector, self._detector), nnx.merge(generator, self._generator)

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the keypoint detectors of models apart."""
        digest = hashlib.sha256()
        for path, variable in sorted(nnx.to_flat_state(self._detector), key=lambda item: item[0]):
            digest.update(".".join(map(str, path)).encode())
            digest.update(np.ascontiguousarray(variable.get_value(), "<f4").tobytes())
        return digest.hexdigest()[:16]


normalize = jax.jit(normalize_keypoints, static_argnames="config")


@jax.jit
def l1(predictions: jax.Array, frames: Array) -> jax.Array:
    """Mean |difference| on [0, 1] of predictions (b, h, w, c) and frames uint8: (b,)."""
    return jnp.mean(jnp.abs(predictions - to_float(frames)), axis=(1, 2, 3))


def to_float(pictures: Array) -> jax.Array:
    """uint8 to [0, 1] in JAX's default float."""
    return jnp.asarray(pictures).astype(jnp.zeros(()).dtype) / 255


def to_bytes(pictures: jax.Array) -> jax.Array:
    """[0, 1] to uint8, truncated as the original's PNGs are."""
    return jnp.floor(255 * pictures).astype(jnp.uint8)


class _CompiledOnce(Generic[R]):
    """A jitted function for several threads.

    Threads that meet a new shape at the same time would each compile it; here the first does, and
    the others wait for it. Calls with known shapes wait for nobody.
    """

    def __init__(self, function: Callable[..., R]):
        self._jitted = jax.jit(function)
        self._lock = threading.Lock()
        self._known: set[Any] = set()

    def __call__(self, *arguments: Any) -> R:
        leaves, structure = jax.tree.flatten(arguments)
        shapes = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if shapes in self._known:
            return self._jitted(*arguments)
        with self._lock:
            result = self._jitted(*arguments)
            self._known.add(shapes)
            return result
