"""The parts of a model that an animation runs, each compiled once for each size of picture."""

import dataclasses
import functools
import hashlib
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped, UInt8

from fomm_jax.animation.compiled_once import Background, CompiledOnce
from fomm_jax.animation.pixels import to_bytes, to_float
from fomm_jax.config.schema import Config, NormalizationConfig
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import Motion, MotionModel
from fomm_jax.ops.convolution import ANY_DEVICE, Convolutions

_background = Background()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EncodedSource:
    """All that an animation needs of its source."""

    frame: Float[Array, "1 h w c"]  # in [0, 1]
    motion: Motion  # as the model detects it, of batch 1
    points: Float[Array, "1 k 2"]  # its keypoints, in (x, y) order on [-1, 1]
    features: Any  # as the model encodes the frame

    def picture(self) -> UInt8[np.ndarray, "h w c"]:
        """Return the picture that was encoded."""
        return np.rint(255 * np.asarray(self.frame[0])).astype(np.uint8)


class Programs:
    """The parts of a model that an animation runs, each compiled once for each size of picture."""

    def __init__(self, config: Config, convolutions: Convolutions):
        abstract = abstract_model(config, convolutions, with_discriminator=False)
        definition, self._state = nnx.split(abstract)

        @CompiledOnce
        def detect(state: nnx.State, frames: Array) -> Motion:
            return nnx.merge(definition, state).detect(to_float(frames), train=False)

        @CompiledOnce
        def encode(state: nnx.State, source: Array, motion: Motion) -> EncodedSource:
            model: MotionModel = nnx.merge(definition, state)
            frame = to_float(source)
            features = model.encode(frame, train=False)
            return EncodedSource(frame, motion, model.points(motion), features)

        @CompiledOnce
        def paint(state: nnx.State, source: EncodedSource, motion: Motion) -> tuple[Array, Array]:
            model: MotionModel = nnx.merge(definition, state)
            prediction = paint_frames(model, source, motion)
            return prediction, to_bytes(prediction)

        self.detect, self.encode, self.paint = detect, encode, paint
        self.transfer = jax.jit(abstract.transfer, static_argnames="config")
        self.points = abstract.points
        self._frame_shape = config.dataset.frame_shape
        self._begun: set[int] = set()

    def compile_ahead(self, count: int) -> None:
        """Begin to compile `paint`, which takes longest, in a thread.

        It is compiled for pictures of the training's size; the others meanwhile by their first use.

        Args:
          count: frames of a batch.
        """
        if count not in self._begun:
            self._begun.add(count)
            _background.add(lambda: self._compile_paint(count))

    def _compile_paint(self, count: int) -> None:
        source = self.encode.trace(self._state, self._frames(1), self.motion_structure())
        motion = self.detect.trace(self._state, self._frames(count))
        self.paint.compile(self._state, source, motion)

    def motion_structure(self) -> Motion:
        """Return the motion of one frame as shapes and dtypes, of batch 1."""
        return self.detect.trace(self._state, self._frames(1))

    def _frames(self, count: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((count, *self._frame_shape), np.uint8)


@functools.lru_cache(maxsize=4)
def programs_of(config: Config, convolutions: Convolutions) -> Programs:
    """Return the programs of a configuration, which its models share.

    Args:
      config: the configuration.
      convolutions: the forms of convolution that suit the devices.
    """
    return Programs(config, convolutions)


class CompiledModel:
    """A trained model without its discriminator, ready for several threads."""

    def __init__(self, model: MotionModel, config: Config, convolutions: Convolutions):
        """Take the weights of a model; each function is compiled when it first meets a size.

        Args:
          model: the trained model.
          config: the configuration of the model.
          convolutions: the forms of convolution that suit the devices.
        """
        self._config = config
        self._state = nnx.state(model, lambda path, _: path[0] != "discriminator")
        self._detector = model.DETECTOR
        self._programs = programs_of(config, convolutions)
        self.points = self._programs.points

    def detect(self, frames: Shaped[np.ndarray, "b h w c"]) -> Motion:
        """Detect the motion in frames, uint8 or float in [0, 1]."""
        if frames.shape[1:] == self._config.dataset.frame_shape:
            self._programs.compile_ahead(len(frames))  # the source, too, is likely of this size
        return self._programs.detect(self._state, frames)

    def encode(self, source: Shaped[np.ndarray, "1 h w c"], motion: Motion) -> EncodedSource:
        """Encode a source, uint8 or float in [0, 1], whose motion was detected before."""
        return self._programs.encode(self._state, source, motion)

    def transfer(
        self,
        source: EncodedSource,
        driving: Motion,
        initial: Motion,
        scale: np.floating,
        config: NormalizationConfig,
    ) -> Motion:
        """Transfer driving motion to a source, as `MotionModel.transfer` does."""
        return self._programs.transfer(source.motion, driving, initial, scale, config=config)

    def paint(
        self, source: EncodedSource, motion: Motion
    ) -> tuple[Float[Array, "b h w c"], UInt8[Array, "b h w c"]]:
        """Paint the source in the given motion, as [0, 1] and as uint8."""
        return self._programs.paint(self._state, source, motion)

    def portable(self) -> MotionModel:
        """Return the model itself, for use inside one traced function for any device."""
        definition = nnx.graphdef(
            abstract_model(self._config, ANY_DEVICE, with_discriminator=False)
        )
        return nnx.merge(definition, self._state)

    @property
    def motion_structure(self) -> Motion:
        """The motion of one frame as shapes and dtypes, of batch 1."""
        return self._programs.motion_structure()

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the detectors of models apart."""
        digest = hashlib.sha256()
        detector = self._state[self._detector]
        for path, variable in sorted(nnx.to_flat_state(detector), key=lambda item: item[0]):
            digest.update(".".join(map(str, path)).encode())
            digest.update(np.ascontiguousarray(variable.get_value(), "<f4").tobytes())
        return digest.hexdigest()[:16]


def paint_frames(
    model: MotionModel, source: EncodedSource, motion: Motion
) -> Float[Array, "b h w c"]:
    """Paint the source in the given motion, in [0, 1]."""
    dense_motion = model.flow(source.frame, source.motion, motion, train=False)
    return model.decode(source.features, dense_motion, train=False)
