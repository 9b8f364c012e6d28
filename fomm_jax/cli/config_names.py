"""The configurations that come with the project, by their names."""

import importlib
import os
import pathlib
import re

from ml_collections import ConfigDict

import configs
from fomm_jax.errors import InputError

A_CONFIG = "the name of a configuration, such as vox_256, or a file with get_config()"

FOLDER = pathlib.Path(configs.__file__).parent


def list_names() -> list[str]:
    """Return the names of all configurations, such as vox_256."""
    bases = ("__init__", "base", "tpsmm_base")  # are no models
    return sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in bases)


def load_config_dict(name: str) -> ConfigDict:
    """Return what the `get_config()` of a configuration returns."""
    return importlib.import_module(f"{configs.__name__}.{name}").get_config()


def find_file(value: str) -> str:
    """Return the value of --config with a file in the place of a name.

    Args:
      value: a name, or the path of a file; behind it may be a colon and an argument for the file's
        `get_config()`, as in from_yaml:PATH.

    Raises:
      InputError: there is no such configuration.
    """
    name, colon, argument = value.partition(":")
    if os.path.isfile(name):
        return value
    if name in list_names():
        file = FOLDER / f"{name}.py"
        # ml_collections would read the colon of C:\ as the one before an argument.
        return f"{os.path.relpath(file) if os.name == 'nt' else file}{colon}{argument}"
    stem = pathlib.PurePath(name).stem
    if stem in list_names():  # as a clone of the project has it in its own folder
        raise InputError(
            f"there is no file {name}; the project's own configuration is --config={stem}"
        )
    if re.fullmatch(r"\w+", name):
        raise InputError(
            f"there is no configuration {name}; expected a file with get_config(), or one of"
            f" {', '.join(list_names())}"
        )
    return value  # ml_collections says that it cannot be read
