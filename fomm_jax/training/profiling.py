"""Where a training step spends its time: a trace of some steps, and their costliest operations."""

import collections
import csv
import dataclasses
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import numpy as np

from fomm_jax.buckets import AnyPath
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.files import local_folder, replacing
from fomm_jax.reporting.html_page import paragraph, table, write_page
from fomm_jax.training.compiled_program import Instruction, read_instructions
from fomm_jax.training.program_parts import sum_by_part
from fomm_jax.training.step import sharding
from fomm_jax.training.step.program import make_program
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import load_vgg

logger = logging.getLogger(__name__)

PACKAGE = "/fomm_jax/"  # in the paths of this project's files
# Instructions that only hold others, whose time would count twice.
CONTAINERS = ("while", "call", "conditional")
NUM_STEPS = 3  # to trace
STEPS_PER_EPOCH = 1000  # any number


@dataclasses.dataclass(frozen=True)
class Operation:
    """An instruction of the compiled step, and the time that it takes."""

    name: str  # of the instruction
    instruction: Instruction
    seconds: float  # per step
    calls: float  # per step


@dataclasses.dataclass(frozen=True)
class StepProfile:
    """The time that a training step takes, summed over all devices or threads."""

    title: str  # batch size and devices
    operations: Sequence[Operation]  # the costliest first
    parts: Mapping[str, float]  # seconds a step, by part of the program
    trace: AnyPath  # a file for TensorBoard's profiler or XProf


def profile_step(config: Config, folder: AnyPath) -> StepProfile:
    """Trace training steps on a batch of random pairs, and write a trace, a table and a page.

    Args:
      config: the configuration of the training run; it sets the batch size too.
      folder: the folder to write to.

    Raises:
      InputError: the batch does not fit the devices, weights are missing, or JAX cannot trace this
        kind of device.
    """
    settings = config.train
    # A program from the cache may name places of older files, which the cache does not compare.
    jax.config.update("jax_enable_compilation_cache", False)
    mesh = sharding.make_mesh(settings.fsdp)
    sharding.check_batch_size(settings.batch_size, mesh, settings.accumulate)
    _, initialise, train_step = make_program(
        mesh, config, make_optimizers(config, STEPS_PER_EPOCH), STEPS_PER_EPOCH
    )
    rng = np.random.default_rng(0)
    shape = (settings.batch_size, *config.dataset.frame_shape)
    pairs = Batch(*(rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)))
    key, vgg = jax.device_put(
        (jax.random.key(0), load_vgg(config.perceptual)), sharding.replicated(mesh)
    )
    batch, state = sharding.to_global(pairs, mesh), initialise(settings.seed)
    logger.info("Compiling the step")
    compiled = train_step.lower(state, batch, key, vgg).compile()
    program = compiled.as_text()
    assert program is not None, "XLA's programs have a text"

    def step() -> None:
        nonlocal state
        state, scalars, _ = compiled(state, batch, key, vgg)
        jax.block_until_ready((state, scalars))

    step()  # the first one also reserves memory
    with local_folder(folder) as local:
        trace = trace_steps(step, NUM_STEPS, local)
        operations = read_operations(trace, program, NUM_STEPS)
    parts = sum_by_part((row.instruction.scope, row.seconds) for row in operations)
    device = jax.devices()[0].device_kind
    title = f"A step of training: {settings.batch_size} pairs, {len(jax.devices())} x {device}"
    write_tables(folder, operations, parts, title)
    return StepProfile(title, operations, parts, folder / trace.relative_to(local))


def trace_steps(step: Callable[[], None], num_steps: int, folder: pathlib.Path) -> pathlib.Path:
    """Run steps that are compiled already, and write a trace of them.

    Args:
      step: a function that takes one step and waits for its end.
      num_steps: the number of steps.
      folder: the folder for the trace, which TensorBoard's profiler and XProf can open.

    Returns:
      The file of the trace.
    """
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # its events would outnumber the operations
    with jax.profiler.trace(folder, profiler_options=options):
        for _ in range(num_steps):
            step()
    return max(folder.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)


def read_operations(trace: pathlib.Path, program: str, num_steps: int) -> list[Operation]:
    """Return the operations of a traced program, the costliest first.

    The times of several devices, or of a CPU's threads, are added up; they are no clock time.

    Args:
      trace: the file from `trace_steps`.
      program: the text of the compiled program.
      num_steps: the number of steps that were traced.

    Raises:
      InputError: the trace has no operation of the program.
    """
    instructions = read_instructions(program, PACKAGE)
    seconds: dict[str, float] = collections.defaultdict(float)
    calls: collections.Counter[str] = collections.Counter()
    for name, duration in _events(jax.profiler.ProfileData.from_file(str(trace))):
        if name in instructions and instructions[name].kind not in CONTAINERS:
            seconds[name] += duration
            calls[name] += 1
    if not calls:
        raise InputError(f"{trace}: has no operation of the step; expected a device that is traced")
    return [
        Operation(name, instructions[name], total / num_steps, calls[name] / num_steps)
        for name, total in sorted(seconds.items(), key=lambda item: -item[1])
    ]


def _events(trace: jax.profiler.ProfileData) -> Iterator[tuple[str, float]]:
    """Yield name and seconds of every instruction that ran."""
    for plane in trace.planes:
        for line in plane.lines:
            # On TPU this line holds instructions only; elsewhere each event says what it is.
            is_tpu = plane.name.startswith("/device:TPU") and line.name == "XLA Ops"
            for event in line.events:
                name = event.name if is_tpu else dict(event.stats).get("hlo_op")
                if name:
                    yield str(name).lstrip("%").split(" ")[0], event.duration_ns * 1e-9


def write_tables(
    folder: AnyPath, operations: list[Operation], parts: Mapping[str, float], title: str
) -> None:
    """Write `operations.csv` with all operations, and `profile.html` with the costliest."""
    total = sum(operation.seconds for operation in operations)
    columns = ("milliseconds a step", "share", "calls", "kind", "source", "scope", "result", "name")
    rows = [
        (
            1000 * operation.seconds,
            operation.seconds / total,
            operation.calls,
            operation.instruction.kind,
            operation.instruction.source,
            operation.instruction.scope,
            operation.instruction.shape,
            operation.name,
        )
        for operation in operations
    ]
    with replacing(folder / "operations.csv") as unfinished, unfinished.open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    write_page(
        folder / "profile.html",
        title,
        [
            (
                "Parts",
                [
                    paragraph(f"All devices or threads together: {1000 * total:.4g} ms a step."),
                    table(
                        ("part", "milliseconds a step", "share"),
                        [
                            (part, 1000 * seconds, seconds / total)
                            for part, seconds in parts.items()
                        ],
                    ),
                ],
            ),
            ("The costliest operations", [table(columns, rows[:50])]),
        ],
    )
