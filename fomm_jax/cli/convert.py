r"""Convert weights from and to PyTorch's files and safetensors files, or describe such a file.

PyTorch is not needed. --config may be left out where the input carries its configuration.

Convert a checkpoint of the original, with its optimisers and epoch if it has them. Training,
reconstruction and animation take the folder DIR as --workdir or --checkpoint:

    python convert_torch_weights.py --config=configs/vox_256.py --input=vox-cpk.pth.tar --output=DIR

Convert a checkpoint of ours for the original:

    python convert_torch_weights.py --config=configs/vox_256.py --input=DIR \
        --output=model.pth.tar --to_torch

Convert any of these, or a safetensors file, into a safetensors file; and convert such a file into
one of PyTorch's, or into a folder to train on from:

    python convert_torch_weights.py --input=DIR --output=model.safetensors
    python convert_torch_weights.py --input=model.safetensors --output=model.pth.tar --to_torch
    python convert_torch_weights.py --input=model.safetensors --output=DIR

Convert the perceptual network, which https://download.pytorch.org/models/vgg19-dcbb9e9d.pth has:

    python convert_torch_weights.py --perceptual=vgg19 --input=vgg19-dcbb9e9d.pth \
        --output=weights/vgg19

Show what a file holds, and which configurations and values of config.model fit it:

    python convert_torch_weights.py --inspect=vox-adv-cpk.pth.tar
"""

import re
import sys
from collections.abc import Sequence

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from fomm_jax import console
from fomm_jax.cli.command_line import parse_flags
from fomm_jax.cli.config_names import list_names, load_config_dict
from fomm_jax.cli.path_flags import MODEL_PATH, STORED_PATH
from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.signals import ending_by_signals
from fomm_jax.weights.load import load_config
from fomm_jax.weights.safetensors_file import SUFFIX, is_safetensors
from fomm_jax.weights.torch.convert import (
    convert_from_torch,
    convert_perceptual,
    convert_to_safetensors,
    convert_to_torch,
)
from fomm_jax.weights.torch.describe import describe_weights

config_flags.DEFINE_config_file(
    "config",
    None,
    "Name of a configuration, such as vox_256, or file with get_config(): the architecture.",
)
PERCEPTUAL = flags.DEFINE_enum(
    "perceptual", None, list(VGG_LAYERS), "Convert torchvision's weights of this network."
)
INPUT = flags.DEFINE(
    MODEL_PATH,
    "input",
    None,
    "What to convert: a file of PyTorch's or safetensors, or our folder.",
)
OUTPUT = flags.DEFINE(
    STORED_PATH,
    "output",
    None,
    "Where to write the converted weights: a folder, or a file whose name ends in .safetensors.",
)
TO_TORCH = flags.DEFINE_bool("to_torch", False, "Write a file of PyTorch's.")
INSPECT = flags.DEFINE(MODEL_PATH, "inspect", None, "Describe this file.")


def main(_: Sequence[str]) -> None:
    """Convert or describe a file as the flags ask, and print what was done."""
    console.show_messages()
    with ending_by_signals(), one_line_errors():
        console.say("\n".join(run(flags.FLAGS.config)))


def run(config_dict: ConfigDict | None) -> list[str]:
    """Check the flags against one another and do what they ask for.

    Returns:
      The lines to print.

    Raises:
      InputError: the flags do not go together, or a file cannot be used.
    """
    purposes = [name for name in ("inspect", "perceptual", "config") if flags.FLAGS[name].present]
    if len(purposes) > 1:
        raise InputError("expected one of --inspect, --perceptual and --config; see --help")
    if INSPECT.value:
        return list(describe_weights(INSPECT.value, known_configs()))
    source, target = INPUT.value, OUTPUT.value
    if not source or not target:
        raise InputError("expected --input and --output, or --inspect; see --help")
    if PERCEPTUAL.value:
        return convert_perceptual(PERCEPTUAL.value, source, target)
    convert = convert_to_torch if TO_TORCH.value else convert_from_torch
    if is_safetensors(target):
        if TO_TORCH.value:
            raise InputError(f"--to_torch: expected an --output that does not end in {SUFFIX}")
        convert = convert_to_safetensors
    config = load_config(source) if config_dict is None else from_config_dict(config_dict)
    return convert(config, source, target)


def known_configs() -> dict[str, Config]:
    """Return the configurations of the project by their names, without those for tests."""
    names = [name for name in list_names() if re.search(r"_\d", name)]
    return {name: from_config_dict(load_config_dict(name)) for name in names}


def start() -> None:
    """Run this program with the command line of the process."""
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        # `--help` shows the flags that belong to the file that was started, below its docstring.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    sys.modules["__main__"].__doc__ = __doc__
    console.hide_warnings_of_libraries()
    app.run(main, flags_parser=parse_flags)
