"""The fields of `config.model` that the tensors of an original checkpoint determine."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.weights.torch.config_fields import ConfigField, TorchStates
from fomm_jax.weights.torch.original import Original
from fomm_jax.weights.torch.originals import original_of


def read_states(original: Original, checkpoint: Mapping[str, Any]) -> TorchStates:
    """Return the state dicts of a checkpoint by network, without the prefix of DataParallel.

    Args:
      original: the original that wrote it.
      checkpoint: its entries.

    Raises:
      InputError: the checkpoint lacks a network that every checkpoint of the original has, or has
        something else than a state dict under its name.
    """
    states = {}
    for network in original.networks:
        state = checkpoint.get(network)
        if state is None and network not in original.required:
            continue
        if state is None:
            raise InputError(
                f"the checkpoint has no {network}; expected a checkpoint of the original"
            )
        if not isinstance(state, Mapping):
            raise InputError(f"{network}: expected a state dict, got {type(state).__name__}")
        for key, tensor in state.items():
            if not isinstance(tensor, np.ndarray):
                raise InputError(f"{network}.{key}: expected a tensor, got {tensor!r:.60}")
        states[network] = {str(key).removeprefix("module."): state[key] for key in state}
    return states


def _other_scales(field: ConfigField, configured: Any) -> str:
    """Return what to do where a filter may come before a shrinking by any scale."""
    if field.sigma is None or field.value is None or configured == 1:
        return ""
    return f" (or any, with config.compat.antialias_sigma={field.sigma})"


def check_architecture(
    config: Config,
    states: TorchStates,
    expected: Mapping[tuple[str, str], tuple[int, ...]],
) -> None:
    """Raise InputError if a field of `config.model` does not fit a checkpoint.

    Args:
      config: the config.
      states: the state dicts of the checkpoint.
      expected: the shapes of all tensors that the config asks for, by network and key.

    Raises:
      InputError: a field does not fit; the message names it, both shapes and the value that fits.
    """
    for field in original_of(config).fields(states):
        if field.fits(config):
            continue
        configured = attrgetter(field.name)(config.model)
        tensor = states[field.network].get(field.key)
        others = _other_scales(field, configured)
        raise InputError(
            f"config.model.{field.name} is {configured!r}, where the checkpoint fits"
            f" {field.fitting_values}{others}: {field.network}.{field.key}"
            f" has shape {tensor.shape if tensor is not None else '(none, it is not there)'},"
            f" the config asks for {expected.get((field.network, field.key)) or '(none)'}"
        )
