"""Make checkpoints for the original from training states of this project."""

from typing import Any

import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.ops import geometry
from fomm_jax.weights.torch.names import OPTIMIZER_KEYS, torch_arrays, torch_position
from fomm_jax.weights.train_state import ADAM_BETAS, ADAM_EPSILON, MILESTONE_FACTOR, TrainState


def to_checkpoint(config: Config, state: TrainState, epoch: int) -> dict[str, Any]:
    """Make a checkpoint that the original's `load_state_dict` takes, as trees of numpy arrays.

    Args:
      config: the architecture and the learning rates.
      state: the state of training.
      epoch: the epoch that the original continues with.
    """
    variables = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
    arrays = torch_arrays(variables, config)
    for network, prefix, scale in (
        ("kp_detector", "", config.model.kp_detector.scale_factor),
        ("generator", "dense_motion_network.", config.model.generator.dense_motion.scale_factor),
    ):
        if scale != 1:
            kernel = geometry.antialias_kernel(scale)[None, None]
            arrays[network][f"{prefix}down.weight"] = np.repeat(
                kernel, config.model.num_channels, axis=0
            )
    scales = config.model.discriminator.scales
    checkpoint: dict[str, Any] = {
        network: dict(sorted(tensors.items(), key=lambda item: torch_position(item[0], scales)))
        for network, tensors in arrays.items()
    }
    for network, name in OPTIMIZER_KEYS.items():
        checkpoint[name] = _adam_state_dict(config, state, network, epoch)
    return checkpoint | {"epoch": epoch}


def _adam_state_dict(config: Config, state: TrainState, network: str, epoch: int) -> dict[str, Any]:
    """Make the state dict of torch's Adam; like torch's, its `state` is empty before step 1."""
    optimizer = state.optimizers[network]
    # Adam and the schedule count the same steps, so the first count serves.
    count = int(optax.tree_utils.tree_get_all_with_path(optimizer, "count")[0][1])
    trees = (optax.tree_utils.tree_get(optimizer, name) for name in ("mu", "nu"))
    mu, nu = (torch_arrays(nnx.State({network: tree}), config)[network] for tree in trees)
    initial_rate = getattr(config.train, f"lr_{network}")
    milestones_passed = sum(milestone <= epoch for milestone in config.train.epoch_milestones)
    group = {
        "lr": initial_rate * MILESTONE_FACTOR**milestones_passed,
        "betas": ADAM_BETAS,
        "eps": ADAM_EPSILON,
        "weight_decay": 0,
        "amsgrad": False,
        "initial_lr": initial_rate,
        "params": list(range(len(mu))),
    }
    moments = {
        number: {"step": np.asarray(count, np.float32), "exp_avg": mu[key], "exp_avg_sq": nu[key]}
        for number, key in enumerate(mu)
    }
    return {"state": moments if count else {}, "param_groups": [group]}
