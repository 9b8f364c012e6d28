"""Conversion between `Config`, which the code reads, and the `ConfigDict` that users edit."""

import dataclasses
import difflib
import functools
import json
import math
import reprlib
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from ml_collections import ConfigDict, config_dict

from fomm_jax.config.schema import Config
from fomm_jax.config.validation import check_config
from fomm_jax.errors import InputError

# By the type of a field: what is expected, with an example.
EXPECTED = {
    bool: "True or False",
    int: "a whole number, such as 10",
    float: "a number, such as 0.5",
    str: "text, such as 'videos'",
    tuple[int, ...]: "a list of whole numbers, such as [60, 90]",
    tuple[int, int]: "a list of 2 whole numbers, such as [256, 256]",
    tuple[int, int, int]: "a list of 3 whole numbers, such as [256, 256, 3]",
    tuple[float, ...]: "a list of numbers, such as [1, 0.5]",
    tuple[float, float]: "a list of 2 numbers, such as [0.9, 1.1]",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def to_config_dict(config: Config) -> ConfigDict:
    """Return the configuration as a `ConfigDict`, whose fields the command line can set."""
    return ConfigDict(_to_dict(config))


def from_config_dict(values: ConfigDict) -> Config:
    """Return the configuration that a `ConfigDict` describes, checked by `check_config`.

    A field that is left out has its default. A whole number is accepted for a float, a list for a
    tuple, and numbers and arrays of NumPy for those of Python; no other type is converted.

    Raises:
      InputError: there is an unknown key, a value of the wrong type, or a value that cannot work.
    """
    config = parse(values.to_dict())
    check_config(config)
    return config


def parse(values: Mapping[str, Any]) -> Config:
    """Return the configuration that nested mappings describe, without checking it.

    Types are converted as in `from_config_dict`.

    Raises:
      InputError: there is an unknown key or a value of the wrong type.
    """
    return _parse_section(Config, values, "config")


def to_json(config: Config) -> str:
    """Return the configuration as JSON, with all of its fields."""
    return json.dumps(dataclasses.asdict(config))


def from_json(text: str) -> Config:
    """Return the configuration in the JSON of `to_json`, checked by `check_config`.

    Raises:
      InputError: the text is not JSON; or the errors of `from_config_dict`.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"config: expected JSON ({error})") from error
    config = parse(values)
    check_config(config)
    return config


def show(value: Any) -> str:
    """Return a value as messages show it, shortened where it is long."""
    text = " ".join(_SHORT.repr(value).split())
    return f"the text {text}" if isinstance(value, str) else text


def check_field(path: str) -> None:
    """Raise an `InputError` if no field or section has this name, such as config.train.seed."""
    known = _known_paths()
    if path not in known:
        (nearest,) = difflib.get_close_matches(path, known, n=1, cutoff=0)
        raise InputError(f"{path}: no such field; the nearest known one is {nearest}")


def _to_dict(section: Any) -> dict[str, Any]:
    values = {}
    for name, hint in get_type_hints(type(section)).items():
        value = getattr(section, name)
        if dataclasses.is_dataclass(value):
            value = _to_dict(value)
        elif value is None:  # a placeholder tells ml_collections the type to parse on command lines
            type_when_set = get_args(hint)[0]
            value = config_dict.placeholder(get_origin(type_when_set) or type_when_set)
        values[name] = value
    return values


def _parse_section(section: Any, values: Any, path: str) -> Any:
    if not isinstance(values, Mapping):
        raise InputError(f"{path}: expected a section, got {show(values)}")
    for name in values:
        check_field(f"{path}.{name}")
    hints = get_type_hints(section)
    return section(
        **{name: _parse_value(hints[name], values[name], f"{path}.{name}") for name in values}
    )


def _parse_value(hint: Any, value: Any, path: str) -> Any:
    """Return the value as the type `hint`, which is one of those in `schema.py`.

    Constraints are not in `hint`: `get_type_hints` has removed them.
    """
    if dataclasses.is_dataclass(hint):
        return _parse_section(hint, value, path)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if NoneType in get_args(hint):
        return None if value in (None, "", ()) else _parse_value(get_args(hint)[0], value, path)
    if get_origin(hint) is tuple:
        return _parse_tuple(hint, value, path)
    if hint is float and type(value) is int:
        value = float(value) if abs(value) < 2**1023 else math.inf
    if type(value) is not hint:  # isinstance would accept True as an int
        raise InputError(f"{path}: expected {EXPECTED[hint]}, got {show(value)}")
    if hint is float and not math.isfinite(value):
        raise InputError(f"{path}: expected a finite number, got {value}")
    return value


def _parse_tuple(hint: Any, value: Any, path: str) -> tuple[Any, ...]:
    hints = get_args(hint)
    is_list = isinstance(value, list | tuple)
    if is_list and Ellipsis in hints:
        hints = hints[:1] * len(value)
    if not is_list or len(hints) != len(value):
        raise InputError(f"{path}: expected {EXPECTED[hint]}, got {show(value)}")
    return tuple(
        _parse_value(item_hint, item, f"{path}[{i}]")
        for i, (item_hint, item) in enumerate(zip(hints, value, strict=True))
    )


@functools.cache
def _known_paths() -> tuple[str, ...]:
    return tuple(_paths(Config, "config"))


def _paths(section: Any, path: str) -> Iterator[str]:
    """Yield the dotted names of all sections and fields below `path`."""
    for name, hint in get_type_hints(section).items():
        yield f"{path}.{name}"
        if dataclasses.is_dataclass(hint):
            yield from _paths(hint, f"{path}.{name}")
