"""Random weights of recordings whose checkpoints are too large to store.

`manifest.json` has the seed, and the shapes of all tensors of each network in the order in which
they are drawn. Some are constants, whose values it has too, and some are adjusted afterwards. The
same draws, in the same order, gave the weights of the original that was recorded.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import reading

MANIFEST = "manifest.json"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
Tensors = dict[str, np.ndarray]  # of one network, by key, in torch's layout


def read_manifest(path: pathlib.Path) -> Mapping[str, Any]:
    """Read a manifest.

    Raises:
      InputError: the file cannot be read, or is something else.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8")
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{path}: is not JSON ({error}); expected the manifest of weights"
        ) from error
    for name in ("seed", "modules", "buffers"):
        if not isinstance(manifest, Mapping) or name not in manifest:
            raise InputError(f"{path}: has no {name}; expected the manifest of weights")
    return manifest


def draw_checkpoint(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the networks of a checkpoint of the original, as arrays of float32."""
    random = np.random.default_rng(manifest["seed"])
    return {
        network: _draw_network(manifest, network, random) for network in manifest["modules"]
    } | {"epoch": 0}


def draw_resumed_checkpoint(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the same networks with the states of optimisers, as after some steps."""
    resumed = manifest["resumed"]
    random = np.random.default_rng(resumed["seed"])
    optimizers = {
        name: _draw_optimizer(manifest, description, random)
        for name, description in resumed["optimizers"].items()
    }
    return draw_checkpoint(manifest) | optimizers | {"epoch": resumed["epoch"]}


def _draw_network(
    manifest: Mapping[str, Any], network: str, random: np.random.Generator
) -> Tensors:
    constants = manifest["buffers"][network]
    tensors: Tensors = {}
    for key, shape in manifest["modules"][network].items():
        if key.endswith("num_batches_tracked"):
            tensors[key] = np.zeros((), np.int64)
        elif key in constants:
            tensors[key] = np.asarray(constants[key], np.float32).reshape(shape)
        else:
            tensors[key] = _draw_tensor(key, shape, random).astype(np.float32)
    if "jacobian.weight" in tensors:  # near the identity, so that its inverse exists
        identity = np.eye(2, dtype=np.float32).reshape(-1)
        shift = np.tile(identity, tensors["jacobian.bias"].size // 4)
        tensors["jacobian.weight"] = tensors["jacobian.weight"] * np.float32(0.05)
        tensors["jacobian.bias"] = tensors["jacobian.bias"] * np.float32(0.3) + shift
    for key, change in manifest.get("adjust", {}).get(network, {}).items():
        tensors[key] = _adjust(tensors[key], change)
    return tensors


def _draw_tensor(key: str, shape: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Draw a tensor of the kind that its key names."""
    if key.endswith("running_mean"):
        return random.normal(0, 0.2, shape)
    if key.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape)
    if key.endswith("weight") and ("norm" in key or len(shape) == 1):
        return random.uniform(0.7, 1.3, shape)
    if key.endswith("bias"):
        return random.normal(0, 0.1, shape)
    if key.endswith(("weight_u", "weight_v")):
        vector = random.normal(0, 1, shape)
        return vector / np.linalg.norm(vector)
    return random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)  # a kernel or a matrix


def _adjust(tensor: np.ndarray, change: Mapping[str, Any]) -> np.ndarray:
    """Take directions out of the rows of a matrix, then scale and shift a tensor."""
    if "remove" in change:
        directions = np.asarray(change["remove"], np.float64)  # orthonormal rows
        tensor = (tensor - (tensor @ directions.T) @ directions).astype(np.float32)
    return tensor * np.float32(change["scale"]) + np.float32(change.get("shift", 0))


def _draw_optimizer(
    manifest: Mapping[str, Any], description: Mapping[str, Any], random: np.random.Generator
) -> dict[str, Any]:
    """Draw the state dict of torch's Adam over the parameters of some networks."""
    states = []
    for network in description["modules"]:
        for key, shape in manifest["modules"][network].items():
            if key.endswith(STATISTICS) or key in manifest["buffers"][network]:
                continue
            first = random.normal(0, description["exp_avg_std"], shape)
            root = description["exp_avg_sq_root"] * random.uniform(0.5, 1.5, shape)
            states.append(
                {
                    "step": np.asarray(description["step"], np.float32),
                    "exp_avg": first.astype(np.float32),
                    "exp_avg_sq": np.square(root).astype(np.float32),
                }
            )
    group = {name: description[name] for name in ("lr", "initial_lr", "eps", "weight_decay")}
    group |= {"betas": tuple(description["betas"]), "amsgrad": False}
    group["params"] = list(range(len(states)))
    return {"state": dict(enumerate(states)), "param_groups": [group]}
