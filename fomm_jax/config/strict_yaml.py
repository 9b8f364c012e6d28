"""Read YAML without its traps.

PyYAML reads YAML 1.1, where `010` is 8, `1:30` is 90, `1_000` is 1000, `2e-4` is text, and the
last of two equal keys wins. People who write such values mean something else, and YAML 1.2 reads
them differently. Here `2e-4` is a number, and the others are refused by the name of their key.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from fomm_jax.config.parsing import show
from fomm_jax.errors import InputError, naming
from fomm_jax.files import check_is_file, reading

INT, FLOAT, MERGE, LIST, MAPPING = (
    f"tag:yaml.org,2002:{name}" for name in ("int", "float", "merge", "seq", "map")
)
NO_POINT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$")
# Numbers that YAML 1.1 and 1.2 read differently: octal, binary and sexagesimal ones (1:30), and
# those with underscores.
AMBIGUOUS = re.compile(r"[-+]?(0[0-9]+|0b[01]+|[0-9]+(:[0-9]+)+(\.[0-9]*)?)|.*_.*")


class _Loader(yaml.SafeLoader):
    """Reads numbers with an exponent but without a point, and remembers which nodes are anchors."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.anchored: list[yaml.Node] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and remember it if other places in the file can refer to it."""
        event = self.peek_event()
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.NodeEvent) and event.anchor and node is not None:
            self.anchored.append(node)
        return node


_Loader.add_implicit_resolver(FLOAT, NO_POINT, [*"-+.0123456789"])


def read_yaml(path: str | os.PathLike[str], keys: Collection[str]) -> Any:
    """Read a YAML file.

    Args:
      path: the file.
      keys: the keys that the top level can have. Another one is left out if its value is an anchor,
        since it may only be there for other places to refer to.

    Returns:
      Dicts, lists and plain values. The keys of dicts are text, as the file writes them.

    Raises:
      InputError: the file cannot be read or is no YAML, a key is given twice, a value does not fit
        its tag, or a number is written in a form that versions of YAML read differently. The
        message names the key.
    """
    check_is_file(path, "a YAML file")
    with reading(path):
        content = Path(path).read_bytes()
    with naming(path):
        try:
            loader = _Loader(content)
            root = loader.get_single_node()
            if isinstance(root, yaml.MappingNode):
                root.value = [
                    (key, value)
                    for key, value in root.value
                    if key.value in keys or value not in loader.anchored
                ]
            return None if root is None else _Reader(loader).read(root, "")
        # ValueError: text that is not UTF-8. RecursionError: lists within lists without end.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise InputError(f"not YAML: {' '.join(str(error).split())}") from None


class _Reader:
    """Makes values of the nodes of a file, and checks them on the way."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._values: dict[int, Any] = {}  # by the id of the node, which aliases share
        self._open: set[int] = set()

    def read(self, node: yaml.Node, name: str) -> Any:
        """Return the value of a node, which messages call by its dotted name."""
        if id(node) in self._open:
            raise InputError(f"{name}: holds itself")
        if id(node) not in self._values:
            self._open.add(id(node))
            self._values[id(node)] = self._read_new(node, name)
            self._open.remove(id(node))
        return self._values[id(node)]

    def _read_new(self, node: yaml.Node, name: str) -> Any:
        if isinstance(node, yaml.CollectionNode) and node.tag not in (LIST, MAPPING):
            raise InputError(f"{name}: has the tag {node.tag}; expected a plain value")
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, name)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{name}[{index}]") for index, item in enumerate(node.value)]
        if node.tag in (INT, FLOAT) and AMBIGUOUS.fullmatch(node.value):
            value = self._construct(node, name)
            raise InputError(
                f"{name}: {node.value} is {value} in old versions of YAML and something else in new"
                f" ones; write the number that is meant in decimal digits, such as {value}"
            )
        return self._construct(node, name)

    def _construct(self, node: yaml.Node, name: str) -> Any:
        try:
            return self._loader.construct_object(node)
        except (AttributeError, LookupError, ValueError) as error:  # whatever PyYAML runs into
            kind = node.tag.rpartition(":")[2]
            raise InputError(f"{name}: {show(node.value)} is no {kind} of YAML's") from error

    def _read_mapping(self, node: yaml.MappingNode, name: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}  # by the key <<, whose mappings lend their entries
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key_node.tag == MERGE:
                lent = self.read(value_node, f"{name}.<<")
                for mapping in lent if isinstance(lent, list) else [lent]:
                    if not isinstance(mapping, dict):
                        raise InputError(f"{name}.<<: expected a section, got {show(mapping)}")
                    merged = mapping | merged
                continue
            if not isinstance(key, str):
                raise InputError(f"line {line}: expected a key of text")
            dotted = f"{name}.{key}" if name else key
            if key in lines:
                raise InputError(
                    f"{dotted}: given twice, in lines {lines[key]} and {line}; expected it once"
                )
            lines[key] = line
            values[key] = self.read(value_node, dotted)
        return merged | values
