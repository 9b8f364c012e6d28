"""What the benchmarks share: command line, timing, peak memory, the line of JSON."""

import argparse
import ast
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

from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

CONFIG_HELP = (
    "default: %(default)s; its fields can be set too: --config.model.compute_dtype=bfloat16"
)

Step = Callable[[], object]  # runs once and returns when the result is there


def parse_options(what: str, batch_help: str, arguments: list[str] | None) -> argparse.Namespace:
    """The options that every benchmark has; `arguments` are the command line's where None."""
    parser = argparse.ArgumentParser(
        description=f"Measure {what} and print one line of JSON. Frames and weights are random.",
        epilog="seconds_per_step is the median over the steps; the first step, which compiles, is"
        " not among them. compile_seconds is what the first step took beyond the median."
        " peak_memory_bytes is the accelerator's, or on CPU that of the whole process.",
    )
    parser.add_argument("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    parser.add_argument("--batch", type=int, help=batch_help)
    parser.add_argument("--steps", type=int, default=5, help="timed steps; default: %(default)s")
    return parse_with_fields(parser, arguments)


def parse_with_fields(
    parser: argparse.ArgumentParser, arguments: list[str] | None
) -> argparse.Namespace:
    """A command line on which fields of the configuration may be set, as on that of `main.py`.

    Returns:
      The options, and `fields`: {"train.remat": "True"} of --config.train.remat=True.
    """
    options, others = parser.parse_known_args(arguments)
    options.fields = {}
    for argument in others:
        name, equals, value = argument.removeprefix("--config.").partition("=")
        if name == argument.partition("=")[0] or not equals:
            parser.error(f"unrecognized argument: {argument}")
        options.fields[name] = value
    return options


def check_counts(options: argparse.Namespace, *names: str) -> None:
    """Raise an `InputError` where an option of these names was given less than 1."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; expected at least 1")


def load_config(path: str, fields: Mapping[str, str] | None = None) -> Config:
    """The configuration of --config; its perceptual network has random weights.

    Args:
      path: its file.
      fields: to set, from `parse_with_fields`.

    Raises:
      InputError: there is no such file, or it is no configuration, or has no such field.
    """
    if not Path(path).is_file():
        raise InputError(f"--config: there is no file {path}")
    values: ConfigDict = runpy.run_path(path)["get_config"]()
    values.perceptual.weights = "random"
    for name, text in (fields or {}).items():
        try:
            values.update_from_flattened_dict({name: _value(text)})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"--config.{name}={text}: {error}") from error
    return from_config_dict(values)


def _value(text: str) -> Any:
    """What a text means in Python; where it means nothing, the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def first_step(name: str, step: Step) -> float:
    """Seconds of the first run, which compiles."""
    print(f"{name}: compiling", file=sys.stderr)
    return timed(step)


def timed(step: Step) -> float:
    """Seconds that a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_memory(of_process: bool = False) -> dict[str, Any]:
    """Bytes that the first device has held at most, or this process.

    The process's are given where they are asked for, or the device does not count.
    """
    statistics_of_device = None if of_process else jax.local_devices()[0].memory_stats()
    if statistics_of_device:
        return {
            "peak_memory_bytes": statistics_of_device["peak_bytes_in_use"],
            "peak_memory_of": "device",
        }
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_memory_bytes": 1024 * kibibytes, "peak_memory_of": "process"}


def measure(
    benchmark: str, options: argparse.Namespace, *, batch: int, unit: str, step: Step
) -> None:
    """Measure a step and print the line of JSON.

    Args:
      benchmark: its name.
      options: the command line's.
      batch: items that a step works on.
      unit: what an item is, in the plural.
      step: what is measured.
    """
    first = first_step(benchmark, step)
    step()
    memory = peak_memory()
    times = []
    for number in range(1, options.steps + 1):
        times.append(timed(step))
        print(f"step {number} of {options.steps}: {times[-1]:.3f} s", file=sys.stderr)
    median = statistics.median(times)
    report = {
        "benchmark": benchmark,
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "config": options.config,
        "fields": options.fields,
        "batch": batch,
        "steps": options.steps,
        "seconds_per_step": median,
        f"{unit}_per_second": batch / median,
        "compile_seconds": first - median,
        **memory,
        "jax": jax.__version__,
    }
    print(json.dumps(report))
