r"""Convert weights from and to PyTorch's files, or look into such a file. PyTorch is not needed.

A checkpoint of the original for use here, with optimisers and epoch if it has them; training,
reconstruction and animation take the folder as --workdir or --checkpoint:

    python convert_torch_weights.py --config=configs/vox_256.py --input=vox-cpk.pth.tar --output=DIR

A checkpoint of ours for the original:

    python convert_torch_weights.py --config=configs/vox_256.py --input=DIR \
        --output=model.pth.tar --to_torch

The perceptual network, from https://download.pytorch.org/models/vgg19-dcbb9e9d.pth:

    python convert_torch_weights.py --perceptual=vgg19 --input=vgg19-dcbb9e9d.pth \
        --output=weights/vgg19

What a file holds, and which fields of config.model fit it:

    python convert_torch_weights.py --inspect=vox-adv-cpk.pth.tar
"""

import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from fomm_jax import console
from fomm_jax.cli.command_line import parse_flags
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming, one_line_errors
from fomm_jax.models.vgg import VGG_LAYERS
from fomm_jax.weights.checkpoints import Checkpoints, find_checkpoint, restore_epoch, restore_state
from fomm_jax.weights.torch.architecture import find_architecture
from fomm_jax.weights.torch.names import (
    OPTIMIZER_KEYS,
    load_train_state,
    read_original,
    to_checkpoint,
)
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import initial_state, make_optimizers
from fomm_jax.weights.vgg import from_torch_state, save_vgg

config_flags.DEFINE_config_file(
    "config", None, "File with get_config(), such as those in configs/: the architecture."
)
PERCEPTUAL = flags.DEFINE_enum(
    "perceptual", None, list(VGG_LAYERS), "Convert torchvision's weights of this network."
)
INPUT = flags.DEFINE_string("input", None, "What to convert: PyTorch's file, or DIR of ours.")
OUTPUT = flags.DEFINE_string("output", None, "Where the converted weights go.")
TO_TORCH = flags.DEFINE_bool("to_torch", False, "Convert a checkpoint of ours for PyTorch.")
INSPECT = flags.DEFINE_string("inspect", None, "Tell what this file of PyTorch's holds.")

# Tensors of a state dict that are not trained: statistics, power iterations, constant kernels.
NOT_TRAINED = re.compile(
    r"(\.running_mean|\.running_var|\.num_batches_tracked|\.weight_[uv]|\bdown\.weight)$"
)


def main(_: Sequence[str]) -> None:
    """Do what the flags say."""
    console.show_messages()
    with one_line_errors():
        run(flags.FLAGS.config)


def run(config_dict: ConfigDict | None) -> None:
    """Check the flags against one another and do what they ask for."""
    asked = [name for name in ("inspect", "perceptual", "config") if flags.FLAGS[name].present]
    if len(asked) != 1:
        raise InputError("expected one of --inspect, --perceptual and --config; see --help")
    if INSPECT.value:
        print("\n".join(describe(INSPECT.value)))
        return
    source, target = INPUT.value, OUTPUT.value
    if not source or not target:
        raise InputError(f"--{asked[0]}: expected --input and --output with it; see --help")
    if PERCEPTUAL.value:
        convert_perceptual(PERCEPTUAL.value, source, target)
    elif config_dict is not None:
        convert = convert_to_torch if TO_TORCH.value else convert_from_torch
        convert(from_config_dict(config_dict), source, target)


def convert_from_torch(config: Config, source: str, target: str) -> None:
    """Convert a checkpoint of the original into one of ours, in a folder like a workdir."""
    checkpoint = read_original(source)
    # The state is the same however long an epoch is; that matters in training alone.
    optimizers = make_optimizers(config.train, steps_per_epoch=1)
    with naming(source):
        state = load_train_state(config, checkpoint, optimizers)
    absent = sorted({"discriminator", *OPTIMIZER_KEYS.values()} - checkpoint.keys())
    step, epoch = int(state.step), checkpoint.get("epoch", 0)
    del checkpoint  # large, and Orbax needs memory too
    with Checkpoints(target, keep=1, config=config) as checkpoints:
        if checkpoints.latest_step is not None:
            raise InputError(f"{checkpoints.folder}: has a checkpoint already; expected none")
        checkpoints.save(step, state, epoch)
    if absent:
        print(f"{source}: has no {', '.join(absent)}; fresh ones take the place")
    print(f"wrote {checkpoints.folder / str(step)}")


def convert_to_torch(config: Config, source: str, target: str) -> None:
    """Convert a checkpoint of ours into a file that the original's `load_state_dict` takes."""
    path = find_checkpoint(source)
    optimizers = make_optimizers(config.train, steps_per_epoch=1)
    abstract = jax.eval_shape(lambda key: initial_state(config, optimizers, key), jax.random.key(0))
    state = restore_state(path, abstract)
    write_torch_file(target, to_checkpoint(config, state, restore_epoch(path)))
    if (path / "averages").is_dir():
        print(f"{path}: its averaged weights stay; the file has those that training goes on with")
    print(f"wrote {target}")


def convert_perceptual(network: str, source: str, target: str) -> None:
    """Convert torchvision's weights of a VGG for `perceptual.weights`."""
    state = read_torch_file(source)
    if not isinstance(state, dict):
        raise InputError(f"{source}: not a state dict")
    with naming(source):
        weights = from_torch_state(network, state)
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
    if {"kp_detector", "generator"} <= modules.keys():
        yield "config.model that fits:"
        for finding in find_architecture(modules):
            bound = "at least " if finding.at_least else ""
            yield f"  {finding.field} = {bound}{finding.value!r}"
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
