"""Configurations for tests: those of `configs/`, and variants of them."""

import dataclasses
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from fomm_jax.config.parsing import from_config_dict, parse, to_config_dict
from fomm_jax.config.schema import Config

CONFIGS = Path(__file__).parents[1] / "configs"
MODELS = sorted({path.stem for path in CONFIGS.glob("*.py")} - {"__init__", "from_yaml"})


def config_of(name: str) -> Config:
    """Return the configuration in configs/NAME.py."""
    return from_config_dict(importlib.import_module(f"configs.{name}").get_config())


def set_path(tree: dict, path: str, value: Any) -> None:
    """Set the value under a dotted path of nested dictionaries."""
    *sections, name = path.split(".")
    for section in sections:
        tree = tree[section]
    tree[name] = value


def with_fields(config: Config, **fields: Any) -> Config:
    """Return the configuration with other values; `__` in a name stands for a dot."""
    values = to_config_dict(config).to_dict()
    for field, value in fields.items():
        set_path(values, field.replace("__", "."), value)
    return parse(values)


def fields_of(section: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name of every field, in all sections, with its type and constraints."""
    for name, hint in get_type_hints(section, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            yield from fields_of(hint, f"{path}{name}.")
        else:
            yield f"{path}{name}", hint
