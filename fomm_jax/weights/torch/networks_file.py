"""Networks in a safetensors file, under the names and in the layout of PyTorch's state dicts.

The name of a tensor is that of its network, a dot, and its key in the original's state dict, such
as `generator.final.weight`: PyTorch reads the file as well. Files that others have made of an
original's checkpoint have the same names. The metadata of ours hold the configuration as JSON;
without it, a file `config.json` in the same folder may.
"""

import os
from collections.abc import Mapping

import numpy as np
from flax import nnx

from fomm_jax.buckets import to_path
from fomm_jax.config.parsing import from_json, to_json
from fomm_jax.config.schema import Config
from fomm_jax.errors import naming
from fomm_jax.files import is_file, reading
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.safetensors_file import read_safetensors, read_texts, write_safetensors
from fomm_jax.weights.torch.to_original import to_state_dicts

CONFIG = "config"  # the name of the configuration in the metadata
BESIDE = "config.json"  # the name of a file with the configuration


def save_networks(path: str | os.PathLike[str], model: MotionModel, config: Config) -> None:
    """Write all networks that a model has, and its configuration.

    Args:
      path: the file to write; it appears only when it is whole.
      model: the trained model.
      config: the configuration of the model.

    Raises:
      InputError: the file cannot be written.
    """
    arrays = {
        f"{network}.{key}": tensor
        for network, state in to_state_dicts(config, nnx.state(model)).items()
        for key, tensor in state.items()
    }
    write_safetensors(path, arrays, {CONFIG: to_json(config)})


def read_networks(path: str | os.PathLike[str]) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Read a state dict for each network that a safetensors file holds.

    Raises:
      InputError: the file cannot be read.
    """
    networks: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in read_safetensors(path).items():
        network, _, key = name.partition(".")
        networks.setdefault(network, {})[key] = tensor
    return networks


def read_config(path: str | os.PathLike[str]) -> Config | None:
    """Read the configuration in a safetensors file, or in `config.json` beside it; None without.

    Raises:
      InputError: a file cannot be read, or this version does not know a field.
    """
    text = read_texts(path).get(CONFIG)
    beside = to_path(path).with_name(BESIDE)
    if text is None and is_file(beside):
        path = beside
        with reading(beside):
            text = beside.read_text("utf-8")
    with naming(path):
        return None if text is None else from_json(text)
