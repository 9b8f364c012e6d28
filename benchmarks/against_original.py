"""Time the original and this project in turn on one machine, and print the ratios of their times.

    python -m benchmarks.against_original --original=PATH [--config=configs/vox_256.py --json=FILE]

PATH is a clone of the original of a model: first-order-model or Thin-Plate-Spline-Motion-Model. The
configuration must be of the same model. Three things run on random frames and weights:
a step of training, animation in batches, and animation of one frame at a time. In each round a
process of the original and one of this project follow one another, with the same number of threads
and the same batch. Each measures the median time of its steps, and the two medians make a ratio,
which is above 1 if this project is faster.

On a GPU the original also runs with torch.compile and autocast in bfloat16, and this project with
compute_dtype bfloat16. Both leave TF32 as PyTorch and JAX set it. The last line of a table compares
this project's FLOPs per second with those of bfloat16 matrix products measured on the same chip.

Two differences remain. The original augments pairs in its loader, so its step of training does not
include that work; this project's step does. The original encodes the source again for every frame,
since its networks offer no other way; this project encodes it once, before the first step.
"""

import argparse
import dataclasses
import importlib.util
import json
import logging
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.command_line import check_counts, config_from_file
from benchmarks.one_side import Figures, Side
from benchmarks.processes import run_module
from fomm_jax import console
from fomm_jax.errors import InputError, naming, one_line_errors
from fomm_jax.parity.clones import check_clone, recognise_clone

logger = logging.getLogger(__name__)

NAMES = {
    ("original", False): "original, eager, float32",
    ("original", True): "original, compiled, bfloat16",
    ("ours", False): "ours, float32",
    ("ours", True): "ours, bfloat16",
}
# The ratios to print, as (the original in bfloat16, this project in bfloat16).
COMPARED = ((False, False), (False, True), (True, True))
# The configuration for a clone of each model's original.
DEFAULT_CONFIGS = {
    "first-order": "configs/vox_256.py",
    "thin-plate": "configs/tpsmm_vox_256.py",
}
UNITS = {"training": "pairs", "animation": "frames"}

