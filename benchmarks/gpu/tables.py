"""The Markdown of `benchmarks.gpu_report`."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.gpu.machine import Machine
from benchmarks.gpu.plan import FORMS, UNITS, Outcome

ORDER = [*FORMS.values()]
OURS = FORMS["ours", "bfloat16"]
EAGER, COMPILED = FORMS["original", "tf32"], FORMS["original", "bfloat16"]
NOT_MEASURED = "not measured"


def rate(outcome: Outcome) -> float:
    """Return the pairs or frames per second of a side that was measured."""
    return outcome.part.argument["batch"] / statistics.median(outcome.figures["seconds"])


def share_of_rate(outcome: Outcome, machine: Machine) -> float | None:
    """Return our FLOPs per second over those of bfloat16 matrix products."""
    flops = machine.flops.get(outcome.part.argument["task"])
    if flops is None or machine.matrix_rate is None or outcome.part.argument["who"] != "ours":
        return None
    return rate(outcome) * flops / machine.matrix_rate


def goals(outcomes: Sequence[Outcome], machine: Machine) -> list[dict[str, Any]]:
    """Return each goal: its name, the value to reach, the value that was measured or None.

    Ratios compare sides at the same batch; other goals take the best batch. "at_most" tells whether
    smaller values are better.
    """
    measured = [outcome for outcome in outcomes if _is_side(outcome) and outcome.figures]
    training = [outcome for outcome in measured if outcome.part.argument["task"] == "training"]
    animation = [outcome for outcome in measured if outcome.part.argument["task"] == "animation"]
    ours = [outcome for outcome in training if outcome.part.form == OURS]
    frames = [outcome for outcome in animation if outcome.part.form == OURS]

    def ratio(form: str) -> float | None:
        ratios = [
            rate(mine) / rate(theirs)
            for mine in ours
            for theirs in training
            if theirs.part.form == form
            and theirs.part.argument["batch"] == mine.part.argument["batch"]
            and theirs.figures["platform"] == mine.figures["platform"]
        ]
        return ratios[0] if ratios else None

    shares = [share for outcome in ours if (share := share_of_rate(outcome, machine))]
    batches = [rate(outcome) for outcome in frames if outcome.part.argument["batch"] > 1]
    singles = [1000 / rate(outcome) for outcome in frames if outcome.part.argument["batch"] == 1]
    rows = (
        (f"training: speed of ({OURS}) over ({EAGER})", 3.0, ratio(EAGER), False),
        (f"training: speed of ({OURS}) over ({COMPILED})", 1.5, ratio(COMPILED), False),
        ("training: share of the measured bfloat16 rate", 0.4, max(shares, default=None), False),
        ("animation in batches, frames/s", 2000.0, max(batches, default=None), False),
        ("animation, ms for one frame", 5.0, min(singles, default=None), True),
    )
    return [
        {"goal": name, "value": value, "measured": figure, "at_most": at_most}
        for name, value, figure, at_most in rows
    ]


def markdown(outcomes: Sequence[Outcome], machine: Machine | None, title: str) -> str:
    """Return the whole report.

    Args:
      outcomes: what became of each part.
      machine: the device, or None if it could not be described.
      title: the first heading.
    """
    known = machine or Machine("", "", "")
    sections = [f"# {title}", _machine_in_words(machine)]
    sections += ["## Goals", _goals(goals(outcomes, known))]
    for task in UNITS:
        sides = [
            outcome
            for outcome in outcomes
            if _is_side(outcome) and outcome.part.argument["task"] == task
        ]
        if sides:
            sections += [f"## {task.capitalize()}", _sides(sides, known, UNITS[task])]
    for outcome in outcomes:
        if outcome.part.kind == "kernels" and outcome.figures:
            sections += ["## The costliest kernels", *_kernels(outcome.figures)]
        if outcome.part.kind == "input" and outcome.figures:
            sections += ["## The wait for input", _wait(outcome.figures)]
    missing = [outcome for outcome in outcomes if outcome.reason]
    if missing:
        rows = [(outcome.part.name, outcome.state, outcome.reason) for outcome in missing]
        sections += ["## What was not measured", table(("part", "", "reason"), rows)]
    return "\n\n".join(sections) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; names of kernels may hold bars, which would end a cell."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def _is_side(outcome: Outcome) -> bool:
    return "who" in outcome.part.argument


def _machine_in_words(machine: Machine | None) -> str:
    if machine is None:
        return "The machine could not be described."
    rate_in_words = (
        NOT_MEASURED if machine.matrix_rate is None else f"{machine.matrix_rate / 1e12:.0f} TFLOP/s"
    )
    work = ", ".join(
        f"{flops / 1e9:.4g} GFLOP for one of the {UNITS[task]} of {task}"
        for task, flops in machine.flops.items()
    )
    return (
        f"{machine.device} ({machine.platform}), JAX {machine.jax}, torch {machine.torch or 'none'}"
        f". bfloat16 products of large matrices: {rate_in_words}. Work: {work or NOT_MEASURED}."
    )


def _goals(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = []
    for row in rows:
        figure, value = row["measured"], row["value"]
        bound = f"{'at most' if row['at_most'] else 'at least'} {value:g}"
        if figure is None:
            cells.append((row["goal"], bound, NOT_MEASURED, ""))
            continue
        reached = figure <= value if row["at_most"] else figure >= value
        cells.append((row["goal"], bound, f"{figure:.4g}", "yes" if reached else "no"))
    return table(("goal", "", "measured", "reached"), cells)


def _sides(outcomes: Sequence[Outcome], machine: Machine, unit: str) -> str:
    rows = []
    for outcome in sorted(
        outcomes,
        key=lambda outcome: (ORDER.index(outcome.part.form), outcome.part.argument["batch"]),
    ):
        batch = outcome.part.argument["batch"]
        if not outcome.figures:
            rows.append((outcome.part.form, batch, outcome.state, "", "", "", ""))
            continue
        seconds = [1000 * second for second in outcome.figures["seconds"]]
        share = share_of_rate(outcome, machine)
        rows.append(
            (
                outcome.part.form,
                batch,
                f"{statistics.median(seconds):.4g} ({min(seconds):.4g} to {max(seconds):.4g})",
                f"{rate(outcome):.4g}",
                f"{outcome.figures['peak_memory_bytes'] / 1e9:.1f} GB of the"
                f" {outcome.figures['peak_memory_of']}",
                "" if share is None else f"{share:.1%}",
                f"{outcome.figures['first_seconds']:.1f} s",
            )
        )
    columns = ("", unit, "ms a step", f"{unit}/s", "peak memory", "share of rate", "first step")
    return table(columns, rows)


def _kernels(figures: Mapping[str, Any]) -> list[str]:
    sections = []
    if total := sum(figures["parts"].values()):
        rows = [
            (part, f"{1000 * seconds:.4g}", f"{seconds / total:.1%}")
            for part, seconds in figures["parts"].items()
        ]
        sections.append(table(("part of the step", "ms a step", "share"), rows))
        operations = [
            (
                f"{row['scope'].rpartition('/')[2]} {row['result']}",
                row["kind"],
                row["source"],
                f"{1000 * row['seconds']:.4g}",
                f"{row['seconds'] / total:.1%}",
            )
            for row in figures["operations"]
        ]
        columns = ("operation", "kind", "source", "ms a step", "share")
        sections.append(table(columns, operations))
    if figures["kernels"]:
        kernels = [(name, f"{1000 * seconds:.4g}") for name, seconds in figures["kernels"].items()]
        sections.append(table(("kernel", "ms a step"), kernels))
    if figures["reason"]:
        sections.append(f"Parts and operations are missing: {figures['reason']}")
    return sections


def _wait(figures: Mapping[str, Any]) -> str:
    clips = f"clips from {figures['videos']}" if figures["videos"] else "drawn clips"
    return (
        f"With {figures['batch']} pairs a step from {clips}, prepared as JPEG, a step takes"
        f" {1000 * figures['seconds_per_step']:.4g} ms, and"
        f" {1000 * figures['waiting_seconds_per_step']:.4g} ms of them"
        f" ({figures['waiting_share']:.2%}) it waits for its pairs. The loader alone reads"
        f" {figures['loader_pairs_per_second']:.4g} pairs/s with {figures['loader_processes']}"
        " processes."
    )
