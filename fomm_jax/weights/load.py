"""Load trained models: from checkpoints, from weight files and from files of the original."""

import contextlib
import importlib.resources
import logging
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import is_file
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights import npz
from fomm_jax.weights.find_checkpoint import check_is_state, find_checkpoint
from fomm_jax.weights.finite import check_finite_tree
from fomm_jax.weights.hub import local_path
from fomm_jax.weights.safetensors_file import is_safetensors
from fomm_jax.weights.torch import networks_file
from fomm_jax.weights.torch.from_original import load_networks, load_train_state, read_original
from fomm_jax.weights.train_state import (
    Optimizers,
    TrainState,
    begin_averages,
    place_like,
    state_parts,
)

logger = logging.getLogger(__name__)


def load_pretrained(path: str | os.PathLike[str], config: Config) -> MotionModel:
    """Load a trained model; from a weight file it has no discriminator.

    Args:
      path: a file of the original (`.pth.tar`), a file of weights alone (`.safetensors`, `.npz`),
        a checkpoint of ours, a folder whose newest checkpoint is loaded, or the address of a model
        on the Hugging Face Hub, which is fetched.
      config: the architecture.

    Raises:
      InputError: there is no such file or checkpoint, it cannot be read, it is of another
        architecture, or it holds weights that are not finite.
    """
    path = local_path(path)
    if npz.is_weights_file(path):
        return npz.load_weights(path, config)
    if is_safetensors(path) or is_file(path):
        original = read_original(path)
        with naming(path):
            model = load_networks(config, original)
        if absent := [name for name in nnx.state(model) if original.get(str(name)) is None]:
            names = ", ".join(map(str, absent))
            logger.warning("%s: has no %s; new, untrained ones take their place", path, names)
        return model
    from fomm_jax.weights import restore  # it loads Orbax, which takes long

    checkpoint = find_checkpoint(path)
    model = restore.restore_networks(checkpoint, abstract_model(config))
    with naming(checkpoint):
        check_finite_tree(nnx.state(model))
    return model


def load_config(path: str | os.PathLike[str]) -> Config:
    """Load the configuration that a checkpoint or a weight file of ours carries.

    Args:
      path: as in `load_pretrained`.

    Raises:
      InputError: there is no checkpoint, or it carries no configuration.
    """
    path = local_path(path)
    config = None
    if npz.is_weights_file(path):
        config = npz.read_config(path)
    elif is_safetensors(path):
        config = networks_file.read_config(path)
    elif not is_file(path):
        from fomm_jax.weights import restore  # it loads Orbax, which takes long

        config = restore.restore_config(find_checkpoint(path))
    if config is None:
        raise InputError(
            f"{path}: carries no configuration; expected the model's configuration too"
        )
    return config


def load_state(
    path: str | os.PathLike[str],
    config: Config,
    optimizers: Optimizers,
    abstract: TrainState,
    data: Any,
) -> TrainState:
    """Load the state of training from a checkpoint, onto the devices of `abstract`.

    Args:
      path: as in `load_pretrained`, but no weight file.
      config: the architecture.
      optimizers: the optimisers of the run.
      abstract: shapes, dtypes and shardings of the state.
      data: the loader, which is moved to its position in the checkpoint. A checkpoint of the
        original has none, and the loader is moved to the batch of the step.

    Raises:
      InputError: as in `load_pretrained`, or `path` is a weight file.
    """
    check_is_state(path)
    if not is_file(path):
        from fomm_jax.weights import restore  # it loads Orbax, which takes long

        checkpoint = find_checkpoint(path)
        state = restore.restore_state(checkpoint, abstract, data)
        with naming(checkpoint):
            check_finite_tree(state_parts(state))
        return state
    original = read_original(path)
    with naming(path):
        state = load_train_state(config, original, optimizers)
    if abstract.averages is not None:
        state = begin_averages(state)
    data.set_state({"next_batch": int(state.step)})
    return place_like(state, abstract)


@contextlib.contextmanager
def demo_weights() -> Iterator[pathlib.Path]:
    """Yield the path of the weights of the demo model, which come with the package.

    Raises:
      InputError: this installation lacks them.
    """
    weights = importlib.resources.files("fomm_jax") / "demo_model" / "weights.npz"
    if not weights.is_file():
        raise InputError(f"{weights}: the demo model is missing; expected it in the package")
    with importlib.resources.as_file(weights) as path:
        yield path
