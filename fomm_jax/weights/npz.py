"""Networks in one file: what an animation needs of a model, and nothing of its training.

The file is an .npz: the arrays of keypoint detector and generator under their dotted names in
`Networks`, float32, and `config`, the configuration as JSON. Orbax is not needed to read it.
"""

import os

import jax.numpy as jnp
import numpy as np
from flax import nnx

from fomm_jax.config.parsing import from_json, to_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import read_npz, replacing
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.shapes import check_shapes

SUFFIX = ".npz"


def save_weights(path: str | os.PathLike[str], model: MotionModel, config: Config) -> None:
    """Write trained networks with their configuration.

    Args:
      path: ends in .npz; the file appears only when it is whole.
      networks: trained; their running statistics are kept, their discriminator is not.
      config: theirs.

    Raises:
      InputError: nothing can be written there, or the name ends otherwise.
    """
    if not is_weights_file(path):
        raise InputError(f"{path}: expected a name that ends in {SUFFIX}, by which it is known")
    arrays = {"config": np.asarray(to_json(config))} | {
        ".".join(map(str, key)): np.asarray(variable.get_value(), np.float32)
        for key, variable in nnx.to_flat_state(nnx.state(model))
        if key[0] != "discriminator"
    }
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def is_weights_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path is one of such a file, going by its name."""
    return os.fspath(path).endswith(SUFFIX)


def load_config(path: str | os.PathLike[str]) -> Config:
    """The configuration of the networks in a file.

    Raises:
      InputError: the file cannot be read, or this version knows no such configuration.
    """
    found = read_npz(path, lambda name: name == "config")
    if not found:
        raise InputError(f"{path}: has no config; expected a file that Animator.save wrote")
    with naming(path):
        return from_json(str(found["config"]))


def load_weights(path: str | os.PathLike[str], config: Config) -> MotionModel:
    """Load the model in a file, without a discriminator.

    Raises:
      InputError: the file cannot be read, or is of another architecture.
    """
    arrays = read_npz(path, lambda name: name != "config")
    definition, tree = nnx.split(abstract_model(config, with_discriminator=False))
    variables = dict(nnx.to_flat_state(tree))
    names = {key: ".".join(map(str, key)) for key in variables}
    with naming(path):
        check_shapes(
            {name: array.shape for name, array in arrays.items()},
            {names[key]: variable.get_value().shape for key, variable in variables.items()},
        )
    for key, variable in variables.items():
        variables[key] = variable.replace(jnp.asarray(arrays[names[key]]))
    return nnx.merge(definition, nnx.from_flat_state(variables.items()))
