"""The instructions of a compiled program, read from its text: kind, shape and origin."""

import dataclasses
import re

_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(")
_SCOPE = re.compile(r'op_name="([^"]*)"')
_FRAME = re.compile(r"stack_frame_id=(\d+)")
_ROW = re.compile(r"^(\d+) (.*)$")
_FIELD = re.compile(r"(\w+)=(\d+)")
_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """An instruction of a program."""

    kind: str  # XLA's word for it: convolution, fusion, while, …
    shape: str  # of its result
    scope: str  # JAX's name for it: the functions and scopes around it, then the operation
    source: str  # FILE:LINE of the innermost call in one of the given files, or ""


def read_instructions(text: str, path_part: str) -> dict[str, Instruction]:
    """Return the instructions of a program by name.

    Args:
      text: the program's `as_text()`.
      path_part: a part of the paths of files that `source` may name, such as "/fomm_jax/".
    """
    tables = _read_tables(text)
    instructions = {}
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            name, shape, kind = match.groups()
            scope, frame = _SCOPE.search(line), _FRAME.search(line)
            instructions[name] = Instruction(
                kind,
                shape,
                scope[1] if scope else "",
                _source(tables, frame[1], path_part) if frame else "",
            )
    return instructions


def _read_tables(text: str) -> dict[str, dict[str, str]]:
    """Read the tables of files and calls at the head of a program, by title and number."""
    tables: dict[str, dict[str, str]] = {title: {} for title in _TABLES}
    table: dict[str, str] | None = None
    for line in text.splitlines():
        if line in tables:
            table = tables[line]
        elif table is not None and (row := _ROW.match(line)):
            table[row[1]] = row[2]
        elif table is not None and line:
            table = None
    return tables


def _source(tables: dict[str, dict[str, str]], frame: str, path_part: str) -> str:
    """Return FILE:LINE of the innermost call in a file whose path has the given part."""
    while frame in tables["StackFrames"]:
        call = dict(_FIELD.findall(tables["StackFrames"][frame]))
        place = dict(_FIELD.findall(tables["FileLocations"].get(call["file_location_id"], "")))
        file = tables["FileNames"].get(place.get("file_name_id", ""), "").strip('"')
        if path_part in file:
            return f"{file.rpartition('/')[2]}:{place['line']}"
        frame = str(
            int(call["parent_frame_id"]) - 1
        )  # 1 stands for none; all numbers are one too high
    return ""
