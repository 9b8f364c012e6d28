"""Write and read weight files, which hold a model for animation without the state of its training.

A weight file is an .npz. It has the arrays of all networks but the discriminator as float32, under
their dotted names in the motion model, and `config`, the configuration as JSON. Reading it does not
need Orbax.
"""

import os

import jax
import numpy as np
from flax import nnx

from fomm_jax.config.parsing import from_json, to_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import read_npz, replacing
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.finite import check_finite
from fomm_jax.weights.other_files import NPZ_FILE, check_is_no_other_file
from fomm_jax.weights.shapes import check_shapes

SUFFIX = ".npz"


def save_weights(path: str | os.PathLike[str], model: MotionModel, config: Config) -> None:
    """Write a trained model with its configuration.

    Args:
      path: the file to write. It appears only when it is whole.
      model: the trained model. Its running statistics are written, its discriminator is not.
      config: the configuration of the model.

    Raises:
      InputError: the file cannot be written.
    """
    arrays = {"config": np.asarray(to_json(config))} | {
        ".".join(map(str, key)): np.asarray(variable.get_value(), np.float32)
        for key, variable in nnx.to_flat_state(nnx.state(model))
        if key[0] != "discriminator"
    }
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def is_weights_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the name of a weight file."""
    return os.fspath(path).endswith(SUFFIX)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read the configuration in a weight file.

    Raises:
      InputError: the file cannot be read, or this version does not know a field of it.
    """
    check_is_no_other_file(path, NPZ_FILE)
    arrays = read_npz(path, lambda name: name == "config")
    if not arrays:
        raise InputError(f"{path}: has no config; expected a file that Animator.save wrote")
    with naming(path):
        return from_json(str(arrays["config"]))


def load_weights(path: str | os.PathLike[str], config: Config) -> MotionModel:
    """Load the model in a weight file; it has no discriminator.

    Raises:
      InputError: the file cannot be read, is of another architecture, or holds weights that are no
        real numbers or not finite in float32.
    """
    check_is_no_other_file(path, NPZ_FILE)
    arrays = read_npz(path, lambda name: name != "config")
    definition, tree = nnx.split(abstract_model(config, with_discriminator=False))
    variables = dict(nnx.to_flat_state(tree))
    names = {key: ".".join(map(str, key)) for key in variables}
    with naming(path):
        check_shapes(
            {name: array.shape for name, array in arrays.items()},
            {names[key]: variable.get_value().shape for key, variable in variables.items()},
        )
        arrays = {name: _to_float32(name, array) for name, array in arrays.items()}
        check_finite(arrays)
    for key, variable in variables.items():
        variables[key] = variable.replace(jax.device_put(arrays[names[key]]))
    return nnx.merge(definition, nnx.from_flat_state(variables.items()))


def _to_float32(name: str, array: np.ndarray) -> np.ndarray:
    """Convert an array of numbers, unless they are whole; a value too large becomes infinite."""
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} has the type {array.dtype}; expected real numbers")
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float32)
