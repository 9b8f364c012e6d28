"""Read models and states of training from checkpoints of the original."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.models.build import abstract_model, build_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.models.random_parameters import host_source
from fomm_jax.weights.finite import check_finite
from fomm_jax.weights.hub import local_path
from fomm_jax.weights.safetensors_file import is_safetensors
from fomm_jax.weights.shapes import MOST_NAMED, check_shapes
from fomm_jax.weights.torch.adam import check_adam, load_adam
from fomm_jax.weights.torch.architecture import check_architecture, read_states
from fomm_jax.weights.torch.config_fields import TorchState, TorchStates
from fomm_jax.weights.torch.names import (
    ANTIALIAS_KERNEL,
    COUNTER,
    RIGHT_SINGULAR_VECTOR,
    to_torch_layout,
    variable_keys,
)
from fomm_jax.weights.torch.networks_file import read_networks
from fomm_jax.weights.torch.originals import ORIGINALS, original_of, recognise_model
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.tensors import to_array
from fomm_jax.weights.train_state import Optimizers, TrainState, at_step, split_model

logger = logging.getLogger(__name__)


def read_original(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a checkpoint of a model's original without converting it.

    Args:
      path: a file of PyTorch's, or a safetensors file with the same networks, which may be on the
        Hugging Face Hub.

    Raises:
      InputError: the file cannot be read, or holds something else.
    """
    path = local_path(path)
    entries = set().union(*(original.entries for original in ORIGINALS.values()))
    checkpoint = read_networks(path) if is_safetensors(path) else read_torch_file(path, entries)
    names = list(map(str, checkpoint)) if isinstance(checkpoint, dict) else []
    model = recognise_model(names)
    if model is None:
        holds = f"it has {', '.join(names[:MOST_NAMED])}" if names else "it has no entries"
        nearest = max(
            ORIGINALS.values(), key=lambda original: len(set(original.required) & set(names))
        )
        expected = " and ".join(sorted(nearest.required))
        raise InputError(f"{path}: expected a checkpoint of the original, with {expected}; {holds}")
    entries = ORIGINALS[model].entries
    if others := sorted(map(str, checkpoint.keys() - entries)):
        logger.warning("%s: left out %s, which the model has no place for", path, ", ".join(others))
    return {name: entry for name, entry in checkpoint.items() if name in entries}


def read_epoch(checkpoint: Mapping[str, Any]) -> int:
    """Return the epoch of a checkpoint of the original; 0 if it has none.

    Raises:
      InputError: the epoch is no whole number from 0 on.
    """
    epoch = checkpoint.get("epoch", 0)
    # The original writes an int; others write it as a tensor or as text.
    number = epoch.item() if isinstance(epoch, np.ndarray) and epoch.size == 1 else epoch
    if re.fullmatch(r"\d{1,9}(\.0)?", str(number)):
        return int(float(number))
    raise InputError(
        f"epoch: expected a whole number from 0 on, got {' '.join(repr(epoch).split())[:60]}"
    )


def load_networks(config: Config, checkpoint: Mapping[str, Any]) -> MotionModel:
    """Make a model with the weights of a checkpoint of the original.

    Without a discriminator in the checkpoint, the model has none. Other networks that checkpoints
    may lack are new ones.

    Args:
      config: the architecture.
      checkpoint: the state dicts of the networks, as numpy arrays.

    Raises:
      InputError: the checkpoint's keys or shapes are not those of the architecture, or tensors hold
        values that are not finite; the message names them.
    """
    with_discriminator = checkpoint.get("discriminator") is not None
    return _load_networks(config, checkpoint, with_discriminator=with_discriminator)


def _load_networks(
    config: Config, checkpoint: Mapping[str, Any], *, with_discriminator: bool
) -> MotionModel:
    """Make a model with the weights of a checkpoint; networks that it lacks are new ones."""
    _check_model(config, checkpoint)
    states = read_states(original_of(config), checkpoint)
    model = abstract_model(config, with_discriminator=with_discriminator)
    expected = _torch_shapes(model, config)
    check_architecture(config, states, expected)
    _check_shapes(states, expected)
    definition, tree = nnx.split(model)
    missing = [network for network in tree if network not in states]
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    flat |= dict(nnx.to_flat_state(_new_networks(config, missing)))
    arrays = {}
    for path, network, key in variable_keys(tree, config):
        if network in missing:
            continue
        tensor = _tensor(states[network], key)
        with naming(f"{network}.{key}"):
            array = to_array(tensor, flat[path].get_value().dtype)
        arrays[f"{network}.{key}"] = array
        flat[path] = flat[path].replace(jax.device_put(array))
    check_finite(arrays)
    return nnx.merge(definition, nnx.from_flat_state(flat.items()))


