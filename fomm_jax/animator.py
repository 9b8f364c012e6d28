"""Animation: a source picture in place of the one who moves in a video.

The way of the data: frames → keypoints (`Animator.detect`) → what they moved, added to those of the
source → the picture of each (`Animator.animate_keypoints`). All of it is lazy and goes in batches
of one size, so that one compilation serves videos of any length and memory does not grow with it.
Several sources may share the keypoints of a video, and several videos an encoded source.
"""

import dataclasses
import importlib.resources
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fomm_jax.compiled import CompiledOnce
from fomm_jax.config import Config, NormalizationConfig
from fomm_jax.config_validation import check_frame_size
from fomm_jax.errors import InputError, naming
from fomm_jax.motion_transfer import (
    EncodedSource,
    generate,
    movement_scale,
    normalize_keypoints,
)
from fomm_jax.networks import Networks
from fomm_jax.pretrained import load_config, load_pretrained
from fomm_jax.types import FrameKeypoints, Keypoints

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class AnimatedFrame:
    """One frame of an animation beside the one that drives it, on the host."""

    driving: np.ndarray  # (h, w, c) uint8
    prediction: np.ndarray  # (h, w, c) uint8, truncated as the original's PNGs are
    driving_keypoints: np.ndarray  # (k, 2) in (x, y) order on [-1, 1]
    l1: float  # mean |prediction - driving| on [0, 1], before the truncation


