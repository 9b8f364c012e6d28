"""Recordings of the original implementation: what it was given, and what it computed.

A recording is a folder with a `config.yaml` and a `checkpoint.pth.tar` in the original's formats,
and `arrays.npz`. In place of the checkpoint it may have a `manifest.json`, from which the weights
are drawn. The arrays have PyTorch's order of axes; their names begin with

* `inputs/`: the pairs of pictures;
* `eval/`: the outputs of the networks in evaluation mode;
* `float32/step_0/`: the first training step in float32;
* `float64/step_i/`: consecutive training steps in float64;
* `resumed_float64/step_i/`: steps that continue from `checkpoint_with_optimizers.pth.tar`;
* `relative_R_adapt_scale_A/`: a clip animated in one mode of transfer, with pictures (t, h, w, c).
"""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from fomm_jax.buckets import AnyPath
from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.config.original_yaml import read_original_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import read_npz
from fomm_jax.models.motion_model import MotionModel, Perturbation
from fomm_jax.ops.thin_plate import ThinPlateTransform
from fomm_jax.parity.seeded_weights import (
    MANIFEST,
    draw_checkpoint,
    draw_resumed_checkpoint,
    read_manifest,
)
from fomm_jax.weights.torch.from_original import load_networks, read_original

BATCH = 2  # pairs in each step of all recordings; step i has the pairs 2i and 2i + 1
VGG19_SEED = 1234  # seed of the perceptual network's weights in all recordings

NUM_SAMPLES = 64  # of an array that is recorded by its norm and samples
Arrays = dict[str, np.ndarray]
DType = type | np.dtype


