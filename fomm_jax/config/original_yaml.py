"""Read the YAML files that configure the originals of the models.

A field of `Config` that the original does not know, such as the weights of the perceptual network,
has the default of `Config`.
"""

import difflib
import logging
import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from fomm_jax.config.original_sections import FIRST_ORDER, THIN_PLATE, Sections
from fomm_jax.config.parsing import parse, show, to_config_dict
from fomm_jax.config.strict_yaml import read_yaml
from fomm_jax.config.validation import check_bounds
from fomm_jax.errors import InputError, naming

logger = logging.getLogger(__name__)


def read_original_yaml(path: str) -> ConfigDict:
    """Read the configuration in a YAML file of the original.

    Whether its values fit together is not checked here but by `parsing.from_config_dict`, after
    the command line has changed some of them.

    Raises:
      InputError: the file cannot be read, lacks a key that the original needs, has a key that is
        unknown or given twice, or a value of the wrong type or out of its bounds. The message names
        the key of the file.
    """
    tree = read_yaml(path, [name for name in (*FIRST_ORDER, *THIN_PLATE) if "." not in name])
    with naming(path):
        values, keys = _translate(tree, _sections(tree))
        try:
            config = parse(values)
            check_bounds(config)
        except InputError as error:
            # The messages begin with the name of a field; the user knows the key of the file.
            field = re.split(r"[:\[]", str(error), maxsplit=1)[0]
            message = str(error).removeprefix(field)
            raise InputError(f"{keys.get(field, field)}{message}") from error
        return to_config_dict(config)


def _sections(tree: Any) -> Sections:
    """Return the sections of the model that the content of a file describes."""
    for name in ("model_params", "common_params"):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return THIN_PLATE if isinstance(tree, Mapping) and "num_tps" in tree else FIRST_ORDER


def _translate(tree: Any, sections: Sections) -> tuple[dict[str, Any], dict[str, str]]:
    """Translate the content of a file.

    Args:
      tree: the content.
      sections: the sections that it can have.

    Returns:
      The values under the names of `Config`, as `parse` takes them, and the keys of the file by the
      dotted names of fields.
    """
    contents = {"": tree}  # of the sections that the file has
    _check_keys(sections, "", tree, keys=())
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for path, section in sections.items():
        parent, _, name = path.rpartition(".")
        content = contents.get(parent, {}).get(name)
        if content is None:
            if parent in contents and not section.may_be_absent:
                raise InputError(
                    f"{path}: missing, and a model without this section is not supported"
                )
            continue
        _check_keys(sections, path, content, section.keys)
        for key in section.required:
            if key not in content:
                raise InputError(f"{path}.{key}: missing")
        contents[path] = content
        for key, value in {**section.defaults, **content}.items():
            if key in section.ignored or f"{path}.{key}" in sections:
                continue
            if key == "frame_shape" and value is None:
                # The original takes frames as they are; here all frames have one size.
                logger.info("%s.%s: is null; the frames get the default size", path, key)
                continue
            field = section.field(key)
            _set(values, field, _range_or_square(key, value))
            keys[f"config.{field}"] = f"{path}.{key}"
    return values, keys


def _set(values: dict[str, Any], field: str, value: Any) -> None:
    """Set a field by its dotted name."""
    *parents, name = field.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[name] = value


def _check_keys(sections: Sections, path: str, content: Any, keys: tuple[str, ...]) -> None:
    """Raise an `InputError` if a section has a key that is neither one of `keys` nor a section."""
    if not isinstance(content, Mapping):
        raise InputError(f"{path or 'the file'}: expected a section with keys, got {show(content)}")
    known = [*sections, *(f"{name}.{key}" for name in sections for key in sections[name].keys)]
    for key in content:
        name = f"{path}.{key}" if path else str(key)
        if key not in keys and name not in sections:
            (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise InputError(f"{name}: unknown key; the nearest known one is {nearest}")


def _range_or_square(key: str, value: Any) -> Any:
    """Return (-x, x) for an angle x and (x, x) for a size x; any other value as it is."""
    if isinstance(value, int | float):
        if key == "degrees":
            return (-value, value)
        if key == "size":
            return (value, value)
    return value
