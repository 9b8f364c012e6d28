"""What a comparison found: as a table in the terminal, and as JSON, Markdown and a page."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence

from fomm_jax import report
from fomm_jax.atomic_files import replacing
from fomm_jax.comparison import Comparison

COLUMNS = ("array", "largest difference", "relative", "tolerance", "verdict")

Comparisons = Mapping[str, Sequence[Comparison]]  # by what was compared


def is_over(comparisons: Comparisons) -> bool:
    """Whether an array is farther off than its tolerance."""
    return any(row.verdict == "OVER" for rows in comparisons.values() for row in rows)


def summarize(comparisons: Comparisons) -> str:
    """One line."""
    verdicts = [row.verdict for rows in comparisons.values() for row in rows]
    count = {verdict: verdicts.count(verdict) for verdict in ("ok", "OVER", "shown")}
    over = [row.array for rows in comparisons.values() for row in rows if row.verdict == "OVER"]
    line = f"{count['ok']} arrays within their tolerance, {count['OVER']} over"
    line += f", {count['shown']} shown without one"
    return f"{line}; over: {', '.join(over)}" if over else line


def format_table(rows: Sequence[Comparison]) -> str:
    """Lines of columns for a terminal."""
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def write_reports(comparisons: Comparisons, folder: pathlib.Path) -> None:
    """Write `comparison.json`, `comparison.md` and `comparison.html` into a folder.

    Raises:
      InputError: nothing can be written there.
    """
    # JSON has no infinity.
    values = {
        name: [
            {
                field: None if isinstance(value, float) and math.isinf(value) else value
                for field, value in (dataclasses.asdict(row) | {"verdict": row.verdict}).items()
            }
            for row in rows
        ]
        for name, rows in comparisons.items()
    }
    with replacing(folder / "comparison.json") as unfinished:
        unfinished.write_text(json.dumps(values, indent=2), encoding="utf-8")
    lines = [f"# Comparison with the original\n\n{summarize(comparisons)}\n"]
    for name, rows in comparisons.items():
        lines.append(f"\n## {name}\n")
        table = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, rows)]
        lines += [f"| {' | '.join(row)} |" for row in table]
    with replacing(folder / "comparison.md") as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sections = [
        ("Summary", [report.paragraph(summarize(comparisons))]),
        *((name, [report.table(COLUMNS, map(_cells, rows))]) for name, rows in comparisons.items()),
    ]
    report.write_page(folder / "comparison.html", "Comparison with the original", sections)


def _cells(row: Comparison) -> tuple[str, ...]:
    tolerance = "" if row.tolerance is None else f"{row.tolerance:.0e}"
    if tolerance and row.is_relative:
        tolerance += " relative"
    return (row.array, f"{row.absolute:.1e}", f"{row.relative:.1e}", tolerance, row.verdict)
