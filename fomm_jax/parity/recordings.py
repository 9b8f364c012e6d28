"""Recordings of the original implementation, and our networks run on what they were made of.

A recording is a folder with a `config.yaml` and a `checkpoint.pth.tar` of the original's, and
`arrays.npz` with what it computed: axes in PyTorch's order, `inputs/…`, `eval/…`,
`float32/step_0/…`, `float64/step_i/…` and `resumed_float64/step_i/…`, which goes on from
`checkpoint_with_optimizers.pth.tar`.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.typing import ArrayLike

from fomm_jax.config.original_yaml import read_original_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import read_npz
from fomm_jax.models.discriminator import DiscriminatorOutput
from fomm_jax.models.keypoints import Keypoints
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.models.vgg import VGG_LAYERS
from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate import ThinPlateTransform
from fomm_jax.training.objectives import StepInputs
from fomm_jax.training.step import DIAGNOSTICS, make_update
from fomm_jax.types import GeneratorOutput
from fomm_jax.weights.torch import names
from fomm_jax.weights.torch.names import NETWORKS, read_original
from fomm_jax.weights.train_state import TrainState, make_optimizers

BATCH = 2  # pairs a step in all recordings; step i has the pairs 2i and 2i + 1
RESUMED_FROM = 8  # the step whose pairs the resumed run begins with
STEPS_PER_EPOCH = 1000  # any: no recording reaches a milestone
VGG19_SEED = 1234  # of the weights of the perceptual network that the original was given
# On CPU, a step of the smallest recorded model compiles in 24 s of processor time at this level and
# in 41 s at higher ones, which save 0.8 s a step. A recording has about ten steps.
QUICK_COMPILATION = {"xla_backend_optimization_level": 0}

Arrays = dict[str, np.ndarray]


def to_nhwc(pictures: np.ndarray) -> np.ndarray:
    """(b, c, h, w) to (b, h, w, c)."""
    return np.moveaxis(pictures, 1, -1)


def to_nchw(pictures: ArrayLike) -> np.ndarray:
    """(b, h, w, c) to (b, c, h, w)."""
    return np.moveaxis(np.asarray(pictures), -1, 1)


@dataclasses.dataclass(frozen=True)
class Recording:
    """One recorded model.

    Args:
      folder: of the recording.
      checkpoint_file: of the original's, where it does not lie in the folder.

    Raises:
      InputError: upon use, where a file is missing or cannot be read.
    """

    folder: pathlib.Path
    checkpoint_file: pathlib.Path | None = None

    @functools.cached_property
    def config(self) -> Config:
        """Of the recorded model."""
        return from_config_dict(read_original_yaml(str(self.folder / "config.yaml")))

    @property
    def checkpoint_path(self) -> pathlib.Path:
        """Of the original's file."""
        return self.checkpoint_file or self.folder / "checkpoint.pth.tar"

    @functools.cached_property
    def checkpoint(self) -> Mapping[str, Any]:
        """The networks before training."""
        return read_original(self.checkpoint_path)

    @functools.cached_property
    def arrays(self) -> Arrays:
        """All that was recorded."""
        return read_npz(self.folder / "arrays.npz")

    def array(self, name: str) -> np.ndarray:
        """One array; InputError where it was not recorded."""
        if name not in self.arrays:
            raise InputError(f"{self.folder / 'arrays.npz'}: has no array {name}")
        return self.arrays[name]

    def below(self, prefix: str) -> Arrays:
        """The arrays whose names begin with `prefix`, by the rest of the name."""
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def model(self, dtype: type | np.dtype) -> MotionModel:
        """Load the model before training, in a precision."""
        with naming(self.checkpoint_path):
            return names.load_networks(self.config, _in_precision(self.checkpoint, dtype))

    def pairs(self, step: int, dtype: type | np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Source and driving frames (2, h, w, c) of a step, in [0, 1]."""
        chosen = slice(BATCH * step, BATCH * (step + 1))
        source, driving = (
            as_floats(to_nhwc(self.array(f"inputs/{name}")[chosen]), dtype)
            for name in ("source", "driving")
        )
        return source, driving

    def transform(self, prefix: str, dtype: type | np.dtype) -> ThinPlateTransform:
        """The random transform of a step."""
        return ThinPlateTransform(
            theta=jnp.asarray(self.array(f"{prefix}/transform/theta"), dtype),
            control_params=jnp.asarray(
                self.array(f"{prefix}/transform/control_params")[:, 0], dtype
            ),
        )


def _in_precision(tree: Any, dtype: type | np.dtype) -> Any:
    """A checkpoint with all floating-point arrays in a precision."""
    if isinstance(tree, Mapping):
        return {key: _in_precision(value, dtype) for key, value in tree.items()}
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        return tree.astype(dtype)
    return tree


def as_floats(pictures: np.ndarray, dtype: type | np.dtype) -> np.ndarray:
    """uint8 by way of float32, as the original reads its frames; float32 as it is."""
    if pictures.dtype == np.uint8:
        pictures = pictures.astype(np.float32) / np.float32(255)
    return pictures.astype(dtype)


@functools.cache
def seeded_vgg19() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """VGG19's convolutions with the seeded random weights that all recordings were made with.

    He-normal kernels in PyTorch's layout and biases of deviation 0.1, layer by layer.
    """
    generator = np.random.default_rng(VGG19_SEED)
    weights, channels = {}, 3
    for name, width in VGG_LAYERS["vgg19"]:
        deviation = np.sqrt(2 / (9 * channels))
        kernel = generator.normal(0, deviation, (width, channels, 3, 3)).astype(np.float32)
        bias = generator.normal(0, 0.1, width).astype(np.float32)
        weights[name] = kernel.transpose(2, 3, 1, 0), bias
        channels = width
    return weights


def evaluate(recording: Recording) -> Arrays:
    """What the networks make of the first pairs in evaluation mode, by the recorded names."""
    source, driving = recording.pairs(0, np.float32)
    return evaluator(recording.config, recording.model(np.float32))(source, driving)


def evaluator(config: Config, model: MotionModel) -> Callable[[np.ndarray, np.ndarray], Arrays]:
    """A compiled function of source and driving frames (b, h, w, c) in [0, 1].

    It gives all that the networks make of them in evaluation mode, by the names of the recordings
    and with PyTorch's order of axes.
    """
    definition, state = nnx.split(model)

    @jax.jit
    def run(state: nnx.State, source: jax.Array, driving: jax.Array) -> Any:
        model: MotionModel = nnx.merge(definition, state)
        assert model.discriminator is not None, "every file of the original's has one"
        source_motion = model.detect(source, train=False)
        driving_motion = model.detect(driving, train=False)
        generated = model.generate(source, source_motion, driving_motion, train=False)
        points = model.points(driving_motion)
        discriminated = model.discriminator(driving, points, train=False)
        pyramid = geometry.image_pyramid(driving, config.train.scales)
        return source_motion, driving_motion, generated, discriminated, pyramid

    return lambda source, driving: _by_recorded_name(config, *run(state, source, driving))


def _by_recorded_name(
    config: Config,
    source_keypoints: Keypoints,
    driving_keypoints: Keypoints,
    generated: GeneratorOutput,
    discriminated: Sequence[DiscriminatorOutput],
    pyramid: Sequence[jax.Array],
) -> Arrays:
    motion = generated.dense_motion
    found = {
        "kp_source/value": source_keypoints.value,
        "kp_driving/value": driving_keypoints.value,
        "mask": to_nchw(motion.mask),
        "sparse_deformed": np.moveaxis(np.asarray(motion.sparse_deformed), -1, 2),
        "deformation": motion.deformation,
        "deformed": to_nchw(generated.deformed),
        "prediction": to_nchw(generated.prediction),
    }
    if config.model.estimate_jacobian:
        found["kp_source/jacobian"] = source_keypoints.jacobian
        found["kp_driving/jacobian"] = driving_keypoints.jacobian
    if config.model.generator.estimate_occlusion_map:
        assert motion.occlusion_map is not None
        found["occlusion_map"] = to_nchw(motion.occlusion_map)
    for scale, level in zip(config.train.scales, pyramid, strict=True):
        found[f"pyramid/prediction_{scale:g}"] = to_nchw(level)
    for scale, output in zip(config.model.discriminator.scales, discriminated, strict=True):
        found[f"discriminator/prediction_map_{scale:g}"] = to_nchw(output.prediction_map)
        for i, feature_map in enumerate(output.feature_maps):
            found[f"discriminator/feature_maps_{scale:g}/{i}"] = to_nchw(feature_map)
    return {name: np.asarray(array) for name, array in found.items()}


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of training; the trees by `NETWORK/KEY` of the original, in its layout."""

    losses: dict[str, float]
    gradients: Arrays
    state_after: Arrays
    prediction: np.ndarray  # (b, c, h, w)
    transformed_frame: np.ndarray  # (b, c, h, w)


class Trainer:
    """Steps of training from a recording's checkpoints, in the precision that is on in JAX."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.dtype = np.dtype(jax.dtypes.canonicalize_dtype(float))
        self._optimizers = make_optimizers(recording.config, STEPS_PER_EPOCH)
        kept = {
            name: optax.chain(_keep_gradient(), optimizer)
            for name, optimizer in self._optimizers.items()
        }
        self._update = jax.jit(
            make_update(recording.config, kept), compiler_options=QUICK_COMPILATION
        )
        self._vgg = jax.tree.map(lambda array: jnp.asarray(array, self.dtype), seeded_vgg19())

    @functools.cached_property
    def initial(self) -> TrainState:
        """The state before training."""
        return self._state(self.recording.checkpoint_path, self.recording.checkpoint)

    @functools.cached_property
    def resumed(self) -> TrainState:
        """The state of the checkpoint that has optimisers."""
        path = self.recording.folder / "checkpoint_with_optimizers.pth.tar"
        return self._state(path, read_original(path))

    def _state(self, path: pathlib.Path, checkpoint: Mapping[str, Any]) -> TrainState:
        checkpoint = _in_precision(checkpoint, self.dtype)
        with naming(path):
            state = names.load_train_state(self.recording.config, checkpoint, self._optimizers)
        optimizers = {
            name: (_keep_gradient().init(state.params[name]), state.optimizers[name])
            for name in state.optimizers
        }
        return dataclasses.replace(state, optimizers=optimizers)

    def step(self, state: TrainState, recorded: str) -> tuple[TrainState, Step]:
        """The step that is recorded under a name such as `float64/step_0`."""
        run, _, number = recorded.partition("/step_")
        first = RESUMED_FROM if run.startswith("resumed") else 0
        pairs = self.recording.pairs(first + int(number), self.dtype)
        transform = self.recording.transform(recorded, self.dtype)
        source, driving = (jnp.asarray(frames) for frames in pairs)
        inputs = StepInputs(source, driving, transform)
        state, scalars, outputs = self._update(state, inputs, self._vgg)
        gradients = {name: state.optimizers[name][0] for name in NETWORKS}
        networks = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
        assert outputs.transformed is not None, "all recordings have equivariance losses"
        return state, Step(
            losses={name: float(scalars[name]) for name in scalars if name not in DIAGNOSTICS},
            gradients=by_torch_key(nnx.State(gradients), self.recording.config),
            state_after=by_torch_key(networks, self.recording.config),
            prediction=to_nchw(outputs.generated.prediction),
            transformed_frame=to_nchw(outputs.transformed),
        )


def with_networks(state: TrainState, arrays: Arrays, config: Config) -> TrainState:
    """The state with parameters and statistics replaced where `arrays` has them by torch key."""

    def replaced(branch: dict[str, nnx.State]) -> dict[str, nnx.State]:
        tree: nnx.State = nnx.State(branch)
        flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
        for path, network, key in names.variable_keys(tree, config):
            if f"{network}/{key}" in arrays:
                array = names.from_torch_layout(arrays[f"{network}/{key}"])
                flat[path] = flat[path].replace(jnp.asarray(array))
        return dict(nnx.from_flat_state(flat.items()))

    return dataclasses.replace(
        state, params=replaced(state.params), statistics=replaced(state.statistics)
    )


def _keep_gradient() -> optax.GradientTransformation:
    """Changes nothing; its state is the gradient that it saw last."""
    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params),
        lambda gradient, state, params=None: (gradient, gradient),
    )


def by_torch_key(state: nnx.State, config: Config) -> Arrays:
    """The arrays of a tree by `NETWORK/KEY` of the original, in its layout."""
    return {
        f"{network}/{key}": array
        for network, arrays in names.torch_arrays(state, config).items()
        for key, array in arrays.items()
    }
