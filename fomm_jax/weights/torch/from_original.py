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

from fomm_jax.config.fields import LARGEST_INT
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.models.build import abstract_model
from fomm_jax.models.discriminator import MultiScaleDiscriminator
from fomm_jax.models.layers import Numerics
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights.finite import check_finite
from fomm_jax.weights.shapes import MOST_NAMED, check_shapes
from fomm_jax.weights.torch.architecture import (
    TorchState,
    TorchStates,
    check_architecture,
    read_states,
)
from fomm_jax.weights.torch.names import (
    ANTIALIAS_KERNEL,
    COUNTER,
    NETWORKS,
    OPTIMIZER_KEYS,
    RIGHT_SINGULAR_VECTOR,
    from_torch_layout,
    to_torch_layout,
    variable_keys,
)
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.train_state import Optimizers, TrainState, split_model

logger = logging.getLogger(__name__)

ENTRIES = {*NETWORKS, *OPTIMIZER_KEYS.values(), "epoch"}  # of the original's checkpoints


def read_original(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a checkpoint of the original without converting it.

    Raises:
      InputError: the file cannot be read, or holds something else.
    """
    checkpoint = read_torch_file(path, ENTRIES)
    if not isinstance(checkpoint, dict) or not {"generator", "kp_detector"} <= checkpoint.keys():
        names = list(map(str, checkpoint)) if isinstance(checkpoint, dict) else []
        holds = f"it has {', '.join(names[:MOST_NAMED])}" if names else "it has no entries"
        raise InputError(
            f"{path}: expected a checkpoint of the original, with generator and kp_detector;"
            f" {holds}"
        )
    if others := sorted(map(str, checkpoint.keys() - ENTRIES)):
        logger.warning("%s: left out %s, which the model has no place for", path, ", ".join(others))
    return {name: entry for name, entry in checkpoint.items() if name in ENTRIES}


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

    Args:
      config: the architecture.
      checkpoint: the state dicts of `kp_detector`, `generator` and `discriminator` as numpy arrays.
        Without the last one the model has no discriminator.

    Raises:
      InputError: the checkpoint's keys or shapes are not those of the architecture, or tensors hold
        values that are not finite; the message names them.
    """
    states = read_states(checkpoint)
    model = abstract_model(config, with_discriminator="discriminator" in states)
    expected = _torch_shapes(model, config)
    check_architecture(config, states, expected)
    _check_shapes(states, expected)
    definition, tree = nnx.split(model)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    arrays = {}
    for path, network, key in variable_keys(tree, config):
        tensor = _tensor(states[network], key)
        # Floats keep the checkpoint's precision; counters get our type.
        dtype = flat[path].get_value().dtype if tensor.dtype.kind == "i" else tensor.dtype
        arrays[f"{network}.{key}"] = array = _to_numpy(tensor, dtype)
        flat[path] = flat[path].replace(jax.device_put(array))
    check_finite(arrays)
    return nnx.merge(definition, nnx.from_flat_state(flat.items()))


def load_train_state(
    config: Config, checkpoint: Mapping[str, Any], optimizers: Optimizers
) -> TrainState:
    """Make a state of training from a checkpoint of the original.

    The step is the number of steps that Adam has counted. An optimiser is fresh if the checkpoint
    lacks it or if it has never stepped. The discriminator is random if the checkpoint lacks it.

    Raises:
      InputError: the networks do not fit, as in `load_networks`, or an optimiser's state does not
        fit its network.
    """
    model = load_networks(config, checkpoint)
    if model.discriminator is None:
        model.discriminator = MultiScaleDiscriminator(config.model, Numerics(), rngs=nnx.Rngs(0))
    params, statistics = split_model(model)
    states = {name: optimizers[name].init(params[name]) for name in optimizers}
    steps = 0
    for network, name in OPTIMIZER_KEYS.items():
        adam = checkpoint.get(name)
        if adam is None or checkpoint.get(network) is None:
            continue
        with naming(name):
            _check_adam(adam)
            if not adam["state"]:
                continue
            count, mu, nu = _load_adam(adam, nnx.State({network: params[network]}), config)
        # Adam and the schedule both have a count. As an array of numpy it becomes an array of JAX
        # for each of them, which they need because training donates them.
        states[network] = optax.tree_utils.tree_set(
            states[network], count=np.asarray(count, np.int32), mu=mu, nu=nu
        )
        steps = max(steps, count)
    return TrainState(jnp.asarray(steps, jnp.int32), params, statistics, states)


def _load_adam(
    adam: Mapping[str, Any], params: nnx.State, config: Config
) -> tuple[int, nnx.State, nnx.State]:
    """Convert the state of torch's Adam for one network.

    Args:
      adam: the state dict of the optimiser.
      params: the parameters of the network in a tree with the network's name at its root.
      config: the architecture.

    Returns:
      The number of steps, and the first and second moments as trees like the network's parameters.

    Raises:
      InputError: the moments are not those of the parameters, or not finite; or the number of steps
        does not fit into 32 bits.
    """
    numbers = [number for group in adam["param_groups"] for number in group["params"]]
    flat = dict(nnx.to_flat_state(params))
    keys = list(variable_keys(params, config))
    if len(numbers) != len(keys) or not set(numbers) <= adam["state"].keys():
        raise InputError(
            f"the checkpoint has the moments of {len(adam['state'])} parameters, the config asks"
            f" for {len(keys)}"
        )
    moments: dict[str, dict[Any, Any]] = {"exp_avg": {}, "exp_avg_sq": {}}
    for number, (path, _, key) in zip(numbers, keys, strict=True):
        for name, variables in moments.items():
            moment = adam["state"][number][name]
            array = _to_numpy(moment, moment.dtype)
            shape = flat[path].get_value().shape
            if array.shape != shape:
                raise InputError(
                    f"{name} of {key} has shape {array.shape}, the config asks for {shape}"
                )
            check_finite({f"{name} of {key}": array})
            variables[path[1:]] = flat[path].replace(jax.device_put(array))
    steps = {int(entry["step"]) for entry in adam["state"].values()}
    if len(steps) != 1:
        raise InputError("its parameters have taken unequal numbers of steps")
    count = steps.pop()
    if not 0 <= count <= LARGEST_INT:
        raise InputError(f"has counted {count} steps; expected 0 to {LARGEST_INT}")
    mu, nu = (nnx.from_flat_state(variables.items()) for variables in moments.values())
    return count, mu, nu


def _torch_shapes(model: MotionModel, config: Config) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the shapes of a model's tensors in torch's layout, by network and key."""
    tree = nnx.state(model)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    shapes = {}
    for path, network, key in variable_keys(tree, config):
        stand_in = np.broadcast_to(np.int8(0), flat[path].get_value().shape)
        shapes[network, key] = to_torch_layout(stand_in).shape
    return shapes


def _check_adam(adam: Any) -> None:
    """Raise InputError if an entry is not the state dict of torch's Adam."""
    try:
        for group in adam["param_groups"]:
            set(group["params"])
        for moments in adam["state"].values():
            moments["exp_avg"].dtype, moments["exp_avg_sq"].dtype, int(moments["step"])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError("expected the state of torch's Adam") from error


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


def _to_numpy(tensor: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a tensor in our layout and a type that JAX has: float32 for float64, unless x64 is on.

    A value that is too large for the type becomes infinite.
    """
    with np.errstate(over="ignore"):
        array = from_torch_layout(tensor)
        # JAX brings the axes into their order, which NumPy takes longer for.
        return array.astype(jax.dtypes.canonicalize_dtype(dtype), copy=False)


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
    vector = state[f"{stem}_u"] @ kernel.reshape(len(kernel), -1)
    return vector / np.linalg.norm(vector)
