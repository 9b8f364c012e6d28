"""Compile the training step and the animation for TPU, on a machine without one.

    python -m benchmarks.compile_for_tpu --topology=v5e:2x4 [--config=configs/vox_256.py --batch=8]
        [--config.model.compute_dtype=bfloat16]

The compiler in libtpu reports the memory that a chip needs, FLOPs, bytes and collectives. The times
that they would take are estimates, which `roofline.py` explains. Nothing runs: there are no
weights, only their shapes. The exit status is 1 if a program does not fit into a chip's memory.
For vox_256 the compiler takes about ten minutes on two cores. Tables go to stdout, and after them a
line of JSON.
"""

import os

# JAX reads the first variable when it is imported, and libtpu reads the others when it is loaded.
os.environ["JAX_PLATFORMS"] = "cpu"  # this machine's platform, which computes only shapes
# libtpu must not ask Google's cloud which TPU this machine has. The two values after that only
# silence its complaints: the topology decides what it compiles for.
os.environ["TPU_SKIP_MDS_QUERY"] = "1"
os.environ["TPU_ACCELERATOR_TYPE"] = "v5litepod-8"
os.environ["TPU_WORKER_HOSTNAMES"] = "localhost"
os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "true"  # no process holds a device that another needs

import argparse
import importlib.metadata
import importlib.util
import json
import logging
import math
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import topologies

from benchmarks.command_line import CONFIG_HELP, check_counts, parse_with_config
from benchmarks.hlo import NO_ESTIMATE, Collective, find_collectives, find_costs, hbm_bytes
from benchmarks.lowered import lower_animation, lower_train
from benchmarks.roofline import CHIPS, Chip, estimate, scaling_efficiency
from fomm_jax import console
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors

logger = logging.getLogger(__name__)

PROGRAMS = ("train", "animate")
COSTLIEST = 5  # the number of instructions that the report lists


def compile_and_count(
    name: str, lowered: jax.stages.Lowered, chip: Chip, sides: tuple[int, ...]
) -> dict[str, Any]:
    """Compile a program; return the compiler's figures and the estimates.

    Args:
      name: the program's name.
      lowered: the program.
      chip: the chip that it is compiled for.
      sides: the numbers of chips along the sides of the topology.

    Returns:
      The figures by their names in the line of JSON. Only "fits" and "reason" if the program does
      not fit into the chip's memory.
    """
    logger.info("%s: compiling", name)
    start = time.perf_counter()
    try:
        compiled: Any = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"fits": False, "reason": " ".join(str(error).split())[:200]}
    seconds = time.perf_counter() - start
    logger.info("%s: compiled in %.0f s", name, seconds)
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    text = compiled.as_text()
    flops, traffic, collectives = cost["flops"], hbm_bytes(text), find_collectives(text)
    here = estimate(chip, flops, traffic, collectives, sides)
    pod = estimate(chip, flops, traffic, collectives, chip.pod)
    costs = find_costs(text)
    return {
        "fits": True,
        # Donated outputs lie in the memory of the arguments.
        "memory_bytes": memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "flops": flops,
        "bytes_accessed": cost["bytes accessed"],
        "hbm_bytes": traffic,
        "flops_per_hbm_byte": flops / traffic,
        "collectives": tally(collectives),
        "estimated_seconds": here._asdict() | {"step": here.step},
        "estimated_seconds_of_256_chips": pod._asdict() | {"step": pod.step},
        "estimated_scaling_efficiency_to_256_chips": scaling_efficiency(pod),
        "cycles": sum(cost.cycles for cost in costs if cost.cycles < NO_ESTIMATE),
        "instructions_without_estimate": sum(cost.cycles >= NO_ESTIMATE for cost in costs),
        "costliest": [cost._asdict() for cost in costs[:COSTLIEST]],
        "compile_seconds": seconds,
    }


def tally(collectives: Sequence[Collective]) -> list[dict[str, Any]]:
    """Count the collectives of each kind, and their bytes; the kind with most bytes comes first.

    Collectives that overlap with other work are counted separately.
    """
    sizes = defaultdict(list)
    for kind, size, overlapped in collectives:
        sizes[kind, overlapped].append(size)
    return sorted(
        (
            {
                "kind": kind,
                "overlapped": overlapped,
                "count": len(bytes_of_kind),
                "bytes": sum(bytes_of_kind),
                "largest_bytes": max(bytes_of_kind),
            }
            for (kind, overlapped), bytes_of_kind in sizes.items()
        ),
        key=lambda row: -row["bytes"],
    )


