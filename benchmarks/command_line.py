"""The command lines of the benchmarks: their options, and the configuration as in main.py."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from fomm_jax.config.parsing import check_field, from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

CONFIG_HELP = (
    "file with get_config(); default: %(default)s. Its fields can be set as well:"
    " --config.model.compute_dtype=bfloat16"
)


def parse_options(
    subject: str, batch_help: str, arguments: list[str] | None
) -> tuple[argparse.Namespace, Config]:
    """Parse --config, --batch and --steps, for a benchmark that prints one line of JSON.

    Args:
      subject: completes the sentence "Measure …" in the help.
      batch_help: the help of --batch.
      arguments: the command line without the program's name; None reads it from `sys.argv`.

    Returns:
      The options and the configuration, as from `parse_with_config`.

    Raises:
      InputError: an option or the configuration cannot be used.
    """
    parser = argparse.ArgumentParser(
        description=f"Measure {subject} and print one line of JSON. Frames and weights are random.",
        epilog="seconds_per_step is the median over the timed steps. The first step is not among"
        " them; compile_seconds is how much longer than the median it took. peak_memory_bytes is"
        " that of the accelerator, or on CPU that of the whole process.",
    )
    parser.add_argument("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    parser.add_argument("--batch", type=int, help=batch_help)
    parser.add_argument("--steps", type=int, default=5, help="timed steps; default: %(default)s")
    options, config = parse_with_config(parser, arguments)
    check_counts(options, "batch", "steps")
    return options, config


def parse_with_config(
    parser: argparse.ArgumentParser, arguments: list[str] | None
) -> tuple[argparse.Namespace, Config]:
    """Parse a benchmark's options and the configuration, whose fields can be set as in main.py.

    Args:
      parser: knows the benchmark's options, `--config` among them.
      arguments: the command line without the program's name; None reads it from `sys.argv`.

    Returns:
      The options and the configuration. `options.fields` has the fields that the command line sets,
      with their values as text: {"train.remat": "True"}.

    Raises:
      InputError: an argument is unknown, or the configuration cannot be used.
    """
    options, others = parser.parse_known_args(arguments)
    config, options.fields = _read_config(options.config, others)
    return options, config


def config_from_file(path: str) -> Config:
    """Return the configuration of a file, with random weights in the perceptual network.

    Raises:
      InputError: there is no such file, or its configuration cannot be used.
    """
    return _read_config(path, [])[0]


def check_counts(options: argparse.Namespace, *names: str) -> None:
    """Raise an `InputError` if one of these options was given and is less than 1."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; expected at least 1")


def _read_config(path: str, arguments: Sequence[str]) -> tuple[Config, dict[str, str]]:
    """Read a configuration and the fields that arguments like --config.train.remat=True set.

    The perceptual network gets random weights unless an argument names others.

    Returns:
      The configuration, and the fields that were set.

    Raises:
      InputError: there is no such file, an argument is unknown, or a value cannot be used.
    """
    file = path.split(":")[0]
    if not Path(file).is_file():
        raise InputError(f"--config: there is no file {file}")
    for argument in arguments:
        if field := re.match(r"--?(?:no)?(config\.[^=]*)", argument):
            check_field(field[1])
    values = flags.FlagValues()
    command_line = ["benchmark", f"--config={path}", *arguments]
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=command_line)
    try:
        _, *rest = values(command_line)
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from error
    if rest:
        raise InputError(f"{rest[0]!r} is not understood")
    overrides = config_flags.get_override_values(values["config"])
    if "perceptual.weights" not in overrides:
        values.config.perceptual.weights = "random"
    return from_config_dict(values.config), {name: str(overrides[name]) for name in overrides}
