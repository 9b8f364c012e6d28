"""Recordings of the original implementation, and our networks run on what they were made of.

Two sets have the same layout: `tests/data/recorded/NAME` of this repository, made by
`make_fixtures.py`, and `reference/small/NAME` of a folder `shared` beside it. A recording has a
`config.yaml` and a `checkpoint.pth.tar` of the original's, and `arrays.npz` with what it computed:
axes in PyTorch's order, `eval/…`, `float32/step_0/…` and `float64/step_i/…`.
"""

import dataclasses
import functools
import pathlib
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from configs import from_yaml
from fomm_jax import geometry, torch_weights
from fomm_jax.config import Config
from fomm_jax.config_dict import from_config_dict
from fomm_jax.equivariance import ThinPlateTransform
from fomm_jax.networks import Networks
from fomm_jax.perceptual_weights import VGG_LAYERS
from fomm_jax.torch_files import read_torch_file
from fomm_jax.train_state import Optimizers, TrainState, make_optimizers, split_networks
from fomm_jax.train_step import make_update

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "reference"
IN_REPOSITORY = pathlib.Path(__file__).parent / "data" / "recorded"
GRADIENTS = pathlib.Path(__file__).parent / "data" / "gradients"

BATCH = 2  # pairs a step in all recordings; step i has the pairs 2i and 2i + 1
NETWORKS = ("kp_detector", "generator", "discriminator")
DIRECTIONS = 8
VGG19_SEED = 1234  # of the weights of the perceptual network that the original was given
# On CPU; full optimisation takes half as long again and saves a second of running.
QUICK_COMPILATION = {"xla_backend_optimization_level": 1}

Arrays = dict[str, np.ndarray]


def to_nhwc(pictures):
    return np.moveaxis(pictures, 1, -1)


def to_nchw(pictures):
    return np.moveaxis(np.asarray(pictures), -1, 1)


@dataclasses.dataclass(frozen=True)
class Recording:
    """One recorded model."""

    folder: pathlib.Path

    @property
    def gradients_file(self) -> pathlib.Path:
        return GRADIENTS / f"{self.folder.name}.npz"

    @functools.cached_property
    def config(self) -> Config:
        return from_config_dict(from_yaml.get_config(str(self.folder / "config.yaml")))

    @functools.cached_property
    def checkpoint(self) -> dict[str, Arrays]:
        return read_torch_file(self.folder / "checkpoint.pth.tar")

    @functools.cached_property
    def arrays(self) -> Arrays:
        with np.load(self.folder / "arrays.npz") as archive:
            return dict(archive)

    @functools.cached_property
    def gradient_fingerprints(self) -> Arrays:
        """Of the original's gradients in float64, at the step that is recorded in float32."""
        with np.load(self.gradients_file) as archive:
            return dict(zip(archive["names"].tolist(), archive["fingerprints"], strict=True))

    def below(self, prefix: str) -> Arrays:
        """The arrays whose names begin with `prefix`, by the rest of the name."""
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def networks(self, dtype) -> Networks:
        state = {
            network: {
                key: array.astype(dtype) if array.dtype.kind == "f" else array
                for key, array in self.checkpoint[network].items()
            }
            for network in NETWORKS
        }
        return torch_weights.load_networks(self.config, state)

    def pairs(self, step: int, dtype) -> tuple[np.ndarray, np.ndarray]:
        """Source and driving frames (2, h, w, c) of a step, in [0, 1]."""
        chosen = slice(BATCH * step, BATCH * (step + 1))
        return tuple(
            as_floats(to_nhwc(self.arrays[f"inputs/{name}"][chosen]), dtype)
            for name in ("source", "driving")
        )

    def transform(self, prefix: str, dtype) -> ThinPlateTransform:
        return ThinPlateTransform(
            theta=jnp.asarray(self.arrays[f"{prefix}/transform/theta"], dtype),
            control_params=jnp.asarray(
                self.arrays[f"{prefix}/transform/control_params"][:, 0], dtype
            ),
        )


def recordings() -> list[Recording]:
    """All that there are, this repository's first."""
    shared = SHARED / "small"
    folders = [*IN_REPOSITORY.iterdir(), *(shared.iterdir() if shared.is_dir() else ())]
    return [Recording(folder) for folder in folders]


