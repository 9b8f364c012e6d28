"""Make checkpoints for the original from training states of this project."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.build import model_class
from fomm_jax.ops import geometry
from fomm_jax.weights.torch.names import torch_arrays
from fomm_jax.weights.torch.originals import original_of
from fomm_jax.weights.train_state import ADAM_BETAS, ADAM_EPSILON, MILESTONE_FACTOR, TrainState


def to_checkpoint(config: Config, state: TrainState, epoch: int) -> dict[str, Any]:
    """Make a checkpoint that the original's `load_state_dict` takes, as trees of numpy arrays.

    Args:
      config: the architecture and the learning rates.
      state: the state of training.
      epoch: the epoch that the original continues with.
    """
    variables = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
    checkpoint: dict[str, Any] = to_state_dicts(config, variables)
    for name, networks in original_of(config).optimizers.items():
        if set(networks) <= state.optimizers.keys():
            checkpoint[name] = _adam_state_dict(config, state, networks, epoch)
    return checkpoint | {"epoch": epoch}


def to_state_dicts(config: Config, variables: nnx.State) -> dict[str, dict[str, np.ndarray]]:
    """Make a state dict of each network, with the constants that the original stores.

    Args:
      config: the architecture.
      variables: parameters and statistics, with the names of the networks at the root.
    """
    arrays = torch_arrays(variables, config)
    original = original_of(config)
    for (network, key), scale in original.antialias_scales(config).items():
        if scale != 1:
            kernel = geometry.antialias_kernel(scale, config.compat.antialias_sigma)[None, None]
            arrays[network][key] = np.repeat(kernel, config.model.num_channels, axis=0)
    return {
        network: dict(sorted(tensors.items(), key=lambda item: original.position(item[0], config)))
        for network, tensors in arrays.items()
    }


def _adam_state_dict(
    config: Config, state: TrainState, networks: tuple[str, ...], epoch: int
) -> dict[str, Any]:
    """Make the state dict of torch's Adam; like torch's, its `state` is empty before step 1."""
    optimizers = {network: state.optimizers[network] for network in networks}
    # Adam's count comes first, before that of the schedule, and is the same for all networks.
    count = int(optax.tree_utils.tree_get_all_with_path(optimizers[networks[0]], "count")[0][1])
    mu, nu = (_moments(config, optimizers, name) for name in ("mu", "nu"))
    group = model_class(config).parameter_groups(config)[networks[0]]
    initial_rate = group.learning_rate
    milestones_passed = sum(milestone <= epoch for milestone in config.train.epoch_milestones)
    description = {
        "lr": initial_rate * MILESTONE_FACTOR**milestones_passed,
        "betas": ADAM_BETAS,
        "eps": ADAM_EPSILON,
        "weight_decay": group.weight_decay,
        "amsgrad": False,
        "initial_lr": initial_rate,
        "params": list(range(len(mu))),
    }
    moments = {
        number: {"step": np.asarray(count, np.float32), "exp_avg": first, "exp_avg_sq": second}
        for number, (first, second) in enumerate(zip(mu, nu, strict=True))
    }
    return {"state": moments if count else {}, "param_groups": [description]}


def _moments(
    config: Config, optimizers: Mapping[str, optax.OptState], name: str
) -> list[np.ndarray]:
    """Return the moments, `mu` or `nu`, of the parameters of several networks in torch's order."""
    trees = {
        network: optax.tree_utils.tree_get(optimizer, name)
        for network, optimizer in optimizers.items()
    }
    arrays = torch_arrays(nnx.State(trees), config)
    return [array for network in optimizers for array in arrays[network].values()]
