"""Save trained models to files of weights alone."""

import os

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights import npz
from fomm_jax.weights.safetensors_file import SUFFIX, is_safetensors
from fomm_jax.weights.torch.networks_file import save_networks


def save_weights(path: str | os.PathLike[str], model: MotionModel, config: Config) -> None:
    """Write a trained model with its configuration.

    Args:
      path: the file to write, whose name ends in .safetensors or .npz. It appears only when it is
        whole.
      model: the trained model.
      config: the configuration of the model.

    Raises:
      InputError: the file cannot be written, or its name has another ending.
    """
    if is_safetensors(path):
        save_networks(path, model, config)
    elif npz.is_weights_file(path):
        npz.save_weights(path, model, config)
    else:
        raise InputError(f"{path}: expected a name that ends in {SUFFIX} or {npz.SUFFIX}")
