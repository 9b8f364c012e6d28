"""Compile the training step and the animation for TPU, on a machine without one.

    python -m benchmarks.compile_for_tpu --topology=v5e:2x4 [--config=configs/vox_256.py --batch=8]
        [--config.model.compute_dtype=bfloat16]

The compiler in libtpu reports memory, FLOPs, bytes and collectives of a chip, and the cycles of
each part of the model. The times that they would take are estimates, which `roofline.py` explains.
Nothing runs: there are no weights, only their shapes. The exit status is 1 if a program does not
fit into a chip's memory. For vox_256 the compiler takes about ten minutes on two cores. Tables go
to stdout, and after them a line of JSON.
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
import pathlib
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import topologies

from benchmarks.command_line import CONFIG_HELP, check_counts, parse_with_config
from benchmarks.lowered import lower_animation, lower_train
from benchmarks.roofline import CHIPS, Chip
from benchmarks.tpu_report import count_program, print_parts, print_table
from fomm_jax import console
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors

logger = logging.getLogger(__name__)

PROGRAMS = ("train", "animate")


def compile_and_count(
    name: str, lowered: jax.stages.Lowered, chip: Chip, sides: tuple[int, ...]
) -> tuple[dict[str, Any], str]:
    """Compile a program; return its figures, as `count_program` does, and its text.

    If the program does not fit into the chip's memory, the figures are only "fits" and "reason",
    and the text is empty.
    """
    logger.info("%s: compiling", name)
    start = time.perf_counter()
    try:
        compiled: Any = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"fits": False, "reason": " ".join(str(error).split())[:200]}, ""
    seconds = time.perf_counter() - start
    logger.info("%s: compiled in %.0f s", name, seconds)
    counted = count_program(compiled, chip, sides)
    return {"fits": True, **counted, "compile_seconds": seconds}, compiled.as_text()


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
    add("--texts", type=pathlib.Path, help="folder to write the texts of the programs to")
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
            counted, text = compile_and_count(program, lowered, chip, sides)
            print_table(program, batch, counted, chip)
            if counted["fits"]:
                print_parts(program, counted)
            if options.texts:
                options.texts.mkdir(parents=True, exist_ok=True)
                (options.texts / f"{program}.txt").write_text(text)
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
