"""The training loop: it takes steps, logs, saves, and goes back after a loss that is not finite."""

import contextlib
import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import jax
from jax.sharding import Mesh

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.models.vgg import VggWeights
from fomm_jax.training import sharding
from fomm_jax.training.divergence import NotFiniteError, PendingStep, read_scalars
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.preemption import TerminatedError, noticing_sigterm
from fomm_jax.training.program import Program, make_program
from fomm_jax.training.resume import Origin, first_state
from fomm_jax.training.schedule import Schedule
from fomm_jax.training.step import DIAGNOSTICS, Result
from fomm_jax.training.workdir_lock import only_run_in
from fomm_jax.types import Batch, Batches
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.train_state import TrainState, make_optimizers

logger = logging.getLogger(__name__)

TakeStep = Callable[[TrainState, Batch], Result]

# Losses that fall when the discriminator gets worse: checkpoints are ranked by all others.
ADVERSARIAL = ("gen_gan", "feature_matching", "disc_gan")


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts of a run that stay the same from its first step to its last."""

    config: Config
    workdir: pathlib.Path
    origin: Origin
    take_step: TakeStep
    schedule: Schedule
    batches: Batches
    checkpoints: Checkpoints
    must_end: Callable[[int], bool]  # after a step: whether SIGTERM has come


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    batches: Batches,
    steps_per_epoch: int,
    vgg: VggWeights,
    begin_from: str | os.PathLike[str] | None = None,
) -> int:
    """Train from the newest checkpoint of `workdir` to the last step.

    A new workdir starts from `begin_from`; without it, with the networks of
    `config.train.init_from`; without both, with random networks.

    Args:
      config: the configuration of the run.
      workdir: the folder for checkpoints, event files and pictures.
      batches: this process's part of each batch, endless; its position is saved and restored.
      steps_per_epoch: turns the config's epochs into steps.
      vgg: the weights of the perceptual network.
      begin_from: a checkpoint, as in `load.load_pretrained`, to begin from in a new workdir.

    Returns:
      The number of steps taken; 0 if an earlier run took them all.

    Raises:
      InputError: batch, checkpoint or workdir do not fit the config, or cannot be used.
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: SIGTERM came; a checkpoint was saved.
    """
    settings, mesh = config.train, sharding.make_mesh(config.train.fsdp)
    sharding.check_batch_size(settings.batch_size, mesh, settings.accumulate)
    optimizers = make_optimizers(config, steps_per_epoch)
    program = make_program(mesh, config, optimizers)
    init_key, step_key = draw_keys(settings.seed, mesh)
    with (
        only_run_in(workdir) if jax.process_index() == 0 else contextlib.nullcontext(),
        Checkpoints(
            workdir,
            keep=settings.checkpoints_to_keep,
            keep_best=settings.keep_best,
            config=config,
        ) as checkpoints,
        noticing_sigterm() as must_end,
    ):
        if begin_from is not None and checkpoints.steps:
            raise InputError(
                f"{checkpoints.folder}: has a checkpoint to go on from; expected none, since"
                f" training is to begin from {begin_from}"
            )
        run = Run(
            config=config,
            workdir=pathlib.Path(workdir),
            origin=Origin(config, optimizers, program, init_key, begin_from),
            take_step=bind_step(program, mesh, step_key, vgg),
            schedule=Schedule(settings, steps_per_epoch),
            batches=batches,
            checkpoints=checkpoints,
            must_end=must_end,
        )
        return run_to_the_end(run)


def draw_keys(seed: int, mesh: Mesh) -> tuple[jax.Array, jax.Array]:
    """Draw the keys of the first state and of the steps, both on every device."""
    everywhere = sharding.replicated(mesh)
    return jax.jit(
        lambda: tuple(jax.random.split(jax.random.key(seed))), out_shardings=everywhere
    )()


def bind_step(program: Program, mesh: Mesh, key: jax.Array, vgg: VggWeights) -> TakeStep:
    """Return the step as a function of state and batch, which it sends to the devices."""
    vgg = jax.device_put(vgg, sharding.replicated(mesh))

    def take_step(state: TrainState, batch: Batch) -> Result:
        on_devices = sharding.to_global(batch, mesh)
        # Forbid implicit transfers: one hidden in the step would stall every iteration.
        with jax.transfer_guard("disallow"):
            return program.train_step(state, on_devices, key, vgg)

    return take_step


def run_to_the_end(run: Run) -> int:
    """Take all steps; after a loss that is not finite, go back and leave its batch out if allowed.

    Returns:
      The number of steps that were left to take.
    """
    settings, last_step = run.config.train, run.schedule.last_step
    start = run.batches.get_state()
    steps_to_take: int | None = None
    skipped: list[Any] = []  # positions of batches that are left out
    while True:
        state = first_state(run.origin, run.checkpoints, run.batches)
        first_step = int(state.step) + 1
        if steps_to_take is None:
            steps_to_take = max(last_step + 1 - first_step, 0)
        if first_step > last_step:
            return steps_to_take
        try:
            with TrainingLog(
                run.workdir,
                first_step=first_step,
                last_step=last_step,
                batch_size=settings.batch_size,
                visualize=run.config.visualize,
                skipped_batches=len(skipped),
            ) as log:
                take_steps(run, state, skipped, log)
            return steps_to_take
        except NotFiniteError as error:
            if settings.on_divergence == "stop" or len(skipped) == settings.max_skips:
                raise
            skipped.append(error.position)
            logger.warning(
                "%s; going back to it, and on without the batch (%d of at most %d)",
                error,
                len(skipped),
                settings.max_skips,
            )
        run.checkpoints.wait()
        run.batches.set_state(start)


def take_steps(run: Run, state: TrainState, skipped: Sequence[Any], log: TrainingLog) -> None:
    """Train from a state, which is donated, to the last step.

    Raises:
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: SIGTERM came; a checkpoint was saved.
    """
    schedule, checkpoints = run.schedule, run.checkpoints
    pending: PendingStep | None = None
    losses: list[float] = []  # by which the next checkpoint is ranked

    def read(step: PendingStep) -> None:
        values = read_scalars(step, checkpoints)
        log.add(values)
        losses.append(ranking_loss(values))

    for step in range(int(state.step) + 1, schedule.last_step + 1):
        with log.waiting_for_input():
            position, batch = next_batch(run.batches, skipped)
        state, scalars, outputs = run.take_step(state, batch)
        # The scalars of the step before are read while this one runs.
        if pending is not None:
            read(pending)
        pending = PendingStep(step, position, scalars)
        end_now = run.must_end(step) and step < schedule.last_step
        save = schedule.save(step) or end_now
        if schedule.log(step) or save:
            read(pending)
            pending = None
        if schedule.log(step):
            log.write_scalars(step)
        if schedule.draw(step):
            log.write_picture(step, outputs)
        if save:
            epoch = schedule.epochs(step)
            checkpoints.save(step, state, epoch, run.batches, loss=fmean(losses))
            losses.clear()
        if end_now:
            raise TerminatedError(
                f"ended by SIGTERM after step {step}; the same command goes on from"
                f" {checkpoints.folder / str(step)}"
            )


def ranking_loss(scalars: dict[str, float]) -> float:
    """Sum the losses by which checkpoints are ranked: all but the adversarial ones."""
    others = (*ADVERSARIAL, *DIAGNOSTICS)
    return sum(value for name, value in scalars.items() if name not in others)


def next_batch(batches: Batches, skipped: Sequence[Any]) -> tuple[Any, Batch]:
    """Read the next batch that is not to be skipped; return it after the position it was at."""
    while (position := batches.get_state()) in skipped:
        next(batches)
    return position, next(batches)
