"""Read the states of torch's Adam, which are in checkpoints of the originals."""

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx

from fomm_jax.config.fields import LARGEST_INT
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.weights.finite import check_finite
from fomm_jax.weights.torch.names import variable_keys
from fomm_jax.weights.torch.tensors import to_array


def check_adam(adam: Any) -> None:
    """Raise InputError if an entry is not the state dict of torch's Adam."""
    try:
        for group in adam["param_groups"]:
            set(group["params"])
        for moments in adam["state"].values():
            moments["exp_avg"].dtype, moments["exp_avg_sq"].dtype, int(moments["step"])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError("expected the state of torch's Adam") from error


def load_adam(
    adam: Mapping[str, Any], params: nnx.State, config: Config
) -> tuple[int, nnx.State, nnx.State]:
    """Convert the state of a torch's Adam.

    Args:
      adam: the state dict of the optimiser.
      params: the parameters of its networks in a tree with the networks' names at its root.
      config: the architecture.

    Returns:
      The number of steps, and the first and second moments as trees like the parameters.

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
            variable = flat[path].get_value()
            with naming(f"{name} of {key}"):
                array = to_array(moment, variable.dtype)
            shape = variable.shape
            if array.shape != shape:
                raise InputError(
                    f"{name} of {key} has shape {array.shape}, the config asks for {shape}"
                )
            check_finite({f"{name} of {key}": array})
            variables[path] = flat[path].replace(jax.device_put(array))
    steps = {int(entry["step"]) for entry in adam["state"].values()}
    if len(steps) != 1:
        raise InputError("its parameters have taken unequal numbers of steps")
    count = steps.pop()
    if not 0 <= count <= LARGEST_INT:
        raise InputError(f"has counted {count} steps; expected 0 to {LARGEST_INT}")
    mu, nu = (nnx.from_flat_state(variables.items()) for variables in moments.values())
    return count, mu, nu
