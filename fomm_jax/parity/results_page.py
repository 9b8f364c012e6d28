"""The page on a comparison: tables, curves of the losses, contact sheets, links to films."""

from collections.abc import Sequence

import numpy as np

from fomm_jax.buckets import AnyPath
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.parity.results import ComparedFrames, ComparedLosses, Comparison, Comparisons
from fomm_jax.parity.results_text import (
    COLUMNS,
    JSON_NAME,
    MARKDOWN_NAME,
    TITLE,
    describe_timing,
    summarize,
    to_cells,
)
from fomm_jax.reporting import html_page
from fomm_jax.reporting.drawing import side_by_side
from fomm_jax.reporting.html_page import Html

PAGE_NAME = "comparison.html"
SHEET_ROWS = 4  # frames of a clip on its contact sheet
WIDTH = 128  # pixels; narrower pictures are enlarged towards it by a whole number
FILM_FPS = 5  # slow enough to notice a difference; recordings have no frame rate
ROUNDING = float(np.finfo(np.float64).eps)


def write_results_page(comparisons: Comparisons, folder: AnyPath) -> None:
    """Write `comparison.html`, and a film of each clip.

    Args:
      comparisons: what the page shows, a section for each.
      folder: the folder to write to, where `results_text` writes JSON and Markdown too.

    Raises:
      InputError: a file cannot be written.
    """
    links = ", ".join(html_page.link(name, name) for name in (JSON_NAME, MARKDOWN_NAME))
    summary = [html_page.paragraph(summarize(comparisons)), Html(f"<p>All numbers: {links}</p>")]
    sections = [
        (name, _section(name, comparison, folder)) for name, comparison in comparisons.items()
    ]
    html_page.write_page(folder / PAGE_NAME, TITLE, [("Summary", summary), *sections])


def _section(name: str, comparison: Comparison, folder: AnyPath) -> list[Html]:
    elements = [html_page.paragraph(summarize({name: comparison}))]
    if comparison.timing is not None:
        elements.append(html_page.paragraph(describe_timing(comparison.timing)))
    elements += _plot_losses(comparison.losses)
    for frames in comparison.frames:
        if len({array.shape for array in _columns(frames)}) > 1:
            continue  # the table shows an infinite difference
        elements += _show_frames(name, frames, folder)
    return [*elements, html_page.table(COLUMNS, map(to_cells, comparison.arrays))]


def _plot_losses(losses: Sequence[ComparedLosses]) -> list[Html]:
    """Plot the losses and their differences, for the runs of more than one step."""
    by_run: dict[str, list[ComparedLosses]] = {}
    for step_losses in losses:
        by_run.setdefault(step_losses.run, []).append(step_losses)
    runs = {run: steps for run, steps in by_run.items() if len(steps) > 1}
    if not runs:
        return []
    sums, differences = {}, {}
    for run, steps in runs.items():
        sums[f"{run}: original"] = {item.step: item.original for item in steps}
        sums[f"{run}: ours"] = {item.step: item.ours for item in steps}
        # A logarithmic axis cannot show 0.
        differences[run] = {item.step: max(item.difference, ROUNDING) for item in steps}
    differences["tolerance"] = {
        item.step: item.tolerance
        for steps in runs.values()
        for item in steps
        if item.tolerance is not None
    }
    return [
        html_page.plot(
            sums,
            "step",
            "sum of the losses",
            "The sum of the losses in the original (solid) and in this project (dashed). Where one"
            " curve covers the other, the two agree.",
            dashed=[f"{run}: ours" for run in runs],
        ),
        html_page.plot(
            differences,
            "step",
            "relative difference",
            "The largest relative difference among the losses of a step. Rounding errors grow from"
            " step to step; the table shows which steps have to meet the tolerance.",
            dashed=["tolerance"],
        ),
    ]


def _show_frames(name: str, frames: ComparedFrames, folder: AnyPath) -> list[Html]:
    """Make a contact sheet; for a clip, write a film and link to it."""
    difference, factor = _magnify_difference(frames)
    columns = [_prepare(column) for column in (*_columns(frames), difference)]
    rows = [side_by_side(row) for row in zip(*columns, strict=True)]
    chosen = np.linspace(0, len(rows) - 1, min(SHEET_ROWS, len(rows))).round().astype(int)
    caption = (
        f"{frames.array}: source, driving frame, original, this project, and the difference"
        f" between the last two times {factor:,}"
    )
    if frames.is_clip:
        caption += f"; frames {', '.join(map(str, chosen))}"
    elements = [html_page.contact_sheet([[rows[i]] for i in chosen], caption)]
    if frames.is_clip:
        film = f"{name}_{frames.array}.mp4".replace("/", "_")
        with VideoWriter(folder / film, FilmFormat(*rows[0].shape[:2], fps=FILM_FPS)) as writer:
            for row in rows:
                writer.write(row)
        link = html_page.link(f"Film of all {len(rows)} frames", film)
        elements.append(Html(f"<p>{link}</p>"))
    return elements


def _columns(frames: ComparedFrames) -> tuple[np.ndarray, ...]:
    """Return the frames to show side by side."""
    return frames.source, frames.driving, frames.original, frames.ours


def _magnify_difference(frames: ComparedFrames) -> tuple[np.ndarray, int]:
    """Return |ours - original| times a round factor that brings its maximum near 1; the factor."""
    difference = np.abs(frames.ours.astype(np.float64) - frames.original)
    largest = np.max(difference, where=np.isfinite(difference), initial=0)
    factor = max(1, int(float(f"{1 / largest:.0e}"))) if largest else 1
    return difference * factor, factor


def _prepare(frames: np.ndarray) -> np.ndarray:
    """Enlarge small frames by repeating pixels, and make values that are not finite white."""
    times = max(1, WIDTH // frames.shape[2])
    finite = np.nan_to_num(frames, nan=1, posinf=1, neginf=1)
    return finite.repeat(times, axis=1).repeat(times, axis=2)
