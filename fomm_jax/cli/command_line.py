"""How the programs of this project read their flags, and how they end where input is bad."""

import argparse
import re
import traceback

from absl import flags, logging

from fomm_jax.config.parsing import check_field
from fomm_jax.errors import InputError, refuse


def parse_flags(arguments: list[str]) -> list[str]:
    """Parse a command line for `absl.app.run`; a wrong flag, file or config field ends in one line.

    Returns:
      What is no flag, the program's name first.
    """
    config_file = _config_file(arguments)
    try:
        _check_config_arguments(config_file, arguments)
        rest = flags.FLAGS(arguments)
        if "config" in flags.FLAGS and flags.FLAGS.config is not None:
            flags.FLAGS.config.to_dict()  # a missing file is told on the first look
    except InputError as error:
        refuse(str(error))
    except flags.Error as error:
        # A TypeError or ValueError of a config file comes with its traceback inside.
        lines = str(error).splitlines()
        refuse(f"{' '.join(dict.fromkeys((lines[0], lines[-1])))}; see --help")
    except OSError as error:
        refuse(f"--config: {str(error).splitlines()[-1].strip()}")
    except Exception as error:  # whatever the code of a config file raises
        reason = traceback.format_exception_only(error)[-1]
        refuse(f"{_place(error, config_file)}: {' '.join(reason.split())}")
    if len(rest) > 1:
        refuse(f"{rest[1]!r} is not understood; see --help")
    if not flags.FLAGS["verbosity"].present:
        # Orbax tells of every file that it writes, and of errors before it raises them.
        logging.set_verbosity(logging.FATAL)
    return rest


def _config_file(arguments: list[str]) -> str:
    """The file of --config=FILE or --config FILE, without what may follow it after a colon."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", nargs="?", const="", default="")
    known, _ = parser.parse_known_args(arguments[1:])
    return known.config.split(":")[0]


def _check_config_arguments(file: str, arguments: list[str]) -> None:
    """Refuse what ml_collections would answer without a name."""
    if file.endswith((".yaml", ".yml")):
        raise InputError(
            f"--config: {file} is no Python file; for a configuration of the original use"
            f" --config=configs/from_yaml.py:{file}"
        )
    for argument in arguments[1:]:
        if field := re.match(r"--?(?:no)?(config\.[^=]*)", argument):
            check_field(field[1])


def _place(error: Exception, file: str) -> str:
    """Where in a config file an error arose, as far as that can be said."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{file}, line {lines[-1]}" if lines else f"--config={file}"
