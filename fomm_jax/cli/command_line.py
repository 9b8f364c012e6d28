"""Parse the flags of this project's programs, and refuse bad ones in one line."""

import argparse
import re
import traceback
from typing import Any

from absl import flags, logging

from fomm_jax import console
from fomm_jax.cli.config_names import A_CONFIG, find_file
from fomm_jax.config.parsing import check_field
from fomm_jax.errors import InputError, naming, refuse
from fomm_jax.user_paths import check_current_folder, parse_path

EXPECTED_CONFIG = "expected one that returns a ConfigDict"


def parse_flags(arguments: list[str]) -> list[str]:
    """Parse a command line for `absl.app.run`; a bad flag, file or field ends the program.

    Returns:
      The arguments that are not flags, which is only the program's name.
    """
    console.keep_stderr()
    # Unless --verbosity is given. Orbax logs every file that it writes, and errors before it raises
    # them. The project's own messages do not pass through absl's logger; see
    # `console.show_messages`.
    logging.set_verbosity(logging.FATAL)
    config_file = ""
    try:
        check_current_folder()
        arguments = _read_config_path(arguments)
        config_file = _find_config_file(arguments)
        _check_config_arguments(config_file, arguments)
        rest = flags.FLAGS(arguments)
        if config_file:
            _check_config(config_file, flags.FLAGS.config)
    except InputError as error:
        refuse(str(error))
    except flags.Error as error:
        # The message holds the traceback of a TypeError or ValueError in a config file.
        lines = str(error).splitlines()
        message = " ".join(dict.fromkeys((lines[0], lines[-1])))
        refuse(f"{message.removeprefix('flag ')}; see --help")
    except OSError as error:
        refuse(f"--config: {str(error).splitlines()[-1].strip()}")
    except Exception as error:  # the code of a config file may raise anything
        if isinstance(error, AttributeError) and error.name == "get_config":
            refuse(f"--config: {config_file} has no function get_config(); {EXPECTED_CONFIG}")
        reason = traceback.format_exception_only(error)[-1]
        refuse(f"{_locate_error(error, config_file)}: {' '.join(reason.split())}")
    if len(rest) > 1:
        refuse(f"{rest[1]!r} is not understood; see --help")
    return rest


def _read_config_path(arguments: list[str]) -> list[str]:
    """Return the arguments with the file that --config=NAME, or --config NAME, means."""
    arguments = [*arguments]
    for i, argument in enumerate(arguments):
        match = re.fullmatch(r"(--?config)(?:=(.*))?", argument, re.DOTALL)
        if match is not None:
            with naming(match[1]):
                if match[2] is not None:
                    arguments[i] = f"{match[1]}={find_file(parse_path(match[2]))}"
                elif i + 1 < len(arguments):
                    arguments[i + 1] = find_file(parse_path(arguments[i + 1]))
    return arguments


def _find_config_file(arguments: list[str]) -> str:
    """Return the file of --config=FILE or --config FILE, without a colon and what follows it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", nargs="?", const="", default="")
    known, _ = parser.parse_known_args(arguments[1:])
    return known.config.split(":")[0]


def _check_config_arguments(file: str, arguments: list[str]) -> None:
    """Raise an `InputError` where the message of ml_collections would not name the culprit."""
    if file.endswith((".yaml", ".yml")):
        raise InputError(
            f"--config: {file} is no Python file; for a configuration of the original use"
            f" --config=from_yaml:{file}"
        )
    for argument in arguments[1:]:
        if field := re.match(r"--?(?:no)?(config\.[^=]*)", argument):
            check_field(field[1])
            if not file:
                raise InputError(
                    f"--config: is missing, though {argument} changes a field of it; expected"
                    f" {A_CONFIG}"
                )


def _check_config(file: str, config: Any) -> None:
    """Raise an `InputError` if get_config() returned something else than a `ConfigDict`.

    Raises:
      OSError: the file cannot be read.
    """
    to_dict = getattr(config, "to_dict", None)  # ml_collections says only now that it cannot
    if to_dict is None:
        kind = "nothing" if config is None else f"a {type(config).__name__}"
        raise InputError(f"--config: get_config() of {file} returned {kind}; {EXPECTED_CONFIG}")
    to_dict()


def _locate_error(error: Exception, file: str) -> str:
    """Return the file, and if possible the line, where the code of a config file failed."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{file}, line {lines[-1]}" if lines else f"--config={file}"
