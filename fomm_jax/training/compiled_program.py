"""What the text of a compiled program tells of its instructions: kind, shape, origin."""

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

    kind: str  # in XLA's words: convolution, fusion, while, …
    shape: str  # of its result
    scope: str  # JAX's name for it: the functions and scopes it was called in, then the operation
    source: str  # FILE:LINE of the innermost of the given files that it was called from, or ""


def read_instructions(text: str, is_ours: str) -> dict[str, Instruction]:
    """The instructions of a program by name.

    Args:
      text: what `as_text` of a compiled program gives.
      is_ours: part of the path of the files that `source` may name, such as "/fomm_jax/".
    """
    tables = _read_tables(text)
    found = {}
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            name, shape, kind = match.groups()
            scope, frame = _SCOPE.search(line), _FRAME.search(line)
            found[name] = Instruction(
                kind,
                shape,
                scope[1] if scope else "",
                _source(tables, frame[1], is_ours) if frame else "",
            )
    return found


def _read_tables(text: str) -> dict[str, dict[str, str]]:
    """The tables of files and calls at the head of a program, by title and number."""
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


def _source(tables: dict[str, dict[str, str]], frame: str, is_ours: str) -> str:
    """The innermost call in a file of ours."""
    while frame in tables["StackFrames"]:
        call = dict(_FIELD.findall(tables["StackFrames"][frame]))
        place = dict(_FIELD.findall(tables["FileLocations"].get(call["file_location_id"], "")))
        file = tables["FileNames"].get(place.get("file_name_id", ""), "").strip('"')
        if is_ours in file:
            return f"{file.rpartition('/')[2]}:{place['line']}"
        frame = str(int(call["parent_frame_id"]) - 1)  # 1 is none, and each of the others one more
    return ""
