"""Describe what a file of weights holds."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.files import local_file, reading
from fomm_jax.weights.hub import local_path
from fomm_jax.weights.safetensors_file import is_safetensors
from fomm_jax.weights.torch.architecture import read_states
from fomm_jax.weights.torch.networks_file import read_config, read_networks
from fomm_jax.weights.torch.originals import ORIGINALS, recognise_model
from fomm_jax.weights.torch.reader import read_torch_file

# Of the filters before each shrinking. The original has them at a scale of 1/4 alone.
COMMUNITY_SIGMA = 1.5
# Tensors of a state dict that are not trained: statistics, power iterations, constant kernels.
NOT_TRAINED = re.compile(
    r"(\.running_mean|\.running_var|\.num_batches_tracked|\.weight_[uv]|\bdown\.weight)$"
)


def describe_weights(path: str | os.PathLike[str], configs: Mapping[str, Config]) -> Iterator[str]:
    """Yield lines on a file: its checksum and plain values, then each module with its tensors.

    The lines on a checkpoint of an original begin with the fields of `config.model` that fit it.

    Args:
      path: a file of PyTorch's, or a safetensors file, which may be on the Hugging Face Hub.
      configs: configurations by their names, of which those that fit such a checkpoint are named.

    Raises:
      InputError: the file cannot be read.
    """
    path = local_path(path)
    tree = read_networks(path) if is_safetensors(path) else read_torch_file(path)
    with local_file(path) as local, reading(path), local.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    yield f"{path}: sha256 {digest}"
    if is_safetensors(path) and (config := read_config(path)):
        height, width = config.dataset.frame_shape[:2]
        yield f"carries its configuration: {config.model.name}, frames of {height} x {width} pixels"
    modules = tree if isinstance(tree, dict) else {"": tree}
    if all(isinstance(value, np.ndarray) for value in modules.values()):
        modules = {"tensors": modules}  # a bare state dict
    if model := recognise_model(list(map(str, modules))):
        yield from _describe_architecture(model, modules, configs)
    for name, module in modules.items():
        yield from _describe_module(name, module)


def _describe_architecture(
    model: str, checkpoint: Mapping[str, Any], configs: Mapping[str, Config]
) -> Iterator[str]:
    """Yield lines on the configurations and fields that fit a checkpoint of a model."""
    original = ORIGINALS[model]
    try:
        fields = list(original.fields(read_states(original, checkpoint)))
    except InputError as error:
        yield f"no config.model fits: {error}"
        return
    fitting = [
        name
        for name, config in configs.items()
        if config.model.name == model and all(field.fits(config) for field in fields)
    ]
    yield f"configurations that fit: {', '.join(fitting) or 'none of those that are known'}"
    yield "config.model that fits:"
    yield f"  name = {model!r}"
    for field in fields:
        yield f"  {field.name} = {field.fitting_values}"
    if COMMUNITY_SIGMA in [field.sigma for field in fields]:
        yield (
            f"models of the community at 512x512 have such filters, too: config.compat."
            f"antialias_sigma = {COMMUNITY_SIGMA} with scale_factor = 0.125"
        )


def _describe_module(name: str, module: Any) -> Iterator[str]:
    """Yield lines on an entry of a file: a plain value, a state dict or an optimiser's state."""
    tensors = dict(_tensors(module, ""))
    if not tensors:
        yield f"{name}: {module!r}"
        return
    yield f"{name}: {len(tensors)} tensors, {_num_values(tensors):,} values"
    is_state_dict = isinstance(module, dict) and tensors.keys() == module.keys()
    if is_state_dict:
        trained = {key: t for key, t in tensors.items() if not NOT_TRAINED.search(f".{key}")}
        yield f"  {_num_values(trained):,} parameters"
    for key, tensor in tensors.items():
        yield f"  {key} {tensor.dtype} {tensor.shape}"


def _num_values(tensors: Mapping[str, np.ndarray]) -> int:
    return sum(tensor.size for tensor in tensors.values())


def _tensors(node: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tensors in a tree by their dotted names."""
    if isinstance(node, np.ndarray):
        yield name, node
    elif isinstance(node, dict | list | tuple):
        children = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in children:
            yield from _tensors(child, f"{name}.{key}" if name else str(key))
