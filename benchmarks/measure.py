"""Timing of a step, peak memory, and the line of JSON that a benchmark prints."""

import argparse
import json
import logging
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax

logger = logging.getLogger(__name__)

Step = Callable[[], object]  # runs once, and returns when its result is ready


def first_step(name: str, step: Step) -> float:
    """Return the seconds of the first run, which includes compilation."""
    logger.info("%s: compiling", name)
    return timed(step)


def timed(step: Step) -> float:
    """Return the seconds that a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_memory(of_process: bool = False) -> dict[str, Any]:
    """Return the most bytes that were in use at once, and whose they are.

    Args:
      of_process: count the memory of this process. Otherwise that of the first device is counted,
        if the device keeps account of it.

    Returns:
      "peak_memory_bytes", and "peak_memory_of", which is "device" or "process".
    """
    device_statistics = None if of_process else jax.local_devices()[0].memory_stats()
    if device_statistics:
        return {
            "peak_memory_bytes": device_statistics["peak_bytes_in_use"],
            "peak_memory_of": "device",
        }
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_memory_bytes": 1024 * kibibytes, "peak_memory_of": "process"}


def measure(
    benchmark: str, options: argparse.Namespace, *, batch: int, unit: str, step: Step
) -> None:
    """Measure a step and print the line of JSON.

    Args:
      benchmark: the benchmark's name.
      options: the options of `command_line.parse_options`.
      batch: the number of items that a step works on.
      unit: the plural of what an item is.
      step: the step to measure.
    """
    first = first_step(benchmark, step)
    step()  # the second step is slower than the later ones as well
    memory = peak_memory()
    times = []
    for number in range(1, options.steps + 1):
        times.append(timed(step))
        logger.info("step %d of %d: %.3f s", number, options.steps, times[-1])
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