class Animator:
    """A trained model that animates pictures.

    Pictures and frames are (h, w, 3) uint8. Height and width may be any that the networks can
    halve, and are best those of `config.dataset.frame_shape`, which the model was trained with;
    `picture_io.fit_frame` brings a picture to them. Each size is compiled once, when it is first
    met.

    Methods may be called from several threads. What they return are iterators for one thread each,
    which work when they are asked for a frame.

    Attributes:
      config: of the model; `config.animate.normalization` is how motion is carried over where a
        call does not say it.
      batch_size: frames a call of the networks.
    """

    def __init__(self, networks: Networks, config: Config, *, batch_size: int | None = None):
        """Animate with trained networks.

        Args:
          networks: trained; the discriminator is not kept.
          config: theirs.
          batch_size: frames that are read, animated and given out together. More are faster on an
            accelerator; 1 gives each frame as soon as it comes. Default: the config's.
        """
        self.config = config
        self.batch_size = batch_size or config.animate.batch_size
        detector, self._detector = nnx.split(networks.kp_detector)
        generator, self._generator = nnx.split(networks.generator)

        def detect(state: nnx.State, frames: jax.Array) -> Keypoints:
            return nnx.merge(detector, state)(_to_float(frames), train=False)

        def encode(state: nnx.State, source: jax.Array, keypoints: Keypoints) -> EncodedSource:
            frame = _to_float(source)
            features = nnx.merge(generator, state).encode(frame, train=False)
            return EncodedSource(frame, keypoints, features)

        def paint(
            state: nnx.State, source: EncodedSource, keypoints: Keypoints
        ) -> tuple[jax.Array, jax.Array]:
            prediction = generate(nnx.merge(generator, state), source, keypoints)
            return prediction, jnp.floor(255 * prediction).astype(jnp.uint8)

        self._detect = CompiledOnce(detect)
        self._encode = CompiledOnce(encode)
        self._paint = CompiledOnce(paint)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike[str],
        config: Config | None = None,
        *,
        batch_size: int | None = None,
    ) -> Self:
        """Animate with the networks of a checkpoint.

        Args:
          path: a workdir, a folder of checkpoints, of which the newest is taken, one checkpoint,
            weights that `save_weights` wrote (.npz), or a file of the original (.pth.tar).
          config: of the model. It is needed with files of the original, and with checkpoints from
            before they carried it.
          batch_size: as in `Animator`.

        Raises:
          InputError: there is no checkpoint, it is damaged or of another architecture, or its
            configuration is needed.
        """
        config = config or load_config(path)
        return cls(load_pretrained(path, config), config, batch_size=batch_size)

    @classmethod
    def demo(cls, *, batch_size: int | None = None) -> Self:
        """Animate with the small model that comes with the package (docs/demo_model.md).

        Raises:
          InputError: this installation lacks it.
        """
        weights = importlib.resources.files("fomm_jax") / "demo_model" / "weights.npz"
        if not weights.is_file():
            raise InputError(f"{weights}: the demo model is not there; expected it in the package")
        with importlib.resources.as_file(weights) as path:
            return cls.from_checkpoint(path, batch_size=batch_size)

    def animate(
        self,
        source: np.ndarray | EncodedSource,
        frames: Iterable[np.ndarray],
        *,
        normalization: NormalizationConfig | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a source by driving frames.

        Args:
          source: a picture, or one that was encoded before.
          frames: all of one size, which need not be the source's. Motion is relative to the first,
            where it is relative.
          normalization: how motion is carried over.

        Yields:
          For each driving frame the source in its place, of the size of the source, uint8.

        Raises:
          InputError: a picture is of another form, or as `animate_keypoints`.
        """
        return self.animate_keypoints(source, self.detect(frames), normalization=normalization)

    def detect(self, frames: Iterable[np.ndarray]) -> Iterator[FrameKeypoints]:
        """Find the keypoints of frames of one size.

        Yields:
          Those of each frame, float32 on the host: value (k, 2), jacobian (k, 2, 2) or None.

        Raises:
          InputError: a frame is of another form.
        """
        for batch in _batches(self._checked(frames), self.batch_size):
            filled = np.stack(_filled(batch, self.batch_size))
            found = jax.device_get(self._detect(self._detector, filled))
            for i in range(len(batch)):
                jacobian = None if found.jacobian is None else found.jacobian[i]
                yield FrameKeypoints(found.value[i], jacobian)

    def encode(self, source: np.ndarray) -> EncodedSource:
        """Keypoints and features of a source picture, for any number of animations.

        Raises:
          InputError: the picture is of another form.
        """
        source = np.asarray(source)
        with naming("source"):
            (keypoints,) = self.detect([source])
        return self._encode(self._generator, source[np.newaxis], _of_batch([keypoints]))

    def animate_keypoints(
        self,
        source: np.ndarray | EncodedSource,
        keypoints: Iterable[FrameKeypoints],
        *,
        initial: FrameKeypoints | None = None,
        normalization: NormalizationConfig | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a source by keypoints of driving frames.

        Args:
          source: a picture, or one that was encoded before.
          keypoints: of each frame, as from `detect`.
          initial: those that relative motion starts from; default: the first.
          normalization: how motion is carried over.

        Yields:
          As `animate`.

        Raises:
          InputError: see `movement_scale`.
        """
        for batch, _, pictures in self._painted(source, keypoints, initial, normalization):
            yield from np.array(pictures)[: len(batch)]

    def compare(
        self,
        source: np.ndarray,
        frames: Iterable[np.ndarray],
        *,
        normalization: NormalizationConfig | None = None,
    ) -> Iterator[AnimatedFrame]:
        """As `animate`, with what the driving frames were and how far from them the result is.

        The frames are of the size of the source.
        """
        frames, beside = itertools.tee(frames)
        painted = self._painted(source, self.detect(frames), None, normalization)
        for batch, predictions, pictures in painted:
            driving = list(itertools.islice(beside, len(batch)))
            filled = np.stack(_filled(driving, self.batch_size))
            l1 = np.asarray(_l1(predictions, filled))
            rows = zip(driving, np.array(pictures), batch, l1, strict=False)
            for frame, picture, keypoints, distance in rows:
                yield AnimatedFrame(frame, picture, np.asarray(keypoints.value), float(distance))

    def _painted(
        self,
        source: np.ndarray | EncodedSource,
        keypoints: Iterable[FrameKeypoints],
        initial: FrameKeypoints | None,
        normalization: NormalizationConfig | None,
    ) -> Iterator[tuple[list[FrameKeypoints], jax.Array, jax.Array]]:
        """Batches of keypoints with what is painted of them, as [0, 1] and as uint8."""
        config = normalization or self.config.animate.normalization
        keypoints = iter(keypoints)
        first = next(keypoints, None)
        if first is None:
            return
        encoded = source if isinstance(source, EncodedSource) else self.encode(source)
        start = _of_batch([initial or first])
        scale = np.float32(movement_scale(encoded.keypoints, start, config))
        for batch in _batches(itertools.chain([first], keypoints), self.batch_size):
            driving = _of_batch(_filled(batch, self.batch_size))
            carried = _normalize(encoded.keypoints, driving, start, scale, config)
            yield batch, *self._paint(self._generator, encoded, carried)

    def _checked(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Frames, all of one form, which the networks can take."""
        size = None
        for number, frame in enumerate(map(np.asarray, frames)):
            channels = self.config.model.num_channels
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != channels:
                raise InputError(
                    f"frame {number} is {frame.dtype}{frame.shape}; expected (height, width,"
                    f" {channels}) uint8"
                )
            if size is None:
                size = frame.shape[:2]
                check_frame_size(self.config, *size)
            if frame.shape[:2] != size:
                raise InputError(
                    f"frame {number} is of size {frame.shape[:2]}; expected {size}, as the first"
                )
            yield frame


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def _filled(batch: Sequence[T], size: int) -> list[T]:
    """A batch with its last item again until it is full, since a new size would compile anew."""
    return [*batch, *[batch[-1]] * (size - len(batch))]


def _of_batch(keypoints: list[FrameKeypoints]) -> Keypoints:
    value = jnp.asarray(np.stack([frame.value for frame in keypoints]))
    jacobians = [frame.jacobian for frame in keypoints if frame.jacobian is not None]
    return Keypoints(value, jnp.asarray(np.stack(jacobians)) if jacobians else None)


def _to_float(pictures: jax.Array) -> jax.Array:
    """uint8 to [0, 1] in JAX's default float."""
    return pictures.astype(jnp.zeros(()).dtype) / 255


_normalize = jax.jit(normalize_keypoints, static_argnames="config")


@jax.jit
def _l1(predictions: jax.Array, frames: jax.Array) -> jax.Array:
    return jnp.mean(jnp.abs(predictions - _to_float(frames)), axis=(1, 2, 3))
