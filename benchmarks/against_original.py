"""Times the original and this project in turn, on one machine, and prints ratios pair by pair.

    python -m benchmarks.against_original --original=PATH [--config=configs/vox_256.py --json=FILE]

PATH is a clone of the original (first-order-model). A step of training, animation in batches and
animation of a frame at a time run on random frames and weights. Each figure is the median over the
steps of a process of its own, with the same number of threads and the same batch; in each round
the original's process and ours follow one another, and their figures make a ratio, above 1 where
ours is faster.

On a GPU the original also runs by torch.compile with autocast in bfloat16, and ours with
compute_dtype bfloat16; both leave TF32 as PyTorch and JAX set it. What share of the chip's rate
ours has is FLOPs of the program over time, against bfloat16 matrix products measured there.

The original augments in its loader, so that its step of training has nothing of that. It encodes
the source for each frame, which it has no way around; ours does once, before the first step.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import check_counts, load_config
from benchmarks.one_side import Figures, Side
from fomm_jax.errors import InputError, one_line_errors

NAMES = {
    ("original", False): "original, eager, float32",
    ("original", True): "original, compiled, bfloat16",
    ("ours", False): "ours, float32",
    ("ours", True): "ours, bfloat16",
}
# The original's form and ours, as in NAMES: the goals are about these.
COMPARED = ((False, False), (False, True), (True, True))
UNITS = {"training": "pairs", "animation": "frames"}

Rounds = dict[tuple[str, bool], list[Figures]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A task at a batch size, and what was measured of it."""

    task: str
    batch: int
    rounds: Rounds  # by who and whether in bfloat16, one of each round; empty where not measured


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's options."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--original", type=Path, metavar="PATH", required=True, help="clone of the original")
    add("--config", default="configs/vox_256.py", help="default: %(default)s")
    add("--pairs", type=int, default=2, help="pairs a step of training; default: %(default)s")
    add("--frames", type=int, default=16, help="frames a call; default: %(default)s")
    add("--rounds", type=int, default=3, help="of both sides in turn; default: %(default)s")
    add("--steps", type=int, default=5, help="timed in each process; default: %(default)s")
    add("--threads", type=int, help="of the processor; default: all that this process may use")
    add("--tasks", nargs="+", choices=UNITS, default=tuple(UNITS), help="default: both")
    add("--device", choices=("auto", "cpu"), default="auto", help="cpu hides a GPU")
    add(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        help="also torch.compile with autocast, and bfloat16 of ours; default: on a GPU alone",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def check(options: argparse.Namespace) -> None:
    """Raise an `InputError` where an option has no use for what it was given."""
    check_counts(options, "pairs", "frames", "rounds", "steps", "threads")
    available = len(os.sched_getaffinity(0))
    if options.threads and options.threads > available:
        raise InputError(f"--threads is {options.threads}; there are {available} processors")
    if not (options.original / "modules" / "model.py").is_file():
        raise InputError(
            f"--original: {options.original} has no modules/model.py; expected a clone of"
            " first-order-model"
        )
    if options.json and not options.json.parent.is_dir():
        raise InputError(f"--json: there is no folder {options.json.parent}")
    if importlib.util.find_spec("torch") is None:
        raise InputError("the original needs torch: `pip install fomm_jax[torch]`")
    if load_config(options.config).perceptual.network != "vgg19":
        raise InputError("--original: it has no VGG16, which config.perceptual.network asks for")


def run(side: Side, environment: Mapping[str, str]) -> Figures:
    """Measure a side in a process of its own.

    Raises:
      InputError: it fails; the message is the last line that it wrote.
    """
    name = NAMES[side.who, side.bfloat16]
    print(f"{side.task}, {side.batch} {UNITS[side.task]}: {name}", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.one_side", json.dumps(dataclasses.asdict(side))]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["nothing was said"]
        raise InputError(f"{name}: {lines[-1]}")
    return Figures(**json.loads(process.stdout.splitlines()[-1]))


def compare(options: argparse.Namespace) -> list[Comparison]:
    """Measure all tasks, the sides of a round one after another."""
    sizes = {"training": [options.pairs], "animation": sorted({options.frames, 1}, reverse=True)}
    with tempfile.TemporaryDirectory() as cache:
        # What the first round has compiled the others need not.
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
        if options.device == "cpu":
            environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        return [
            Comparison(task, batch, _rounds(options, task, batch, environment))
            for task in options.tasks
            for batch in sizes[task]
        ]


def _rounds(
    options: argparse.Namespace, task: str, batch: int, environment: Mapping[str, str]
) -> Rounds:
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


def ratios(original: Sequence[Figures], ours: Sequence[Figures]) -> list[float]:
    """The original's time over ours, round by round; none where one of them was not measured."""
    return [
        statistics.median(theirs.seconds) / statistics.median(mine.seconds)
        for theirs, mine in zip(original, ours, strict=False)
    ]


def share_of_rate(ours: Sequence[Figures]) -> float | None:
    """Our FLOPs a second over those of matrix products, the median over the rounds."""
    shares = [
        figures.flops / statistics.median(figures.seconds) / figures.matrix_rate
        for figures in ours
        if figures.flops and figures.matrix_rate
    ]
    return statistics.median(shares) if shares else None


def table(comparisons: Sequence[Comparison]) -> str:
    """All figures in words."""
    lines = []
    for comparison in comparisons:
        unit, rounds = UNITS[comparison.task], comparison.rounds
        lines.append(f"{comparison.task}, {unit} a step: {comparison.batch}")
        for form, name in NAMES.items():
            lines.append(f"  {name}: {_figures_in_words(rounds[form], comparison.batch, unit)}")
        for theirs, mine in COMPARED:
            found = ratios(rounds["original", theirs], rounds["ours", mine])
            lines.append(
                f"  time of ({NAMES['original', theirs]}) over ({NAMES['ours', mine]}):"
                f" {_ratios_in_words(found)}"
            )
        share = share_of_rate(rounds["ours", True])
        lines.append(
            "  share of the chip's bfloat16 rate that ours, bfloat16 has:"
            f" {'not measured' if share is None else f'{share:.0%}'}"
        )
    return "\n".join(lines)


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


def _ratios_in_words(found: Sequence[float]) -> str:
    if not found:
        return "not measured"
    pairs = ", ".join(f"{ratio:.2f}" for ratio in found)
    return f"{pairs}; median {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def report(comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """All figures as JSON takes them."""
    return [
        {
            "task": comparison.task,
            "batch": comparison.batch,
            "measured": {
                NAMES[form]: [dataclasses.asdict(figures) for figures in rounds]
                for form, rounds in comparison.rounds.items()
            },
            "ratios": {
                f"{NAMES['original', theirs]} / {NAMES['ours', mine]}": ratios(
                    comparison.rounds["original", theirs], comparison.rounds["ours", mine]
                )
                for theirs, mine in COMPARED
            },
            "share_of_rate": share_of_rate(comparison.rounds["ours", True]),
        }
        for comparison in comparisons
    ]


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the head of this file."""
    options = parse_options(arguments)
    with one_line_errors():
        check(options)
        comparisons = compare(options)
    print(table(comparisons))
    if options.json:
        options.json.write_text(json.dumps(report(comparisons), indent=2))


if __name__ == "__main__":
    main()
