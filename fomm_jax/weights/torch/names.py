"""The original's checkpoints: their names and layouts, and how they map to ours, both ways.

A path in our tree of variables, such as `generator.bottleneck.0.conv1.kernel`, becomes the key of
the original's state dict by the patterns of `RENAMES`, applied one after another. Everything here
reads that table over the abstract networks of a config, whichever way the weights go.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.models.build import abstract_model
from fomm_jax.models.discriminator import MultiScaleDiscriminator
from fomm_jax.models.layers import Numerics
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.ops import geometry
from fomm_jax.weights.shapes import check_shapes
from fomm_jax.weights.torch.architecture import check_architecture
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.train_state import (
    ADAM_BETAS,
    ADAM_EPSILON,
    MILESTONE_FACTOR,
    Optimizers,
    TrainState,
    split_model,
)

NETWORKS = ("kp_detector", "generator", "discriminator")
OPTIMIZER_KEYS = {network: f"optimizer_{network}" for network in NETWORKS}

# (pattern over our path, replacement that gives the torch key)
RENAMES = (
    (r"\b(predictor|hourglass)\.down_blocks\.", r"\1.encoder.down_blocks."),
    (r"\b(predictor|hourglass)\.up_blocks\.", r"\1.decoder.up_blocks."),
    (r"\bbottleneck\.(\d+)\.", r"bottleneck.r\1."),
    (r"\bconv\.conv\.kernel$", "conv.weight_orig"),  # under spectral norm
    (r"\bconv\.conv\.bias$", "conv.bias"),
    (r"\bconv\.left$", "conv.weight_u"),
    (r"\bconv\.right$", "conv.weight_v"),
    (r"\.(kernel|scale)$", ".weight"),
    (r"\.(mean|var)$", r".running_\1"),
)
# The parts of keys in the order in which the original's modules register them. Adam's state has
# the parameters by their number in that order. Numbered parts stand in the order of the numbers.
REGISTERED = """
    dense_motion_network hourglass predictor encoder decoder mask occlusion kp jacobian
    first down_blocks up_blocks bottleneck final discs conv conv1 conv2 norm norm1 norm2
    weight bias weight_orig weight_u weight_v running_mean running_var num_batches_tracked down
"""
RANKS = {part: rank for rank, part in enumerate(REGISTERED.split())}
# What files of older versions of PyTorch lack, with what stands in for it.
COUNTER = re.compile(r"\.num_batches_tracked$")
RIGHT_SINGULAR_VECTOR = re.compile(r"\.weight_v$")
# Gaussian kernels of the anti-aliased shrinking: constants, kept by the original as buffers.
ANTIALIAS_KERNEL = re.compile(r"\bdown\.weight$")

TorchState = Mapping[str, np.ndarray]  # a state dict
Path = tuple[Any, ...]  # in our tree of variables; the network's name first


def torch_key(path: Sequence[object], discriminator_scales: tuple[float, ...]) -> str:
    """The key in the network's state dict of a variable; `path` begins below the network."""
    if path[0] == "discs":
        scale = discriminator_scales[int(str(path[1]))]
        path = (path[0], _scale_name(scale), *path[2:])
    key = ".".join(map(str, path))
    for pattern, replacement in RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def to_torch_layout(array: np.ndarray) -> np.ndarray:
    """Kernels from (height, width, in, out) to (out, in, height, width); others as they are."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def from_torch_layout(array: np.ndarray) -> np.ndarray:
    """The inverse of `to_torch_layout`."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def variable_keys(state: nnx.State, config: Config) -> Iterator[tuple[Path, str, str]]:
    """(path in our tree, network, torch key) of every variable, in torch's order by network."""
    scales = config.model.discriminator.scales
    found = [
        (path, str(path[0]), torch_key(path[1:], scales)) for path, _ in nnx.to_flat_state(state)
    ]
    yield from sorted(found, key=lambda entry: (entry[1], _position(entry[2], scales)))


