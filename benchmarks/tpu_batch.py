"""Find the largest batch whose training step fits into a TPU chip, on a machine without one.

    python -m benchmarks.tpu_batch --batches=32,56,60 --topology=v5e:2x4 \\
        [--config=configs/vox_256.py --config.model.compute_dtype=bfloat16]

The compiler in libtpu decides in its first minutes where each buffer lies, and refuses a program
that has no room; the instructions, which take most of an hour for large batches, come after that.
So each compilation, by `compile_for_tpu.py`, is ended as soon as the compiler has reported the
memory. The program's code lies in the same memory and is not counted; for vox_256 it takes 0.4 GB.
A table goes to stdout.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command_line import CONFIG_HELP, parse_with_config
from benchmarks.processes import end_group
from fomm_jax.errors import InputError, one_line_errors

# The compiler writes this file right after the report of the memory.
_AFTER_REPORT = "*jit_train_step*.after_optimizations_after_buffer_assignment.txt"
_REPORT = "*jit_train_step*.after_optimizations-memory-usage-report.txt"
_TOTAL = re.compile(r"^Total bytes: (\d+)", re.M)
_POLL_SECONDS = 1.0


def total_bytes(report: str) -> int:
    """Return how many bytes of a chip's main memory a report of the compiler has."""
    found = _TOTAL.search(report)
    if found is None:
        raise InputError("the compiler's report of the memory has no line «Total bytes»")
    return int(found[1])


def measure_memory(batch: int, arguments: Sequence[str]) -> int | None:
    """Compile a training step until its memory is known.

    Args:
      batch: pairs a chip.
      arguments: of `compile_for_tpu.py`.

    Returns:
      The bytes of arguments, results and temporary values; None if they do not fit.

    Raises:
      InputError: the compilation failed for another reason.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = f"--xla_dump_to={folder} --xla_dump_hlo_as_text"
        command = [sys.executable, "-m", "benchmarks.compile_for_tpu", "--what=train"]
        with subprocess.Popen(
            [*command, f"--batch={batch}", *arguments],
            env={**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {options}"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                while process.poll() is None and not any(folder.glob(_AFTER_REPORT)):
                    time.sleep(_POLL_SECONDS)
            finally:
                end_group(process)
            output = process.stdout.read() if process.stdout else ""
        if reports := list(folder.glob(_REPORT)):
            return total_bytes(reports[0].read_text())
    if "| does not fit |" in output:
        return None
    raise InputError(f"--batches: the compilation of {batch} pairs ended with no report of memory")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(
        description="Print the memory that batches of training take on a TPU chip."
    )
    parser.add_argument("--batches", required=True, help="pairs a chip, like 32,56")
    parser.add_argument("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    parser.add_argument(
        "--topology", default="v5e:2x4", help="chip and slice; default: %(default)s"
    )
    with one_line_errors():
        options, _ = parse_with_config(parser, arguments)
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", options.batches):
            raise InputError(f"--batches is {options.batches}; expected numbers, as in 32,56")
        passed_on = [f"--topology={options.topology}", f"--config={options.config}"]
        passed_on += [f"--config.{name}={value}" for name, value in options.fields.items()]
        print("| pairs a chip | memory without the code |\n| --- | --- |", flush=True)
        for batch in map(int, options.batches.split(",")):
            found = measure_memory(batch, passed_on)
            memory = "does not fit" if found is None else f"{found / 1e9:.2f} GB"
            print(f"| {batch} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
