"""Measure on one GPU all that docs/performance.md leaves open, in one go of under nine minutes.

    python -m benchmarks.gpu_report --output=DIR [--original=PATH --videos=DIR --config=FILE]

Measured are: training in float32, TF32 and bfloat16 over batch sizes, each twice the one before,
until memory ends; animation in batches, and the latency of one frame; the original (PATH is a clone
of first-order-model), eager, and by torch.compile under autocast; peak memory; the share of the
measured rate of bfloat16 matrix products; the costliest kernels; and how long training waits for
pairs from clips. Frames and weights are random, except the clips, which are cut from videos in DIR.

Each measurement runs in a process of its own. The most important ones come first. What fails, or no
longer fits the time, is named in the report with its reason. DIR gets report.md and report.json,
which are written anew after each measurement, and the trace of the kernels. Nothing uses a network.
With JAX_COMPILATION_CACHE_DIR set, a second run loads the programs that the first one compiled.
"""

import argparse
import dataclasses
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command_line import check_counts, config_from_file
from benchmarks.gpu.machine import Machine
from benchmarks.gpu.plan import KINDS, Outcome, Part, carry_out, make_plan
from benchmarks.gpu.tables import goals, markdown
from benchmarks.processes import run_module
from fomm_jax import console
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.files import check_can_write, replacing

logger = logging.getLogger(__name__)

LONGEST = 1 / 3  # of the time, for a single part; a process that hangs leaves time for others
RESERVE = 5.0  # seconds of the time that are left for the end of the last process


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the options of the command line."""
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, metavar="DIR", required=True, help="folder for the report")
    add("--original", type=Path, metavar="PATH", help="clone of the original; default: none")
    add("--videos", type=Path, metavar="DIR", help="videos to cut clips from; default: drawn")
    add("--config", default="configs/vox_256.py", help="default: %(default)s")
    add("--minutes", type=float, default=9.0, help="time for everything; default: %(default)s")
    add("--parts", nargs="+", choices=KINDS, default=KINDS, help="default: all")
    add("--pairs", type=int, default=16, help="first batch of training; default: %(default)s")
    add("--frames", type=int, default=16, help="first batch of animation; default: %(default)s")
    add("--steps", type=int, default=10, help="timed steps in a process; default: %(default)s")
    add("--threads", type=int, help="processor threads; default: all that this process may use")
    return parser.parse_args(arguments)


def check_options(options: argparse.Namespace) -> None:
    """Raise an `InputError` if the value of an option cannot be used."""
    check_counts(options, "pairs", "frames", "steps", "threads")
    if options.frames == 1:
        raise InputError("--frames is 1; expected at least 2, since one frame is measured anyway")
    if not options.minutes > 0:
        raise InputError(f"--minutes is {options.minutes}; expected more than 0")
    if options.original and not (options.original / "modules" / "model.py").is_file():
        raise InputError(
            f"--original: {options.original} has no modules/model.py; expected a clone of"
            " first-order-model"
        )
    if options.videos and not options.videos.is_dir():
        raise InputError(f"--videos: there is no folder {options.videos}")
    config_from_file(options.config)
    check_can_write(options.output / "report.md")


def why_no_original(options: argparse.Namespace, machine: Machine | None) -> str:
    """Return why the original cannot be measured beside this project, or ""."""
    if options.original is None:
        return "--original was not given"
    if machine is None:
        return ""
    if machine.torch is None:
        return "torch is not installed"
    if (machine.platform == "cpu") == machine.torch_on_gpu:
        where = "a GPU" if machine.torch_on_gpu else "the CPU"
        return f"torch {machine.torch} runs on {where}, and JAX on the other device"
    return ""


def measure_all(options: argparse.Namespace, deadline: float) -> list[Outcome]:
    """Measure all parts, and write the report after each.

    Args:
      options: the options of the command.
      deadline: the value of `time.monotonic` at which everything must be done.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            "JAX_COMPILATION_CACHE_DIR": cache,
            "CUDA_VISIBLE_DEVICES": "0",  # the report is about one GPU
            "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.92",  # of it; JAX alone would take 0.75
            **os.environ,
        }

        def time_left() -> float:
            return deadline - time.monotonic()

        def measure(part: Part, seconds: float) -> Mapping[str, Any]:
            longest = min(seconds, 60 * options.minutes * LONGEST)
            return run_module(part.module, part.argument, environment, longest)

        describe = Part(
            "the machine", "machine", "", "benchmarks.gpu.machine", {"config": options.config}
        )
        outcomes = list(carry_out([describe], measure, time_left))
        figures = outcomes[0].figures
        machine = Machine(**figures) if figures else None
        options.threads = options.threads or len(os.sched_getaffinity(0))
        parts = make_plan(options, why_no_original(options, machine))
        write_report(options, outcomes, machine)
        for outcome in carry_out(parts, measure, time_left):
            outcomes.append(outcome)
            write_report(options, outcomes, machine)
    return outcomes


def write_report(
    options: argparse.Namespace, outcomes: Sequence[Outcome], machine: Machine | None
) -> None:
    """Write report.md and report.json."""
    title = f"{options.config} on {machine.device if machine else 'an unknown device'}"
    as_json = {
        "config": options.config,
        "minutes": options.minutes,
        "steps": options.steps,
        "threads": options.threads,
        "machine": dataclasses.asdict(machine) if machine else None,
        "goals": goals(outcomes, machine) if machine else [],
        "parts": [dataclasses.asdict(outcome) for outcome in outcomes],
    }
    for name, text in (
        ("report.md", markdown(outcomes, machine, title)),
        ("report.json", json.dumps(as_json, indent=2) + "\n"),
    ):
        with replacing(options.output / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    started = time.monotonic()
    console.show_messages()
    with one_line_errors():
        options = parse_options(arguments)
        check_options(options)
        outcomes = measure_all(options, started + 60 * options.minutes - RESERVE)
    measured = sum(outcome.state == "measured" for outcome in outcomes)
    seconds = time.monotonic() - started
    logger.info("%d of %d parts measured in %.0f s", measured, len(outcomes), seconds)
    console.say((options.output / "report.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