def load_networks(config: Config, checkpoint: Mapping[str, Any]) -> MotionModel:
    """Networks with the weights of a checkpoint of the original.

    Args:
      config: the architecture.
      checkpoint: state dicts of `kp_detector`, `generator` and, unless it is to be random,
        `discriminator`, as numpy arrays.

    Raises:
      InputError: the checkpoint's keys or shapes are not those of the architecture; the message
        lists the keys.
    """
    states = {name: _without_prefix(checkpoint[name]) for name in NETWORKS if name in checkpoint}
    for name in ("kp_detector", "generator"):
        if name not in states:
            raise InputError(f"the checkpoint has no {name}; expected a checkpoint of the original")
    model = abstract_model(config)
    check_architecture(config, states, _shapes(model, config))
    definition, tree = nnx.split(model)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    if "discriminator" not in states:
        random = MultiScaleDiscriminator(config.model, Numerics(), rngs=nnx.Rngs(0))
        variables = nnx.to_flat_state(nnx.state(random))
        flat |= {("discriminator", *path): variable for path, variable in variables}
    keys = {
        (network, key): path
        for path, network, key in variable_keys(tree, config)
        if network in states
    }
    _check_shapes(states, {entry: flat[path].get_value().shape for entry, path in keys.items()})
    for (network, key), path in keys.items():
        array = from_torch_layout(_value(states[network], key))
        expected = flat[path].get_value().dtype
        dtype = expected if array.dtype.kind == "i" else array.dtype
        flat[path] = flat[path].replace(jnp.asarray(array, dtype))
    return nnx.merge(definition, nnx.from_flat_state(flat.items()))


def load_train_state(
    config: Config, checkpoint: Mapping[str, Any], optimizers: Optimizers
) -> TrainState:
    """The state of training that a checkpoint of the original holds.

    The step is the number of steps that Adam has counted. An optimiser that the checkpoint lacks,
    or that has never stepped, is fresh.

    Raises:
      InputError: as `load_networks`, or an optimiser's state does not fit its network.
    """
    params, statistics = split_model(load_networks(config, checkpoint))
    states = {name: optimizers[name].init(params[name]) for name in optimizers}
    steps = 0
    for network, name in OPTIMIZER_KEYS.items():
        adam = checkpoint.get(name, {"state": {}})
        if not adam["state"] or network not in checkpoint:
            continue
        count, mu, nu = _load_adam(name, adam, params, network, config)
        # Adam and the schedule both have a count. An array of numpy becomes one of JAX for each,
        # as it must where training donates them.
        states[network] = optax.tree_utils.tree_set(
            states[network], count=np.asarray(count, np.int32), mu=mu, nu=nu
        )
        steps = max(steps, count)
    return TrainState(jnp.asarray(steps, jnp.int32), params, statistics, states)


def to_checkpoint(config: Config, state: TrainState, epoch: int) -> dict[str, Any]:
    """A checkpoint that the original's `load_state_dict` takes, as trees of numpy arrays.

    Args:
      config: the architecture and the learning rates.
      state: of training.
      epoch: that the original goes on with.
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
        network: dict(sorted(tensors.items(), key=lambda item: _position(item[0], scales)))
        for network, tensors in arrays.items()
    }
    for network, name in OPTIMIZER_KEYS.items():
        checkpoint[name] = _dump_adam(config, state, network, epoch)
    return checkpoint | {"epoch": epoch}


def _load_adam(
    name: str, adam: Mapping[str, Any], params: dict[str, nnx.State], network: str, config: Config
) -> tuple[int, nnx.State, nnx.State]:
    """Adam's step count and moments; the moments as trees like the network's parameters."""
    numbers = [number for group in adam["param_groups"] for number in group["params"]]
    tree: nnx.State = nnx.State({network: params[network]})
    flat = dict(nnx.to_flat_state(tree))
    keys = list(variable_keys(tree, config))
    if len(numbers) != len(keys) or not set(numbers) <= adam["state"].keys():
        raise InputError(
            f"{name}: the checkpoint has the moments of {len(adam['state'])} parameters,"
            f" the config asks for {len(keys)}"
        )
    moments: dict[str, dict[Any, Any]] = {"exp_avg": {}, "exp_avg_sq": {}}
    for number, (path, _, key) in zip(numbers, keys, strict=True):
        for moment, found in moments.items():
            array = from_torch_layout(adam["state"][number][moment])
            if array.shape != flat[path].get_value().shape:
                raise InputError(
                    f"{name}: {moment} of {key} has shape {array.shape},"
                    f" the config asks for {flat[path].get_value().shape}"
                )
            found[path[1:]] = flat[path].replace(jnp.asarray(array))
    steps = {int(entry["step"]) for entry in adam["state"].values()}
    if len(steps) != 1:
        raise InputError(f"{name}: its parameters have taken unequal numbers of steps")
    mu, nu = (nnx.from_flat_state(found.items()) for found in moments.values())
    return steps.pop(), mu, nu


def _dump_adam(config: Config, state: TrainState, network: str, epoch: int) -> dict[str, Any]:
    """The state dict of torch's Adam; empty where it has never stepped, as torch's own is."""
    optimizer = state.optimizers[network]
    # The schedule counts too; both count the same steps.
    count = int(optax.tree_utils.tree_get_all_with_path(optimizer, "count")[0][1])
    trees = (optax.tree_utils.tree_get(optimizer, name) for name in ("mu", "nu"))
    mu, nu = (torch_arrays(nnx.State({network: tree}), config)[network] for tree in trees)
    initial = getattr(config.train, f"lr_{network}")
    passed = sum(milestone <= epoch for milestone in config.train.epoch_milestones)
    group = {
        "lr": initial * MILESTONE_FACTOR**passed,
        "betas": ADAM_BETAS,
        "eps": ADAM_EPSILON,
        "weight_decay": 0,
        "amsgrad": False,
        "initial_lr": initial,
        "params": list(range(len(mu))),
    }
    moments = {
        number: {"step": np.asarray(count, np.float32), "exp_avg": mu[key], "exp_avg_sq": nu[key]}
        for number, key in enumerate(mu)
    }
    return {"state": moments if count else {}, "param_groups": [group]}


def torch_arrays(tree: nnx.State, config: Config) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of a tree in torch's layout and dtypes, by network and key, in torch's order."""
    flat = dict(nnx.to_flat_state(tree))
    arrays: dict[str, dict[str, np.ndarray]] = {}
    for path, network, key in variable_keys(tree, config):
        array = to_torch_layout(np.asarray(jax.device_get(flat[path].get_value())))
        arrays.setdefault(network, {})[key] = (
            array.astype(np.int64) if COUNTER.search(key) else array
        )
    return arrays


