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
from typing import Literal, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from fomm_jax.animation.best_frame import FaceWatcher, choose_frame
from fomm_jax.animation.compiled_model import CompiledModel, l1, normalize
from fomm_jax.animation.export import animation, write_onnx, write_stablehlo
from fomm_jax.animation.motion import Motion
from fomm_jax.animation.motion_transfer import EncodedSource, movement_scale
from fomm_jax.animation.smoothing import OneEuro, smooth_keypoints
from fomm_jax.config.schema import Config, NormalizationConfig
from fomm_jax.config.validation import check_frame_size
from fomm_jax.errors import InputError, naming
from fomm_jax.models.networks import Networks, abstract_networks
from fomm_jax.types import FrameKeypoints, Keypoints
from fomm_jax.weights.load import load_config, load_pretrained
from fomm_jax.weights.npz import save_weights

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
    `framing.fit_frame` brings a picture to them. Each size is compiled once, when it is first
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
        self.batch_size = config.animate.batch_size if batch_size is None else batch_size
        if self.batch_size < 1:
            raise InputError(f"batch_size: expected at least 1, got {batch_size}")
        self._model = CompiledModel(networks)

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
            weights that `save` wrote (.npz), or a file of the original (.pth.tar).
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
        driving: Iterable[np.ndarray] | Motion,
        *,
        normalization: NormalizationConfig | None = None,
        best_frame: int | Literal["auto", "face"] | None = None,
        smooth: OneEuro | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a source by a video.

        Args:
          source: a picture, or one that was encoded before.
          driving: frames of one size, which need not be the source's; or a motion that was
            recorded with this model.
          normalization: how motion is carried over.
          best_frame: the driving frame that relative motion starts from: its number, or that whose
            keypoints ("auto") or facial landmarks ("face", which needs fomm_jax[evaluation]) have
            the shape most like the source's. With it the keypoints of all frames are found, and
            kept, before the first picture comes. Default: the first, or the motion's own.
          smooth: how the driving keypoints are smoothed over time.

        Yields:
          For each driving frame the source in its place, (h, w, 3) uint8 of the source's size.

        Raises:
          InputError: a picture is of another form, the motion is another model's, `best_frame`
            cannot be found, or as `animate_keypoints`.
        """
        faces = FaceWatcher() if best_frame == "face" else None
        keypoints: Iterable[FrameKeypoints]
        if not isinstance(driving, Motion):
            keypoints = self.detect(faces.watch(driving) if faces else driving)
        elif faces:
            raise InputError("best_frame: face expects driving frames, and a motion has none")
        else:
            self.check_motion(driving)
            keypoints = driving
            best_frame = driving.initial if best_frame is None else best_frame
        if smooth:
            keypoints = smooth_keypoints(keypoints, smooth)
        encoded = source if isinstance(source, EncodedSource) else self.encode(source)
        initial = None
        if best_frame is not None:
            keypoints = list(keypoints)
            if faces:
                best_frame = faces.best_frame(_to_picture(encoded.frame))
            initial = choose_frame(best_frame, keypoints, encoded.keypoints)
        yield from self.animate_keypoints(
            encoded, keypoints, initial=initial, normalization=normalization
        )

    def record(self, frames: Iterable[np.ndarray], *, fps: float) -> Motion:
        """Keep the motion of a video, `fps` frames a second, for `animate`.

        Raises:
          InputError: there is no frame, or one is of another form.
        """
        return Motion.from_keypoints(self.detect(frames), fps, model=self.fingerprint)

    def check_motion(self, motion: Motion) -> None:
        """Raise an `InputError` where another model found a motion: its keypoints are others."""
        expected = self.config.model.num_kp, self.config.model.estimate_jacobian
        found = motion.value.shape[1], motion.jacobian is not None
        if found != expected:
            descriptions = (
                f"{number} keypoints {'with' if jacobian else 'without'} jacobians"
                for number, jacobian in (found, expected)
            )
            raise InputError("the motion has {}; the model has {}".format(*descriptions))
        if motion.model and motion.model != self.fingerprint:
            raise InputError(
                f"the motion was recorded with another model ({motion.model}), whose keypoints are"
                f" others; expected one of this model ({self.fingerprint})"
            )

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the keypoint detectors of models apart."""
        return self._model.fingerprint

    def detect(self, frames: Iterable[np.ndarray]) -> Iterator[FrameKeypoints]:
        """Find the keypoints of frames of one size.

        Yields:
          Those of each frame, float32 on the host: value (k, 2), jacobian (k, 2, 2) or None.

        Raises:
          InputError: a frame is of another form.
        """
        for batch in _batches(self._checked(frames), self.batch_size):
            filled = np.stack(_filled(batch, self.batch_size))
            found = jax.device_get(self._model.detect(filled))
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
        return self._model.encode(source[np.newaxis], _of_batch([keypoints]))

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

        Raises:
          InputError: the frames are not of the size of the source, or as `animate`.
        """
        frames, beside = itertools.tee(frames)
        painted = self._painted(source, self.detect(frames), None, normalization)
        for batch, predictions, pictures in painted:
            driving = list(itertools.islice(beside, len(batch)))
            filled = np.stack(_filled(driving, self.batch_size))
            if filled.shape != predictions.shape:
                sizes = f"{filled.shape[1:3]}, the source of {predictions.shape[1:3]}"
                raise InputError(f"frames are of size {sizes}; expected one size")
            distances = np.asarray(l1(predictions, filled))
            rows = zip(driving, np.array(pictures), batch, distances, strict=False)
            for frame, picture, keypoints, distance in rows:
                yield AnimatedFrame(frame, picture, np.asarray(keypoints.value), float(distance))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and configuration as one file .npz, for `from_checkpoint`.

        Raises:
          InputError: nothing can be written there, or the name ends otherwise.
        """
        networks = abstract_networks(self.config)
        networks.kp_detector, networks.generator = self._model.networks()
        save_weights(path, networks, self.config)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        normalization: NormalizationConfig | None = None,
    ) -> None:
        """Write the animation as one function with its weights, which needs none of this code.

        The function takes source (1, h, w, 3), driving (t, h, w, 3) and initial (1, h, w, 3), the
        frame that relative motion starts from, and gives frames (t, h, w, 3), all uint8, for any
        t. docs/animation.md shows how it is called.

        Args:
          path: of the file. With the suffix .onnx it is ONNX, which the package jax2onnx writes;
            else a `jax.export` artefact (StableHLO) for CPU, CUDA and TPU.
          size: height and width; default: those that the model was trained with.
          normalization: how motion is carried over; without `adapt_movement_scale`.

        Raises:
          InputError: a package is missing, nothing can be written there, the networks cannot take
            the size, or `adapt_movement_scale` is asked for.
        """
        size = size or self.config.dataset.frame_shape[:2]
        check_frame_size(self.config, *size)
        config = normalization or self.config.animate.normalization
        write = write_onnx if os.fspath(path).endswith(".onnx") else write_stablehlo
        write(path, animation(self._model, config), size)

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
            carried = normalize(encoded.keypoints, driving, start, scale, config)
            yield batch, *self._model.paint(encoded, carried)

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


def _to_picture(frame: jax.Array) -> np.ndarray:
    """The picture (h, w, c) uint8 that became (1, h, w, c) in [0, 1]."""
    return np.rint(255 * np.asarray(frame[0])).astype(np.uint8)
