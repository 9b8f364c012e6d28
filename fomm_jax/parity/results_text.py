"""Results of a comparison as text: a table for the terminal, a Markdown file, a JSON file."""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from fomm_jax.buckets import AnyPath
from fomm_jax.files import replacing
from fomm_jax.parity.results import ComparedArray, Comparison, Comparisons, Timing, all_arrays

TITLE = "Comparison with the original"
JSON_NAME, MARKDOWN_NAME = "comparison.json", "comparison.md"
COLUMNS = ("array", "largest difference", "relative", "tolerance", "verdict")


def summarize(comparisons: Comparisons) -> str:
    """Count the verdicts and name the arrays over their tolerance, in one line."""
    arrays = all_arrays(comparisons)
    verdicts = [array.verdict for array in arrays]
    line = (
        f"{verdicts.count('ok')} arrays within tolerance, {verdicts.count('OVER')} over,"
        f" {verdicts.count('shown')} without a tolerance"
    )
    over = [array.array for array in arrays if array.verdict == "OVER"]
    return f"{line}; over: {', '.join(over)}" if over else line


def describe_timing(timing: Timing) -> str:
    """Describe how long a pair of pictures takes, and how far to trust that."""
    # Torch's threads wait for one another in busy loops: on shared cores, 15 ms become 1.3 s.
    return (
        f"With align_corners={timing.align_corners}, a pair of pictures takes"
        f" {timing.our_seconds:.3f} s in this project and {timing.original_seconds:.3f} s in the"
        f" original, both on the CPU. Before that, the machine's load average was"
        f" {timing.load:.1f} on {timing.cores} cores. The times are comparable only if nothing"
        " else was running."
    )


def format_table(arrays: Sequence[ComparedArray]) -> str:
    """Format a table with aligned columns for a terminal."""
    table = [COLUMNS, *map(to_cells, arrays)]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def to_cells(array: ComparedArray) -> tuple[str, ...]:
    """Return the text for each of `COLUMNS`."""
    tolerance = "" if array.tolerance is None else f"{array.tolerance:.0e}"
    if tolerance and array.is_relative:
        tolerance += " relative"
    return (
        array.array,
        f"{array.absolute:.1e}",
        f"{array.relative:.1e}",
        tolerance,
        array.verdict,
    )


def write_json(comparisons: Comparisons, folder: AnyPath) -> None:
    """Write `comparison.json`: for each comparison its `rows`, `losses` and `timing`.

    `rows` are the compared arrays with their verdicts. Keys are named as the fields of the classes
    in `results`; a number that is not finite is null.

    Raises:
      InputError: the file cannot be written.
    """
    content = {name: _to_json(comparison) for name, comparison in comparisons.items()}
    with replacing(folder / JSON_NAME) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, allow_nan=False), encoding="utf-8")


def write_markdown(comparisons: Comparisons, folder: AnyPath) -> None:
    """Write `comparison.md`: a summary, and a table for each comparison.

    Raises:
      InputError: the file cannot be written.
    """
    lines = [f"# {TITLE}\n\n{summarize(comparisons)}\n"]
    for name, comparison in comparisons.items():
        lines.append(f"\n## {name}\n")
        if comparison.timing is not None:
            lines.append(f"{describe_timing(comparison.timing)}\n")
        table = [COLUMNS, ("---",) * len(COLUMNS), *map(to_cells, comparison.arrays)]
        lines += [f"| {' | '.join(row)} |" for row in table]
    with replacing(folder / MARKDOWN_NAME) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _to_json(comparison: Comparison) -> dict[str, Any]:
    timing = comparison.timing
    return {
        "rows": [_fields(array) | {"verdict": array.verdict} for array in comparison.arrays],
        "losses": [_fields(losses) for losses in comparison.losses],
        "timing": None if timing is None else _fields(timing),
    }


def _fields(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass; None for numbers that JSON cannot hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in dataclasses.asdict(record).items()
    }