def _shapes(model: MotionModel, config: Config) -> dict[tuple[str, str], tuple[int, ...]]:
    """The shapes in torch's layout of all tensors that the config asks for."""
    tree = nnx.state(model)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(tree))
    shapes = {}
    for path, network, key in variable_keys(tree, config):
        stand_in = np.broadcast_to(np.int8(0), flat[path].get_value().shape)
        shapes[network, key] = to_torch_layout(stand_in).shape
    return shapes


def _check_shapes(
    states: Mapping[str, TorchState], expected: Mapping[tuple[str, str], tuple[int, ...]]
) -> None:
    """Raise InputError if the checkpoint's tensors are not those that the config asks for.

    Args:
      states: the state dicts of the checkpoint.
      expected: by network and key, the shapes of the tensors in our layout.
    """
    shapes = {
        f"{network}.{key}": from_torch_layout(_value(state, key)).shape
        for network, state in states.items()
        for key in state
        if not ANTIALIAS_KERNEL.search(key)
    }
    check_shapes(
        shapes,
        {
            f"{network}.{key}": shape
            for (network, key), shape in expected.items()
            if key in states[network]
            or not (COUNTER.search(key) or RIGHT_SINGULAR_VECTOR.search(key))
        },
    )


def _value(state: TorchState, key: str) -> np.ndarray:
    """The tensor of a key, or what stands in for it in files of older versions."""
    if key in state:
        # Before 0.4, torch had no scalars; it still takes one number for one.
        return state[key][0] if COUNTER.search(key) and state[key].ndim == 1 else state[key]
    if COUNTER.search(key):
        return np.zeros((), np.int64)
    stem = key.removesuffix("_v")
    kernel = state[f"{stem}_orig"]
    vector = state[f"{stem}_u"] @ kernel.reshape(len(kernel), -1)
    return vector / np.linalg.norm(vector)


def _without_prefix(state: TorchState) -> TorchState:
    """Keys without the `module.` that torch's DataParallel puts before them."""
    return {key.removeprefix("module."): array for key, array in state.items()}


def _scale_name(scale: float) -> str:
    """A scale as the original writes it: as in YAML, with '-' for the point."""
    return f"{scale:g}".replace(".", "-")


def _position(key: str, discriminator_scales: tuple[float, ...]) -> list[int]:
    """Where a key stands in torch's state dict, as a sequence to compare."""
    parts = key.split(".")
    if parts[0] == "discs":
        parts[1] = str([*map(_scale_name, discriminator_scales)].index(parts[1]))
    return [RANKS[part] if part in RANKS else int(part.removeprefix("r")) for part in parts]


ENTRIES = {*NETWORKS, *OPTIMIZER_KEYS.values(), "epoch"}  # of the original's checkpoints


def read_original(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The content of a checkpoint of the original, unconverted.

    Raises:
      InputError: the file cannot be read, or holds something else.
    """
    checkpoint = read_torch_file(path)
    if not isinstance(checkpoint, dict) or not {"generator", "kp_detector"} <= checkpoint.keys():
        raise InputError(
            f"{path}: expected a checkpoint of the original, with generator and kp_detector"
        )
    if unknown := sorted(map(str, checkpoint.keys() - ENTRIES)):
        raise InputError(f"{path}: holds {', '.join(unknown)}, which no checkpoint of ours takes")
    return checkpoint