def print_table(program: str, batch: int, counted: dict[str, Any], chip: Chip) -> None:
    """Print the figures of `compile_and_count` as a Markdown table."""
    print(f"\n| {program}, {batch} a chip | |\n| --- | --- |")
    if not counted["fits"]:
        print(f"| does not fit | {counted['reason']} |")
        return
    here, pod = counted["estimated_seconds"], counted["estimated_seconds_of_256_chips"]
    rows = {
        "memory": f"{counted['memory_bytes'] / 1e9:.2f} of {chip.hbm / 1e9:.1f} GB,"
        f" {counted['temporary_bytes'] / 1e9:.2f} of them temporary",
        "FLOPs": f"{counted['flops'] / 1e12:.3f} T",
        "bytes to and from HBM": f"{counted['hbm_bytes'] / 1e9:.2f} GB,"
        f" {counted['flops_per_hbm_byte']:.0f} FLOPs each;"
        f" {counted['bytes_accessed'] / 1e9:.2f} GB as XLA counts all accesses",
        **{
            row["kind"] + (", overlapped" if row["overlapped"] else ""): f"{row['count']} of"
            f" {row['bytes'] / 1e6:.1f} MB, the largest {row['largest_bytes'] / 1e6:.1f} MB"
            for row in counted["collectives"]
        },
        "estimated time": f"{1e3 * here['step']:.1f} ms: compute {1e3 * here['compute']:.1f},"
        f" memory {1e3 * here['memory']:.1f}, communication {1e3 * here['communication']:.2f}",
        "estimated rate": f"{batch / here['step']:.1f} a second a chip",
    }
    if counted["collectives"]:
        rows["estimated on 256 chips"] = (
            f"{1e3 * pod['step']:.1f} ms, communication {1e3 * pod['communication']:.2f};"
            f" efficiency {100 * counted['estimated_scaling_efficiency_to_256_chips']:.1f} %"
        )
    rows["cycles by the compiler's model"] = (
        f"{counted['cycles'] / 1e6:.1f} million, and"
        f" {counted['instructions_without_estimate']} instructions for which it has no estimate"
    )
    for number, cost in enumerate(counted["costliest"], start=1):
        known = cost["cycles"] < NO_ESTIMATE
        cycles = f"{cost['cycles'] / 1e6:.2f} million" if known else "no estimate"
        rows[f"costliest {number}"] = f"{cycles}: {cost['shape'][:60]} of {cost['source']}"
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def load_topology(name: str) -> tuple[Chip, tuple[int, ...], Sequence[jax.Device]]:
    """Return the chip, the sides of the torus and the devices of a topology like v5e:2x4.

    Raises:
      InputError: there is no such topology, or its compiler is not installed.
    """
    parts = re.fullmatch(r"(\w+):(\d+(?:x\d+)+)", name)
    if parts is None or parts[1] not in CHIPS:
        raise InputError(f"--topology is {name}; expected one of {', '.join(CHIPS)}, as in v5e:2x4")
    if importlib.util.find_spec("libtpu") is None:
        raise InputError(
            f"libtpu, the compiler, is not installed; install 'jax[tpu]=={jax.__version__}'"
        )
    try:
        topology = topologies.get_topology_desc(platform="tpu", topology_name=name)
    except jax.errors.JaxRuntimeError as error:
        raise InputError(f"--topology is {name}: {str(error).splitlines()[0]}") from error
    sides = tuple(int(side) for side in parts[2].split("x"))
    if len(topology.devices) != math.prod(sides):
        raise InputError(f"--topology is {name}: JAX shows several devices for each chip of it")
    return CHIPS[parts[1]], sides, topology.devices


def parse_options(arguments: list[str] | None) -> tuple[argparse.Namespace, Config]:
    """Parse the options and the configuration.

    Raises:
      InputError: an option or the configuration cannot be used, or the training step has a loop.
    """
    parser = argparse.ArgumentParser(
        description="Compile for TPU without one, and print tables and a line of JSON."
    )
    add = parser.add_argument
    add("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    add("--topology", default="v5e:2x4", help="chip and slice; default: %(default)s")
    add("--batch", type=int, help="pairs or frames a chip; default: the config's")
    add("--what", default=",".join(PROGRAMS), help="programs; default: %(default)s")
    options, config = parse_with_config(parser, arguments)
    options.what = options.what.split(",")
    if not set(options.what) <= set(PROGRAMS):
        raise InputError(f"--what is {','.join(options.what)}; expected some of {PROGRAMS}")
    check_counts(options, "batch")
    if config.train.accumulate > 1:
        raise InputError(
            f"config.train.accumulate is {config.train.accumulate}; expected 1, since the compiler"
            " counts the body of a loop only once"
        )
    return options, config


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    report: dict[str, Any] = {"benchmark": "compile_for_tpu"}
    with one_line_errors():
        options, config = parse_options(arguments)
        chip, sides, devices = load_topology(options.topology)
        batches = {
            "train": options.batch or math.ceil(config.train.batch_size / len(devices)),
            "animate": options.batch or config.animate.batch_size,
        }
        for program in options.what:
            batch = batches[program]
            logger.info("%s: tracing", program)
            if program == "train":
                lowered = lower_train(config, devices, batch)
            else:
                lowered = lower_animation(config, devices[0], batch)
            counted = compile_and_count(program, lowered, chip, sides)
            print_table(program, batch, counted, chip)
            report[program] = {"batch_per_chip": batch, **counted}
    report |= {
        "topology": options.topology,
        "chips": len(devices),
        "config": options.config,
        "fields": options.fields,
        "jax": jax.__version__,
        "libtpu": importlib.metadata.version("libtpu"),
    }
    print(f"\n{json.dumps(report)}")
    if not all(report[program]["fits"] for program in options.what):
        sys.exit(1)


if __name__ == "__main__":
    main()
