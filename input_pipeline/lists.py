"""Lists that users write: text files, and CSV files with a row for each video, clip or pair."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, reading

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ":": "colons", " ": "spaces"}
MAX_SHOWN = 60  # characters of a cell in a message


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a CSV file."""

    path: Path  # the file
    line: int  # the number of the row's last line, the first line being 1
    cells: dict[str, str]  # by column; "" where the row ends before the column

    def place(self, column: str) -> str:
        """Name the file, the line and the column for a message."""
        return f"{self.path}, line {self.line}, column {column}"

    def error(self, column: str, expected: str) -> InputError:
        """Return an error that names a cell, its content, and what was expected instead."""
        cell = self.cells[column][:MAX_SHOWN]
        return InputError(f"{self.place(column)}: is {cell!r}; expected {expected}")


def read_text(path: Path, expected: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Args:
      path: the file.
      expected: what the file should hold, for the message of the error.

    Raises:
      InputError: the file cannot be read, is a folder, a pipe or a device, or is not in UTF-8.
    """
    check_is_file(path, expected)
    with reading(path, f"expected {expected}"):
        return path.read_text(encoding="utf-8-sig")


def read_rows(path: Path, columns: Sequence[str], *, even: bool = False) -> Iterator[Row]:
    """Yield the rows of a CSV file whose first line names the columns.

    Empty lines are skipped, and spaces after commas. The names of the required columns may be
    written with capitals. Columns other than the required ones may be present; their cells are
    part of the row too.

    Args:
      path: the file, in UTF-8.
      columns: the required columns, in any order.
      even: require every row to have as many cells as there are columns. Otherwise the cells that
        a short row lacks are empty, and the surplus cells of a long row are ignored.

    Raises:
      InputError: the file cannot be read, lacks a column, names a required column twice, or is no
        valid CSV; or a row has another number of cells although `even` is set.
    """
    expected = f"a CSV file with the columns {','.join(columns)}"
    text = read_text(path, expected)
    if separator := _other_separator(text.partition("\n")[0], columns):
        raise InputError(
            f"{path}, line 1: has {separator} between its columns; expected {expected}, which"
            " are separated by commas"
        )
    reader = csv.reader(io.StringIO(text), strict=True, skipinitialspace=True)
    try:
        names = [_column_name(name, columns) for name in next(reader, [])]
        for column in columns:
            if names.count(column) != 1:
                problem = "has two columns" if column in names else "has no column"
                raise InputError(f"{path}, line 1: {problem} {column}; expected {expected}")
        for cells in filter(None, reader):
            if even and len(cells) != len(names):
                raise InputError(
                    f"{path}, line {reader.line_num}: has {len(cells)} cells;"
                    f" expected {len(names)}, as many as columns"
                )
            missing = [""] * (len(names) - len(cells))
            yield Row(path, reader.line_num, dict(zip(names, [*cells, *missing], strict=False)))
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: is damaged ({error}); expected {expected}"
        ) from error


def _column_name(name: str, columns: Sequence[str]) -> str:
    """Return the name of a column as it is required, if it differs in capitals or spaces only."""
    name = name.strip()
    return name.lower() if name.lower() in columns else name


def _other_separator(line: str, columns: Sequence[str]) -> str | None:
    """Return in words what separates the required columns in a line, if it is no comma."""
    for separator, words in {",": None, **SEPARATORS}.items():
        names = {name.strip(" \"'").lower() for name in line.split(separator)}
        if names.issuperset(columns):
            return words
    return None