@dataclasses.dataclass(frozen=True)
class Recording:
    """The recording of a first-order model.

    Args:
      folder: the folder of the recording.
      checkpoint_file: the original's checkpoint, if it is not in the folder.

    Raises:
      InputError: on use, if a file is missing or cannot be read.
    """

    # The resumed run begins with the pairs of this step.
    RESUMED_FROM: ClassVar[int] = 8

    folder: pathlib.Path
    checkpoint_file: "AnyPath | None" = None

    @functools.cached_property
    def config(self) -> Config:
        """The configuration of the model."""
        return from_config_dict(read_original_yaml(str(self.folder / "config.yaml")))

    @property
    def has_checkpoint(self) -> bool:
        """Whether the folder has the weights as a file."""
        return (self.folder / "checkpoint.pth.tar").is_file()

    @property
    def has_manifest(self) -> bool:
        """Whether the folder has a manifest, from which weights can be drawn."""
        return (self.folder / MANIFEST).is_file()

    @functools.cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The contents of the manifest."""
        return read_manifest(self.folder / MANIFEST)

    @property
    def checkpoint_path(self) -> AnyPath:
        """The path of the original's checkpoint, or of the manifest in place of one."""
        if self.checkpoint_file:
            return self.checkpoint_file
        draws = self.has_manifest and not self.has_checkpoint
        return self.folder / (MANIFEST if draws else "checkpoint.pth.tar")

    @functools.cached_property
    def checkpoint(self) -> Mapping[str, Any]:
        """The networks before training."""
        path = self.checkpoint_path
        return draw_checkpoint(self.manifest) if path.name == MANIFEST else read_original(path)

    @functools.cached_property
    def arrays(self) -> Arrays:
        """All recorded arrays, by name."""
        return read_npz(self.folder / "arrays.npz")

    def array(self, name: str) -> np.ndarray:
        """Return one array.

        Raises:
          InputError: the array was not recorded.
        """
        if name not in self.arrays:
            raise InputError(f"{self.folder / 'arrays.npz'}: has no array {name}")
        return self.arrays[name]

    def below(self, prefix: str) -> Arrays:
        """Return the arrays whose names begin with `prefix`, by the rest of the name."""
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def model(self, dtype: DType) -> MotionModel:
        """Load the model before training, with its floats in a precision."""
        with naming(self.checkpoint_path):
            return load_networks(self.config, cast_floats(self.checkpoint, dtype))

    def pairs(self, step: int, dtype: DType) -> tuple[np.ndarray, np.ndarray]:
        """Return the source and driving frames (2, h, w, c) of a step, in [0, 1]."""
        rows = slice(BATCH * step, BATCH * (step + 1))
        source, driving = (
            as_floats(to_nhwc(self.array(f"inputs/{name}")[rows]), dtype)
            for name in ("source", "driving")
        )
        return source, driving

    def pairs_of(self, step_name: str, dtype: DType) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of a step by its name, such as `float64/step_0`."""
        run, _, number = step_name.partition("/step_")
        first = self.RESUMED_FROM if run.startswith("resumed") else 0
        return self.pairs(first + int(number), dtype)

    def resumed_checkpoint(self) -> Mapping[str, Any]:
        """Return the checkpoint that has optimisers."""
        if self.has_manifest:
            return draw_resumed_checkpoint(self.manifest)
        return read_original(self.folder / "checkpoint_with_optimizers.pth.tar")

    def epoch(self, run: str) -> int:
        """Return the epoch of a run, such as `float64`."""
        return int(self.arrays.get(f"{run}/epoch", 0))

    def perturbation(self, step_name: str, dtype: DType) -> Perturbation:
        """Return what a step, such as `float64/step_0`, drew at random."""
        theta = self.array(f"{step_name}/transform/theta")
        control_params = self.array(f"{step_name}/transform/control_params")[:, 0]
        return ThinPlateTransform(
            theta=jnp.asarray(theta, dtype), control_params=jnp.asarray(control_params, dtype)
        )


def recorded_form(name: str, arrays: Arrays) -> np.ndarray:
    """Return an array as it is recorded by its name: whole, its norm, or samples of it.

    Args:
      name: the recorded name; `KEY/norm` and `KEY/samples` stand for a large array KEY.
      arrays: whole arrays.
    """
    key, _, form = name.rpartition("/")
    if key in arrays and form == "norm":
        return np.asarray(np.linalg.norm(np.asarray(arrays[key], np.float64)))
    if key in arrays and form == "samples":
        flat = arrays[key].reshape(-1)
        return flat[np.linspace(0, flat.size - 1, NUM_SAMPLES).astype(int)]
    return arrays[name]


def find_recordings(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the recordings in a folder: the folder itself, or the recordings directly below it.

    Raises:
      InputError: there is none.
    """
    candidates = [folder, *(sorted(folder.iterdir()) if folder.is_dir() else ())]
    paths = [path for path in candidates if (path / "arrays.npz").is_file()]
    if not paths:
        raise InputError(
            f"{folder}: expected a recording (with arrays.npz and config.yaml), a folder of"
            " recordings, or a clone of the original"
        )
    return paths


def to_nhwc(pictures: np.ndarray) -> np.ndarray:
    """Convert (b, c, h, w), the order of the recordings, to (b, h, w, c)."""
    return np.moveaxis(pictures, 1, -1)


def to_nchw(pictures: ArrayLike) -> np.ndarray:
    """Convert (b, h, w, c) to (b, c, h, w), the order of the recordings."""
    return np.moveaxis(np.asarray(pictures), -1, 1)


def as_floats(pictures: np.ndarray, dtype: DType) -> np.ndarray:
    """Convert uint8 to floats in [0, 1]; only cast pictures that are floats already.

    The division is in float32 for every `dtype`, because the original reads its frames as float32
    and casts them afterwards. `animation.pixels.to_float` divides in the precision that is on.
    """
    if pictures.dtype == np.uint8:
        pictures = pictures.astype(np.float32) / np.float32(255)
    return pictures.astype(dtype)


def cast_floats(tree: Any, dtype: DType) -> Any:
    """Cast the floating-point arrays of a checkpoint to a precision; leave the rest alone."""
    if isinstance(tree, Mapping):
        return {key: cast_floats(value, dtype) for key, value in tree.items()}
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        return tree.astype(dtype)
    return tree


@functools.cache
def seeded_vgg19() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Draw the random VGG19 that all recordings have as their perceptual network.

    Kernels (height, width, in, out) are He-normal, drawn in PyTorch's layout; biases have a
    standard deviation of 0.1. Each layer draws its kernel and then its bias.
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
