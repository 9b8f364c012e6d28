"""Find what a training step spends its time on."""

import dataclasses
import logging
import pathlib
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from fomm_jax.cli.flags import read_config_and_workdir
from fomm_jax.config.schema import Config
from fomm_jax.training import sharding
from fomm_jax.training.profiling import (
    Operation,
    read_operations,
    sum_by_part,
    trace_steps,
    write_tables,
)
from fomm_jax.training.program import make_program
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import load_vgg

logger = logging.getLogger(__name__)

NUM_STEPS = 3  # to trace
NUM_PRINTED = 20  # operations
# Names that the networks, the losses and the step give to parts of the program.
PARTS = (
    "augmentation",
    "kp_detector",
    "dense_motion",
    "generator",
    "discriminator",
    "perceptual",
    "grid_sample",
    "antialias_downsample",
    "optimizer",
)


@dataclasses.dataclass(frozen=True)
class StepProfile:
    """The time that a training step takes, summed over all devices or threads."""

    title: str  # batch size and devices
    operations: Sequence[Operation]  # the costliest first
    parts: Mapping[str, float]  # seconds a step, by part of the program
    trace: pathlib.Path  # a file for TensorBoard's profiler or XProf


def run() -> None:
    """Profile a training step of --config, and write the results into --workdir."""
    config, workdir = read_config_and_workdir()
    folder = workdir / "profile"
    profile = profile_step(config, folder)
    total = sum(profile.parts.values())
    print(f"{profile.title}\n{1000 * total:.4g} ms a step, of all devices or threads together\n")
    print("| part | ms a step | share |\n| --- | --- | --- |")
    for part, seconds in profile.parts.items():
        print(f"| {part} | {1000 * seconds:.4g} | {seconds / total:.1%} |")
    print("\n| operation | kind | source | ms a step | share |\n| --- | --- | --- | --- | --- |")
    for operation in profile.operations[:NUM_PRINTED]:
        instruction = operation.instruction
        print(
            f"| {instruction.scope.rpartition('/')[2]} {instruction.shape} | {instruction.kind}"
            f" | {instruction.source} | {1000 * operation.seconds:.4g}"
            f" | {operation.seconds / total:.1%} |"
        )
    print(f"\nAll operations: {folder / 'operations.csv'}\nPage: {folder / 'profile.html'}")
    print(f"Trace, for TensorBoard's profiler or XProf: {profile.trace}")


def profile_step(config: Config, folder: pathlib.Path) -> StepProfile:
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
    initialise, train_step = make_program(mesh, config, make_optimizers(config, 1000))
    rng = np.random.default_rng(0)
    shape = (settings.batch_size, *config.dataset.frame_shape)
    pairs = Batch(*(rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)))
    key, vgg = jax.device_put(
        (jax.random.key(0), load_vgg(config.perceptual)), sharding.replicated(mesh)
    )
    batch, state = sharding.to_global(pairs, mesh), initialise(key)
    logger.info("Compiling the step")
    compiled = train_step.lower(state, batch, key, vgg).compile()
    program = compiled.as_text()
    assert program is not None, "XLA's programs have a text"

    def step() -> None:
        nonlocal state
        state, scalars, _ = compiled(state, batch, key, vgg)
        jax.block_until_ready((state, scalars))

    step()  # the first one also reserves memory
    trace = trace_steps(step, NUM_STEPS, folder)
    operations = read_operations(trace, program, NUM_STEPS)
    parts = sum_by_part(operations, PARTS)
    device = jax.devices()[0].device_kind
    title = f"A step of training: {settings.batch_size} pairs, {len(jax.devices())} x {device}"
    write_tables(folder, operations, parts, title)
    return StepProfile(title, operations, parts, trace)
