r"""Convert weights that PyTorch has saved, or look into such a file. PyTorch is not needed.

The perceptual network, from https://download.pytorch.org/models/vgg19-dcbb9e9d.pth:

    python convert_torch_weights.py --perceptual=vgg19 --input=vgg19-dcbb9e9d.pth \
        --output=weights/vgg19

What a checkpoint holds:

    python convert_torch_weights.py --inspect=vox-adv-cpk.pth.tar
"""

import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from fomm_jax.command_line import one_line_errors, parse_flags
from fomm_jax.errors import InputError
from fomm_jax.perceptual_weights import VGG_LAYERS, from_torch_state, save_vgg
from fomm_jax.torch_files import read_torch_file

PERCEPTUAL = flags.DEFINE_enum(
    "perceptual", None, list(VGG_LAYERS), "Convert torchvision's weights of this network."
)
INPUT = flags.DEFINE_string("input", None, "The file of PyTorch's to convert.")
OUTPUT = flags.DEFINE_string("output", None, "Where the converted weights go.")
INSPECT = flags.DEFINE_string("inspect", None, "Tell what this file of PyTorch's holds.")

# Tensors of a state dict that are not trained: statistics, power iterations, constant kernels.
NOT_TRAINED = re.compile(
    r"(\.running_mean|\.running_var|\.num_batches_tracked|\.weight_[uv]|\bdown\.weight)$"
)


def main(_: Sequence[str]) -> None:
    """Do what the flags say."""
    with one_line_errors():
        if INSPECT.value and not PERCEPTUAL.value:
            print("\n".join(describe(INSPECT.value)))
        elif PERCEPTUAL.value and INPUT.value and OUTPUT.value and not INSPECT.value:
            convert_perceptual(PERCEPTUAL.value, INPUT.value, OUTPUT.value)
        else:
            raise InputError(
                "give --inspect, or --perceptual with --input and --output; see --help"
            )


def convert_perceptual(network: str, source: str, target: str) -> None:
    """Convert torchvision's weights of a VGG for `perceptual.weights`."""
    state = read_torch_file(source)
    if not isinstance(state, dict):
        raise InputError(f"{source}: not a state dict")
    try:
        weights = from_torch_state(network, state)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    print(f"wrote {save_vgg(target, weights)}")


def describe(path: str) -> Iterator[str]:
    """Lines on a file: checksum, plain values, then each module with its tensors."""
    tree = read_torch_file(path)
    with pathlib.Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    yield f"{path}: sha256 {digest}"
    modules = tree if isinstance(tree, dict) else {"": tree}
    if all(isinstance(value, np.ndarray) for value in modules.values()):
        modules = {"tensors": modules}  # a bare state dict
    for name, module in modules.items():
        tensors = dict(_tensors(module, ""))
        if not tensors:
            yield f"{name}: {module!r}"
            continue
        yield f"{name}: {len(tensors)} tensors, {_count(tensors):,} values"
        if (
            isinstance(module, dict) and tensors.keys() == module.keys()
        ):  # a state dict, and not an optimiser's state
            trained = {key: t for key, t in tensors.items() if not NOT_TRAINED.search(f".{key}")}
            yield f"  {_count(trained):,} parameters"
        for key, tensor in tensors.items():
            yield f"  {key} {tensor.dtype} {tensor.shape}"


def _count(tensors: Mapping[str, np.ndarray]) -> int:
    return sum(tensor.size for tensor in tensors.values())


def _tensors(node: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(node, np.ndarray):
        yield name, node
    elif isinstance(node, dict | list | tuple):
        children = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in children:
            yield from _tensors(child, f"{name}.{key}" if name else str(key))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
