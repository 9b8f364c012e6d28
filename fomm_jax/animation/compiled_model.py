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
from fomm_jax.models.motion_model import Motion, MotionModel, SameScene
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
        def retarget(state: nnx.State, source: Motion, driving: Motion) -> Motion:
            return nnx.merge(definition, state).retarget(source, driving)

        @CompiledOnce
        def paint(
            state: nnx.State, source: EncodedSource, motion: Motion, scene: Array | None
        ) -> tuple[Array, Array]:
            model: MotionModel = nnx.merge(definition, state)
            frames = None if scene is None else to_float(scene)
            prediction = paint_frames(model, source, motion, frames)
            return prediction, to_bytes(prediction)

        self.detect, self.encode, self.retarget, self.paint = detect, encode, retarget, paint
        self.transfer = jax.jit(abstract.transfer, static_argnames="config")
        self.points, self.sees_scene = abstract.points, abstract.SEES_SCENE
        self._definition = definition
        self._frame_shape = config.dataset.frame_shape
        self._begun: set[tuple[int, bool]] = set()

    def check_can_retarget(self, state: nnx.State) -> None:
        """Raise an `InputError` if the model with these weights has no use of `retarget`."""
        nnx.merge(self._definition, state).check_can_retarget()

    def compile_ahead(self, count: int, *, same_scene: bool) -> None:
        """Begin to compile `paint`, which takes longest, in a thread.

        It is compiled for pictures of the training's size; the others meanwhile by their first use.

        Args:
          count: frames of a batch.
          same_scene: whether driving frames show the source's scene.
        """
        form = count, same_scene and self.sees_scene
        if form not in self._begun:
            self._begun.add(form)
            _background.add(lambda: self._compile_paint(*form))

    def _compile_paint(self, count: int, same_scene: bool) -> None:
        source = self.encode.trace(self._state, self._frames(1), self.motion_structure())
        motion = self.detect.trace(self._state, self._frames(count))
        scene = self._frames(count) if same_scene else None
        self.paint.compile(self._state, source, motion, scene)

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

    def __init__(
        self,
        model: MotionModel,
        config: Config,
        convolutions: Convolutions,
        *,
        same_scene: bool = False,
    ):
        """Take the weights of a model; each function is compiled when it first meets a size.

        Args:
          model: the trained model.
          config: the configuration of the model.
          convolutions: the forms of convolution that suit the devices.
          same_scene: whether driving frames show the source's scene, as in a reconstruction.
        """
        self._config, self._same_scene = config, same_scene
        self._state = nnx.state(model, lambda path, _: path[0] != "discriminator")
        self._detector = model.DETECTOR
        self._programs = programs_of(config, convolutions)
        self.points = self._programs.points
        self._can_retarget = False  # as far as is known yet

    def detect(self, frames: Shaped[np.ndarray, "b h w c"]) -> Motion:
        """Detect the motion in frames, uint8 or float in [0, 1]."""
        if frames.shape[1:] == self._config.dataset.frame_shape:
            # The source, too, is likely of this size.
            self._programs.compile_ahead(len(frames), same_scene=self._same_scene)
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
        """Transfer driving motion to a source, as `transfer_motion` does."""
        if config.use_avd:
            return self._programs.retarget(self._state, source.motion, driving)
        return self._programs.transfer(source.motion, driving, initial, scale, config=config)

    def check_transfer(self, config: NormalizationConfig) -> None:
        """Raise an `InputError` if the model cannot transfer motion in a mode."""
        if config.use_avd and not self._can_retarget:
            self._programs.check_can_retarget(self._state)
            self._can_retarget = True

    @property
    def sees_scene(self) -> bool:
        """Whether `paint` has a use for driving frames."""
        return self._same_scene and self._programs.sees_scene

    def paint(
        self,
        source: EncodedSource,
        motion: Motion,
        scene: Shaped[np.ndarray, "b h w c"] | None = None,
    ) -> tuple[Float[Array, "b h w c"], UInt8[Array, "b h w c"]]:
        """Paint the source in the given motion, as [0, 1] and as uint8.

        Args:
          source: the encoded source.
          motion: the motion, transferred to the source.
          scene: the driving frames, uint8 or float in [0, 1], if they show the source's scene.
        """
        return self._programs.paint(self._state, source, motion, scene)

    def portable(
        self, convolutions: Convolutions = ANY_DEVICE, compute_dtype: str | None = None
    ) -> MotionModel:
        """Return the model itself, for use inside a traced function for any device.

        Args:
          convolutions: the forms of convolution.
          compute_dtype: as `config.model.compute_dtype`, whose value is the default.
        """
        dtype = compute_dtype or self._config.model.compute_dtype
        model = dataclasses.replace(self._config.model, compute_dtype=dtype)
        config = dataclasses.replace(self._config, model=model)
        definition = nnx.graphdef(abstract_model(config, convolutions, with_discriminator=False))
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


def transfer_motion(
    model: MotionModel,
    source: Motion,
    driving: Motion,
    initial: Motion,
    scale: Float[Array, ""],
    config: NormalizationConfig,
) -> Motion:
    """Transfer driving motion to a source, by `MotionModel.retarget` or `MotionModel.transfer`."""
    if config.use_avd:
        return model.retarget(source, driving)
    return model.transfer(source, driving, initial, scale, config)


def paint_frames(
    model: MotionModel,
    source: EncodedSource,
    motion: Motion,
    scene: Float[Array, "b h w c"] | None = None,
) -> Float[Array, "b h w c"]:
    """Paint the source in the given motion, in [0, 1].

    Args:
      model: the trained model.
      source: the encoded source.
      motion: the motion, transferred to the source.
      scene: the driving frames, if they show the source's scene.
    """
    dense_motion = model.flow(
        source.frame,
        source.motion,
        motion,
        scene=None if scene is None else SameScene(scene, None),
        train=False,
    )
    return model.decode(source.features, dense_motion, train=False)