def fingerprints(gradients: Arrays) -> dict[str, np.ndarray]:
    """The norm of each gradient, and its products with `DIRECTIONS` fixed random vectors of ±1.

    A difference between two gradients has, in the mean over directions, products of its own norm.
    """
    values = {}
    for key, gradient in gradients.items():
        random = np.random.default_rng(zlib.crc32(key.encode()))
        directions = 2.0 * random.integers(0, 2, (DIRECTIONS, gradient.size)) - 1
        products = np.sum(directions * gradient.ravel().astype(np.float64), axis=1)
        values[key] = np.concatenate([[np.linalg.norm(gradient)], products])
    return values


def as_floats(pictures: np.ndarray, dtype) -> np.ndarray:
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
    """What the networks make of the first two pairs in evaluation mode, by the recorded names."""
    config = recording.config
    definition, state = nnx.split(recording.networks(np.float32))

    @jax.jit
    def run(state, source, driving):
        networks = nnx.merge(definition, state)
        source_keypoints = networks.kp_detector(source, train=False)
        driving_keypoints = networks.kp_detector(driving, train=False)
        generated = networks.generator(source, source_keypoints, driving_keypoints, train=False)
        judged = networks.discriminator(driving, driving_keypoints, train=False)
        pyramid = geometry.image_pyramid(driving, config.train.scales)
        return source_keypoints, driving_keypoints, generated, judged, pyramid

    source_keypoints, driving_keypoints, generated, judged, pyramid = run(
        state, *recording.pairs(0, np.float32)
    )
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
        found["occlusion_map"] = to_nchw(motion.occlusion_map)
    for scale, level in zip(config.train.scales, pyramid, strict=True):
        found[f"pyramid/prediction_{scale:g}"] = to_nchw(level)
    for scale, output in zip(config.model.discriminator.scales, judged, strict=True):
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


def initial_state(recording: Recording, optimizers: Optimizers, dtype) -> TrainState:
    """The recording's checkpoint with fresh optimisers."""
    params, statistics = split_networks(recording.networks(dtype))
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        statistics=statistics,
        optimizers={name: optimizers[name].init(params[name]) for name in optimizers},
    )


class Trainer:
    """Steps of training from the recording's checkpoint, in the precision that is on in JAX."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.dtype = np.dtype(jax.dtypes.canonicalize_dtype(float))
        optimizers = {
            name: optax.chain(_keep_gradient(), optimizer)
            for name, optimizer in make_optimizers(recording.config.train, 1000).items()
        }
        self.initial = initial_state(recording, optimizers, self.dtype)
        self._update = jax.jit(
            make_update(recording.config, optimizers), compiler_options=QUICK_COMPILATION
        )
        self._vgg = jax.tree.map(lambda array: jnp.asarray(array, self.dtype), seeded_vgg19())

    def step(self, state: TrainState, recorded: str) -> tuple[TrainState, Step]:
        """The step that is recorded under a name such as `float64/step_0`."""
        pairs = self.recording.pairs(int(recorded.rpartition("_")[2]), self.dtype)
        transform = self.recording.transform(recorded, self.dtype)
        state, scalars, outputs = self._update(state, *pairs, transform, self._vgg)
        gradients = {name: state.optimizers[name][0] for name in NETWORKS}
        networks = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
        return state, Step(
            losses={name: float(scalars[name]) for name in scalars if name != "gradient_norm"},
            gradients=by_torch_key(nnx.State(gradients), self.recording.config),
            state_after=by_torch_key(networks, self.recording.config),
            prediction=to_nchw(outputs.generated.prediction),
            transformed_frame=to_nchw(outputs.transformed),
        )


def with_networks(state: TrainState, arrays: Arrays, config: Config) -> TrainState:
    """The state with parameters and statistics replaced where `arrays` has them by torch key."""

    def replaced(branch: dict[str, nnx.State]) -> dict[str, nnx.State]:
        tree = nnx.State(branch)
        flat = dict(nnx.to_flat_state(tree))
        for path, network, key in torch_weights.variable_keys(tree, config):
            if f"{network}/{key}" in arrays:
                array = torch_weights.from_torch_layout(arrays[f"{network}/{key}"])
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
    flat = dict(nnx.to_flat_state(state))
    return {
        f"{network}/{key}": torch_weights.to_torch_layout(np.asarray(flat[path].get_value()))
        for path, network, key in torch_weights.variable_keys(state, config)
    }