# The figures of each round, by (side, in bfloat16) as in NAMES; empty if it was not measured.
Rounds = dict[tuple[str, bool], list[Figures]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The measurements of a task at a batch size."""

    task: str  # a key of UNITS
    batch: int
    rounds: Rounds

    def ratios(self, original_bfloat16: bool, our_bfloat16: bool) -> list[float]:
        """Return the original's median time over ours, for each round that measured both."""
        return [
            statistics.median(original.seconds) / statistics.median(ours.seconds)
            for original, ours in zip(
                self.rounds["original", original_bfloat16],
                self.rounds["ours", our_bfloat16],
                strict=False,
            )
        ]

    def share_of_rate(self) -> float | None:
        """Return our FLOPs per second in bfloat16 over those of matrix products: the median."""
        shares = [
            figures.flops / statistics.median(figures.seconds) / figures.matrix_rate
            for figures in self.rounds["ours", True]
            if figures.flops and figures.matrix_rate
        ]
        return statistics.median(shares) if shares else None


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the options of the command line."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--original", type=Path, metavar="PATH", required=True, help="clone of the original")
    add("--config", help="default: that of the same model for VoxCeleb, in configs/")
    add("--pairs", type=int, default=2, help="pairs a step of training; default: %(default)s")
    add("--frames", type=int, default=16, help="frames a call; default: %(default)s")
    add("--rounds", type=int, default=3, help="turns of both sides; default: %(default)s")
    add("--steps", type=int, default=5, help="timed steps in a process; default: %(default)s")
    add("--threads", type=int, help="processor threads; default: all that this process may use")
    add("--tasks", nargs="+", choices=UNITS, default=tuple(UNITS), help="default: both")
    add("--device", choices=("auto", "cpu"), default="auto", help="cpu hides a GPU")
    add(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        help="also measure torch.compile with autocast, and ours in bfloat16; default: on a GPU",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def check_options(options: argparse.Namespace) -> None:
    """Raise an `InputError` if the value of an option cannot be used."""
    check_counts(options, "pairs", "frames", "rounds", "steps", "threads")
    available = len(os.sched_getaffinity(0))
    if options.threads and options.threads > available:
        raise InputError(f"--threads is {options.threads}; there are {available} processors")
    with naming("--original"):
        model = recognise_clone(options.original)
    options.config = options.config or DEFAULT_CONFIGS[model]
    if options.json and not options.json.parent.is_dir():
        raise InputError(f"--json: there is no folder {options.json.parent}")
    if importlib.util.find_spec("torch") is None:
        raise InputError("the original needs torch: `pip install fomm_jax[torch]`")
    config = config_from_file(options.config)
    with naming("--original, --config"):
        check_clone(options.original, config)
    if config.perceptual.network != "vgg19":
        raise InputError(
            f"--config: {options.config} has config.perceptual.network vgg16; expected vgg19, since"
            " the original has no other"
        )


def run(side: Side, environment: Mapping[str, str]) -> Figures:
    """Measure a side in a process of its own.

    Raises:
      InputError: the process fails. The message is one line.
    """
    name = NAMES[side.who, side.bfloat16]
    logger.info("%s, %d %s: %s", side.task, side.batch, UNITS[side.task], name)
    with naming(name):
        argument = dataclasses.asdict(side)
        return Figures(**run_module("benchmarks.one_side", argument, environment))


def compare(options: argparse.Namespace) -> list[Comparison]:
    """Measure all tasks."""
    sizes = {"training": [options.pairs], "animation": sorted({options.frames, 1}, reverse=True)}
    with tempfile.TemporaryDirectory() as cache:
        # Later rounds load the programs that the first one has compiled.
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
        if options.device == "cpu":
            environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        return [
            Comparison(task, batch, measure_rounds(options, task, batch, environment))
            for task in options.tasks
            for batch in sizes[task]
        ]


def measure_rounds(
    options: argparse.Namespace, task: str, batch: int, environment: Mapping[str, str]
) -> Rounds:
    """Measure a task at a batch size, in every round each side once.

    Raises:
      InputError: a process fails, or the sides run on different devices.
    """
    rounds: Rounds = {form: [] for form in NAMES}
    bfloat16 = options.bfloat16
    for _ in range(options.rounds):
        for who, reduced in NAMES:
            if reduced and not bfloat16:
                continue
            side = Side(
                who=who,
                task=task,
                bfloat16=reduced,
                config=options.config,
                original=str(options.original.resolve()),
                batch=batch,
                steps=options.steps,
                threads=options.threads or len(os.sched_getaffinity(0)),
            )
            rounds[who, reduced].append(run(side, environment))
            if bfloat16 is None:
                bfloat16 = rounds["original", False][0].platform != "cpu"
        platforms = {figures[0].platform for figures in rounds.values() if figures}
        if len(platforms) > 1:
            raise InputError(
                "PyTorch and JAX run on different devices (one on a GPU, the other on the CPU);"
                " expected both with CUDA, or --device=cpu"
            )
    return rounds


def table(comparisons: Sequence[Comparison]) -> str:
    """Return all figures in words."""
    lines = []
    for comparison in comparisons:
        unit, rounds = UNITS[comparison.task], comparison.rounds
        lines.append(f"{comparison.task}, {unit} a step: {comparison.batch}")
        for form, name in NAMES.items():
            lines.append(f"  {name}: {_figures_in_words(rounds[form], comparison.batch, unit)}")
        for forms in COMPARED:
            original, ours = _names(forms)
            ratios = _ratios_in_words(comparison.ratios(*forms))
            lines.append(f"  time of ({original}) over ({ours}): {ratios}")
        share = comparison.share_of_rate()
        lines.append(
            "  share of the chip's bfloat16 rate that ours, bfloat16 has:"
            f" {'not measured' if share is None else f'{share:.0%}'}"
        )
    return "\n".join(lines)


def _names(forms: tuple[bool, bool]) -> tuple[str, str]:
    """Return the names of an item of `COMPARED`: the original's, and ours."""
    return NAMES["original", forms[0]], NAMES["ours", forms[1]]


def _figures_in_words(rounds: Sequence[Figures], batch: int, unit: str) -> str:
    if not rounds:
        return "not measured"
    medians = [statistics.median(figures.seconds) for figures in rounds]
    middle = statistics.median(medians)
    memory = max(figures.peak_memory_bytes for figures in rounds) / 1e9
    return (
        f"{middle:.4g} s a step ({min(medians):.4g} to {max(medians):.4g}),"
        f" {batch / middle:.4g} {unit}/s, {memory:.1f} GB of the {rounds[0].peak_memory_of};"
        f" {rounds[0].device}, {rounds[0].version}"
    )


def _ratios_in_words(ratios: Sequence[float]) -> str:
    if not ratios:
        return "not measured"
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    median, lowest, highest = statistics.median(ratios), min(ratios), max(ratios)
    return f"{rounds}; median {median:.2f} ({lowest:.2f} to {highest:.2f})"


def report(comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """Return all figures in a form that JSON can hold."""
    return [
        {
            "task": comparison.task,
            "batch": comparison.batch,
            "measured": {
                NAMES[form]: [dataclasses.asdict(figures) for figures in rounds]
                for form, rounds in comparison.rounds.items()
            },
            "ratios": {" / ".join(_names(forms)): comparison.ratios(*forms) for forms in COMPARED},
            "share_of_rate": comparison.share_of_rate(),
        }
        for comparison in comparisons
    ]


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    options = parse_options(arguments)
    with one_line_errors():
        check_options(options)
        comparisons = compare(options)
    print(table(comparisons))
    if options.json:
        options.json.write_text(json.dumps(report(comparisons), indent=2))


if __name__ == "__main__":
    main()