def load_train_state(
    config: Config, checkpoint: Mapping[str, Any], optimizers: Optimizers
) -> TrainState:
    """Make a state of training from a checkpoint of the original.

    The step is the number of steps that Adam has counted. An optimiser is fresh if the checkpoint
    lacks it or if it has never stepped. Networks that the checkpoint may lack are new ones.

    Raises:
      InputError: the networks do not fit, as in `load_networks`, or an optimiser's state does not
        fit its network.
    """
    model = _load_networks(config, checkpoint, with_discriminator=True)
    params, statistics = split_model(model)
    states = {name: optimizers[name].init(params[name]) for name in optimizers}
    steps = 0
    for name, networks in original_of(config).optimizers.items():
        adam = checkpoint.get(name)
        if adam is None or any(checkpoint.get(network) is None for network in networks):
            continue
        if not states.keys() >= set(networks):  # another stage trains them
            continue
        with naming(name):
            check_adam(adam)
            if not adam["state"]:
                continue
            trained: nnx.State = nnx.State({network: params[network] for network in networks})
            count, mu, nu = load_adam(adam, trained, config)
        # As an array of numpy, the count becomes an array of JAX for each network, which they need
        # because training donates them.
        for network in networks:
            states[network] = optax.tree_utils.tree_set(
                states[network],
                count=np.asarray(count, np.int32),
                mu=mu[network],
                nu=nu[network],
            )
        steps = max(steps, count)
    states = {name: at_step(optimizer, steps) for name, optimizer in states.items()}
    return TrainState(jnp.asarray(steps, jnp.int32), params, statistics, states)


def _check_model(config: Config, checkpoint: Mapping[str, Any]) -> None:
    """Raise InputError if a checkpoint is of another model than the configuration's."""
    present = [name for name, entry in checkpoint.items() if entry is not None]
    model = recognise_model(present)
    if model not in (None, config.model.name):
        raise InputError(
            f"config.model.name is {config.model.name!r}, where the checkpoint fits {model!r}"
        )


def _new_networks(config: Config, networks: list[str]) -> nnx.State:
    """Draw random networks; a tree with their names at its root."""
    if not networks:
        return nnx.State({})
    state = nnx.state(build_model(config, rngs=host_source(0)))
    return nnx.State({network: state[network] for network in networks})


def _torch_shapes(model: MotionModel, config: Config) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the shapes of a model's tensors in torch's layout, by network and key."""
    tree = nnx.state(model)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    shapes = {}
    for path, network, key in variable_keys(tree, config):
        stand_in = np.broadcast_to(np.int8(0), flat[path].get_value().shape)
        shapes[network, key] = to_torch_layout(stand_in).shape
    return shapes


def _check_shapes(states: TorchStates, expected: Mapping[tuple[str, str], tuple[int, ...]]) -> None:
    """Raise InputError if the checkpoint's tensors are not those that the config asks for.

    Args:
      states: the state dicts of the checkpoint.
      expected: by network and key, the shapes of the tensors in torch's layout.
    """
    shapes = {
        f"{network}.{key}": _tensor(state, key).shape
        for network, state in states.items()
        for key in state
        if not ANTIALIAS_KERNEL.search(key)
    }
    required = {
        f"{network}.{key}": shape
        for (network, key), shape in expected.items()
        if network in states
        and (
            key in states[network] or not (COUNTER.search(key) or RIGHT_SINGULAR_VECTOR.search(key))
        )
    }
    check_shapes(shapes, required)


def _tensor(state: TorchState, key: str) -> np.ndarray:
    """Return the tensor of a key, or compute it where files of older versions lack it."""
    if key in state:
        # Before 0.4, torch had no scalars; it still reads an array of one number as a scalar.
        return state[key][0] if COUNTER.search(key) and state[key].ndim == 1 else state[key]
    if COUNTER.search(key):
        return np.zeros((), np.int64)
    # The right singular vector follows from the left one by half a step of power iteration.
    stem = key.removesuffix("_v")
    kernel = state[f"{stem}_orig"]
    kernel = kernel.astype(np.result_type(kernel.dtype, np.float32))  # from half precision
    vector = state[f"{stem}_u"] @ kernel.reshape(len(kernel), -1)
    return vector / np.linalg.norm(vector)
