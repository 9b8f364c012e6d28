"""What a comparison found: as a table in the terminal, and as JSON and Markdown."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from fomm_jax.files import replacing
from fomm_jax.parity.findings import Comparison, Comparisons, Findings, Timing

JSON_NAME, MARKDOWN_NAME = "comparison.json", "comparison.md"
COLUMNS = ("array", "largest difference", "relative", "tolerance", "verdict")


def is_over(comparisons: Comparisons) -> bool:
    """Whether an array is farther off than its tolerance."""
    return any(row.verdict == "OVER" for row in _all_rows(comparisons))


def summarize(comparisons: Comparisons) -> str:
    """One line."""
    rows = _all_rows(comparisons)
    verdicts = [row.verdict for row in rows]
    count = {verdict: verdicts.count(verdict) for verdict in ("ok", "OVER", "shown")}
    over = [row.array for row in rows if row.verdict == "OVER"]
    line = f"{count['ok']} arrays within their tolerance, {count['OVER']} over"
    line += f", {count['shown']} shown without one"
    return f"{line}; over: {', '.join(over)}" if over else line


def describe(timing: Timing) -> str:
    """What a pair of pictures took, and how far that is to be trusted."""
    # Torch's threads wait busily for one another: where cores are shared, 15 ms become 1.3 s.
    return (
        f"A pair with align_corners={timing.align_corners} took ours {timing.our_seconds:.3f} s,"
        f" the original {timing.original_seconds:.3f} s, both on the CPU. The load of this machine"
        f" was {timing.load:.1f} on {timing.cores} cores before; times compare only where nothing"
        " else runs."
    )


def format_table(rows: Sequence[Comparison]) -> str:
    """Lines of columns for a terminal."""
    table = [COLUMNS, *map(cells, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def cells(row: Comparison) -> tuple[str, ...]:
    """A row as text, by `COLUMNS`."""
    tolerance = "" if row.tolerance is None else f"{row.tolerance:.0e}"
    if tolerance and row.is_relative:
        tolerance += " relative"
    return (row.array, f"{row.absolute:.1e}", f"{row.relative:.1e}", tolerance, row.verdict)


def write_json(comparisons: Comparisons, folder: pathlib.Path) -> None:
    """Write all figures: by name `rows`, `losses` and `timing`, the fields those of the classes.

    Raises:
      InputError: nothing can be written there.
    """
    values = {name: _values(findings) for name, findings in comparisons.items()}
    with replacing(folder / JSON_NAME) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2, allow_nan=False), encoding="utf-8")


def write_markdown(comparisons: Comparisons, folder: pathlib.Path) -> None:
    """Write the tables.

    Raises:
      InputError: nothing can be written there.
    """
    lines = [f"# Comparison with the original\n\n{summarize(comparisons)}\n"]
    for name, findings in comparisons.items():
        lines.append(f"\n## {name}\n")
        if findings.timing is not None:
            lines.append(f"{describe(findings.timing)}\n")
        table = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, findings.rows)]
        lines += [f"| {' | '.join(row)} |" for row in table]
    with replacing(folder / MARKDOWN_NAME) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _all_rows(comparisons: Comparisons) -> list[Comparison]:
    return [row for findings in comparisons.values() for row in findings.rows]


def _values(findings: Findings) -> dict[str, Any]:
    timing = findings.timing
    return {
        "rows": [_fields(row) | {"verdict": row.verdict} for row in findings.rows],
        "losses": [_fields(losses) for losses in findings.losses],
        "timing": None if timing is None else _fields(timing),
    }


def _fields(record: Any) -> dict[str, Any]:
    """Of a dataclass; None for numbers that JSON does not have."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in dataclasses.asdict(record).items()
    }
