"""The names and layouts of the original's checkpoints, and how they map to ours.

A path in our tree of parameters, such as `generator.bottleneck.0.conv1.kernel`, becomes the key
of the original's state dict by the patterns of `RENAMES`, applied one after another.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from fomm_jax.config import Config
from fomm_jax.errors import InputError
from fomm_jax.networks import Networks

TorchState = Mapping[str, np.ndarray]

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
# Keys of torch's that hold nothing learned: a step counter and the constant Gaussian kernels.
NOT_LEARNED = re.compile(r"(\bnum_batches_tracked|\bdown\.weight)$")


def torch_key(path: Sequence[object], discriminator_scales: tuple[float, ...]) -> str:
    """The key in the network's state dict of a variable; `path` begins below the network."""
    if path[0] == "discs":
        # The original names a scale as it is written in YAML, with '-' for the point.
        scale = f"{discriminator_scales[int(str(path[1]))]:g}".replace(".", "-")
        path = (path[0], scale, *path[2:])
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


def variable_keys(
    state: nnx.State, config: Config
) -> Iterator[tuple[tuple[Hashable, ...], str, str]]:
    """(path in our tree, network, torch key) of every variable."""
    for path, _ in nnx.to_flat_state(state):
        network, *rest = path
        yield path, str(network), torch_key(rest, config.model.discriminator.scales)


def load_networks(config: Config, checkpoint: Mapping[str, TorchState]) -> Networks:
    """Networks with the weights of a checkpoint of the original.

    Args:
      config: the architecture.
      checkpoint: state dicts of `kp_detector`, `generator` and `discriminator` as numpy arrays.

    Raises:
      InputError: the checkpoint's keys or shapes are not those of the architecture.
    """
    networks = nnx.eval_shape(lambda: Networks(config.model, config.compat, rngs=nnx.Rngs(0)))
    definition, state = nnx.split(networks)
    flat: dict[Any, Any] = dict(nnx.to_flat_state(state))
    left_over = {
        (network, key)
        for network in ("kp_detector", "generator", "discriminator")
        for key in checkpoint[network]
        if not NOT_LEARNED.search(key)
    }
    for path, network, key in variable_keys(state, config):
        if (network, key) not in left_over:
            raise InputError(f"{network}: the checkpoint has no {key}, which the config asks for")
        left_over.remove((network, key))
        array = from_torch_layout(checkpoint[network][key])
        expected = flat[path].get_value().shape
        if array.shape != expected:
            raise InputError(
                f"{network}.{key}: the checkpoint has shape {array.shape},"
                f" the config asks for {expected}"
            )
        flat[path] = flat[path].replace(jax.numpy.asarray(array))
    if left_over:
        keys = ", ".join(f"{network}.{key}" for network, key in sorted(left_over))
        raise InputError(f"the checkpoint has keys that the config has no place for: {keys}")
    return nnx.merge(definition, nnx.from_flat_state(flat.items()))
