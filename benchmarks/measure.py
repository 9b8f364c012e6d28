"""What the benchmarks share: command line, timing in turns, peak memory, the line of JSON."""

import argparse
import json
import resource
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from fomm_jax.config import Config
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError

Step = Callable[[], object]  # runs once and returns when the result is there


def parse_options(what: str, batch_help: str, arguments: list[str] | None) -> argparse.Namespace:
    """The options that every benchmark has; `arguments` are the command line's where None."""
    parser = argparse.ArgumentParser(
        description=f"Measure {what} and print one line of JSON. Frames and weights are random.",
        epilog="seconds_per_step is the median over the steps; the first step, which compiles, is"
        " not among them. compile_seconds is what the first step took beyond the median."
        " peak_memory_bytes is the accelerator's, or on CPU that of the whole process.",
    )
    parser.add_argument("--config", default="configs/vox_256.py", help="default: %(default)s")
    parser.add_argument("--batch", type=int, help=batch_help)
    parser.add_argument("--steps", type=int, default=5, help="timed steps; default: %(default)s")
    parser.add_argument(
        "--original",
        type=Path,
        metavar="PATH",
        help="clone of the original (first-order-model): measured too, in turns with ours, in this"
        " process and on this machine's CPU; needs torch",
    )
    return parser.parse_args(arguments)


def load_config(options: argparse.Namespace) -> Config:
    """The configuration of --config; its perceptual network has random weights.

    Raises:
      InputError: there is no such file, or an option has no use for what it was given.
    """
    for name in ("batch", "steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; expected at least 1")
    if not Path(options.config).is_file():
        raise InputError(f"--config: there is no file {options.config}")
    values: ConfigDict = runpy.run_path(options.config)["get_config"]()
    values.perceptual.weights = "random"
    config = from_config_dict(values)
    if options.original and config.perceptual.network != "vgg19":
        raise InputError("--original: it has no VGG16, which config.perceptual.network asks for")
    return config


def first_step(name: str, step: Step) -> float:
    """Seconds of the first run, which compiles."""
    print(f"{name}: compiling", file=sys.stderr)
    return _seconds(step)


def time_in_turns(steps: Mapping[str, Step], count: int) -> dict[str, float]:
    """Median seconds of each of several steps, run `count` times in turns.

    What else the machine does in the meantime meets all of them alike.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(1, count + 1):
        for name, step in steps.items():
            times[name].append(_seconds(step))
            print(f"{name}: step {number} of {count}: {times[name][-1]:.3f} s", file=sys.stderr)
    return {name: statistics.median(values) for name, values in times.items()}


def _seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_memory() -> dict[str, Any]:
    """Bytes that the first device has held at most, or where it does not count, this process."""
    device = jax.local_devices()[0]
    statistics_of_device = device.memory_stats()
    if statistics_of_device:
        return {
            "peak_memory_bytes": statistics_of_device["peak_bytes_in_use"],
            "peak_memory_of": "device",
        }
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_memory_bytes": 1024 * kibibytes, "peak_memory_of": "process"}


def measure(
    benchmark: str,
    options: argparse.Namespace,
    *,
    batch: int,
    unit: str,
    ours: Step,
    original: Callable[[], Step],
) -> None:
    """Measure our step, and the original's where it is asked for, and print the line of JSON.

    Args:
      benchmark: its name.
      options: the command line's.
      batch: items that a step works on.
      unit: what an item is, in the plural.
      ours: our step.
      original: makes the original's step; called after our memory was looked at.
    """
    first = first_step("ours", ours)
    ours()
    memory = peak_memory()
    steps = {"ours": ours}
    if options.original:
        steps["original"] = original()
        first_step("original", steps["original"])
    medians = time_in_turns(steps, options.steps)
    report = {
        "benchmark": benchmark,
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "config": options.config,
        "batch": batch,
        "steps": options.steps,
        "seconds_per_step": medians["ours"],
        f"{unit}_per_second": batch / medians["ours"],
        "compile_seconds": first - medians["ours"],
        **memory,
        "jax": jax.__version__,
    }
    if options.original:
        import torch  # an extra, of use here alone

        report |= {
            "original_seconds_per_step": medians["original"],
            f"original_{unit}_per_second": batch / medians["original"],
            "original_torch": torch.__version__,
            "time_over_original": medians["ours"] / medians["original"],
        }
    print(json.dumps(report))
