"""Convert weights between PyTorch's files, safetensors files and ours.

Each function returns the lines that tell its user what it wrote.
"""

import os

from flax import nnx

from fomm_jax.buckets import AnyPath, absolute, list_folder
from fomm_jax.config.avd_stage import avd_stage
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.files import check_can_write, is_file, reading
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.find_checkpoint import FOLDER, find_checkpoint, has_part
from fomm_jax.weights.finite import check_finite_tree
from fomm_jax.weights.hub import is_on_hub
from fomm_jax.weights.load import load_pretrained
from fomm_jax.weights.restore import restore_config, restore_epoch, restore_state
from fomm_jax.weights.safetensors_file import is_safetensors, read_safetensors
from fomm_jax.weights.torch.from_original import load_train_state, read_epoch, read_original
from fomm_jax.weights.torch.networks_file import save_networks
from fomm_jax.weights.torch.originals import original_of
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.to_original import to_checkpoint, to_state_dicts
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import abstract_state, make_optimizers, state_parts
from fomm_jax.weights.vgg import from_torch_state, save_vgg, vgg_path


def convert_from_torch(config: Config, source: str, target: str) -> list[str]:
    """Convert a checkpoint of the original, or networks in a safetensors file, into one of ours.

    Args:
      config: the architecture.
      source: the file.
      target: the folder to write to; afterwards it serves as a workdir.

    Raises:
      InputError: the file cannot be read or does not fit the config, or the folder has a checkpoint
        already or cannot be written.
    """
    _check_has_no_checkpoint(target)
    checkpoint = read_original(source)
    # Any length of an epoch gives the same state: the schedule uses it in training only.
    optimizers = make_optimizers(config, steps_per_epoch=1)
    with naming(source):
        epoch = read_epoch(checkpoint)
        state = load_train_state(config, checkpoint, optimizers)
    entries = original_of(config).entries - {"epoch"}
    absent = sorted(name for name in entries if checkpoint.get(name) is None)
    step = int(state.step)
    del checkpoint  # it is large, and Orbax needs memory too
    with Checkpoints(target, keep=1, config=config) as checkpoints:
        checkpoints.save(step, state, epoch)
    lines = [f"{source}: has no {', '.join(absent)}; new ones take their place"] if absent else []
    return [*lines, f"wrote {checkpoints.folder / str(step)}"]


def convert_to_torch(config: Config, source: str, target: str) -> list[str]:
    """Convert weights into a file of PyTorch's that the original's `load_state_dict` takes.

    Args:
      config: the architecture and the learning rates.
      source: a checkpoint of ours, with its optimisers; a folder whose newest checkpoint is
        converted; or a file of weights alone.
      target: the file to write.

    Raises:
      InputError: there is no checkpoint, it is damaged, of another architecture or not finite, or
        the file exists already or cannot be written.
    """
    _check_is_new(target)
    if is_on_hub(source) or is_file(source):
        model = load_pretrained(source, config)
        write_torch_file(target, to_state_dicts(config, nnx.state(model)))
        return [f"wrote {target}"]
    path = find_checkpoint(source)
    config = _of_its_stage(config, path)
    optimizers = make_optimizers(config, steps_per_epoch=1)
    abstract = abstract_state(config, optimizers)
    state = restore_state(path, abstract)
    with naming(path):
        check_finite_tree(state_parts(state))
    write_torch_file(target, to_checkpoint(config, state, restore_epoch(path)))
    lines = []
    if has_part(path, "averages"):
        lines.append(
            f"{path}: its averages are left out; the file has the weights that training continues"
            " with"
        )
    return [*lines, f"wrote {target}"]


def convert_to_safetensors(config: Config, source: str, target: str) -> list[str]:
    """Convert weights into a safetensors file, which holds the configuration too.

    Args:
      config: the configuration of the model.
      source: as in `load_pretrained`. Of a checkpoint with averages, they are written.
      target: the file to write.

    Raises:
      InputError: the source cannot be used, or the file exists already or cannot be written.
    """
    _check_is_new(target)
    save_networks(target, load_pretrained(source, config), config)
    return [f"wrote {target}"]


def _of_its_stage(config: Config, path: AnyPath) -> Config:
    """Return a configuration as it is in the stage of training that a checkpoint is from."""
    own = restore_config(path)
    return avd_stage(config, str(path)) if own and own.train.stage == "avd" else config


def convert_perceptual(network: str, source: str, target: str) -> list[str]:
    """Convert torchvision's weights of a VGG for the config field `perceptual.weights`.

    Args:
      network: "vgg16" or "vgg19".
      source: torchvision's file, or a safetensors file with the same names.
      target: the file to write, whose name ends in .safetensors, in .npz, or gets the ending .npz.

    Raises:
      InputError: the file cannot be read or holds another network, or the target exists already or
        cannot be written.
    """
    _check_is_new(vgg_path(target))
    state = read_safetensors(source) if is_safetensors(source) else read_torch_file(source)
    if not isinstance(state, dict):
        raise InputError(f"{source}: not a state dict")
    with naming(source):
        weights = from_torch_state(network, state)
    return [f"wrote {save_vgg(target, weights)}"]


def _check_is_new(target: str | os.PathLike[str]) -> None:
    """Raise InputError if a file to write exists already, or if nothing can be written there."""
    if os.path.lexists(target) or is_file(target):
        raise InputError(f"{target}: exists already; expected the name of a new file")
    check_can_write(target)


def _check_has_no_checkpoint(target: str) -> None:
    """Raise InputError if a folder has checkpoints."""
    folder = absolute(target) / FOLDER
    with reading(folder):
        if any(entry.name.isdecimal() for entry in list_folder(folder)):
            raise InputError(f"{folder}: has a checkpoint already; expected none")
