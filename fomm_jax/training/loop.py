"""The training loop: it takes steps, logs, saves, and goes back after a loss that is not finite."""

import contextlib
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.config.schema import Config
from fomm_jax.memory import return_freed_memory
from fomm_jax.models.vgg import VggWeights
from fomm_jax.training.divergence import NotFiniteError, PendingStep
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.preemption import TerminatedError, signal_to_end
from fomm_jax.training.resume import Origin, describe_start, first_state, starts_anew
from fomm_jax.training.saving import Saver, Unsaved
from fomm_jax.training.schedule import Schedule
from fomm_jax.training.signals import WORDS, EndingSignals
from fomm_jax.training.stalls import StallWatch
from fomm_jax.training.step import sharding
from fomm_jax.training.step.program import Program, compile_step, make_program
from fomm_jax.training.step.train_step import Result
from fomm_jax.training.time_spent import TimeSpent
from fomm_jax.training.workdir_lock import only_run_in
from fomm_jax.types import Batch, Batches
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.train_state import TrainState, make_optimizers

logger = logging.getLogger(__name__)

TakeStep = Callable[[TrainState, Batch], Result]


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts of a run that stay the same from its first step to its last."""

    config: Config
    workdir: AnyPath
    origin: Origin
    compile_step: Callable[[], None]  # for a run that begins with random networks
    take_step: TakeStep
    schedule: Schedule
    batches: Batches
    checkpoints: Checkpoints
    signals: EndingSignals
    spent: TimeSpent


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    batches: Batches,
    vgg: VggWeights,
    begin_from: str | os.PathLike[str] | None = None,
    signals: EndingSignals | None = None,
) -> int:
    """Train from the newest checkpoint of `workdir` to the last step.

    A new workdir starts from `begin_from`; without it, with the networks of
    `config.train.init_from`; without both, with random networks. Whatever ends the run early, the
    steps that were taken are saved first.

    Args:
      config: the configuration of the run.
      workdir: the folder for checkpoints, event files and pictures.
      batches: this process's part of each batch, endless; its position is saved and restored.
      vgg: the weights of the perceptual network.
      begin_from: a checkpoint, as in `load.load_pretrained`, to begin from in a new workdir.
      signals: hears of signals, after which the run saves and ends. Without it, none are heard.

    Returns:
      The number of steps taken; 0 if an earlier run took them all.

    Raises:
      InputError: batch, checkpoint or workdir do not fit the config, or cannot be used.
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: a signal came; a checkpoint was saved.
    """
    signals = signals or EndingSignals()
    spent = TimeSpent()
    settings, mesh = config.train, sharding.make_mesh(config.train.fsdp)
    sharding.check_batch_size(settings.batch_size, mesh, settings.accumulate)
    optimizers = make_optimizers(config, batches.steps_per_epoch)
    program = make_program(mesh, config, optimizers, batches.steps_per_epoch)
    step_key = draw_key(settings.seed, mesh)
    vgg = jax.device_put(vgg, sharding.replicated(mesh))
    with open_workdir(workdir, config, signals) as checkpoints:
        run = Run(
            config=config,
            workdir=to_path(workdir),
            origin=Origin(config, optimizers, program, begin_from),
            compile_step=functools.partial(compile_step, program, mesh, config, vgg),
            take_step=bind_step(program, mesh, step_key, vgg),
            schedule=Schedule(settings, batches.steps_per_epoch),
            batches=batches,
            checkpoints=checkpoints,
            signals=signals,
            spent=spent,
        )
        return run_to_the_end(run)


@contextlib.contextmanager
def open_workdir(
    workdir: str | os.PathLike[str], config: Config, signals: EndingSignals
) -> Iterator[Checkpoints]:
    """Open the checkpoints of a workdir and keep other runs out of it.

    If nothing is saved, the folders that this makes are removed, also where a signal ends the run.
    """
    settings = config.train
    check_held: Callable[[], None] = lambda: None  # noqa: E731
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:  # it does so for all
            held = stack.enter_context(only_run_in(workdir))
            check_held = held.check
            stack.enter_context(signals.cleaning_up_by(held.clean_up))
        checkpoints = stack.enter_context(
            Checkpoints(
                workdir,
                keep=settings.checkpoints_to_keep,
                keep_best=settings.keep_best,
                config=config,
                before_saving=check_held,
            )
        )
        stack.enter_context(signals.cleaning_up_by(checkpoints.remove_if_empty))
        yield checkpoints


def draw_key(seed: int, mesh: Mesh) -> jax.Array:
    """Draw the key of the steps, on every device."""
    everywhere = sharding.replicated(mesh)
    return jax.jit(lambda: jax.random.split(jax.random.key(seed))[1], out_shardings=everywhere)()


def bind_step(program: Program, mesh: Mesh, key: jax.Array, vgg: VggWeights) -> TakeStep:
    """Return the step as a function of state and batch, which it sends to the devices."""

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
    is_new = starts_anew(run.origin, run.checkpoints)
    if is_new:
        tell_start(run, 1)
        with run.spent.on("compiling"):
            run.compile_step()
    while True:
        with run.spent.on("starting"):
            state = first_state(run.origin, run.checkpoints, run.batches)
            first_step = int(state.step) + 1  # which waits for the state
        return_freed_memory()  # what it took to make the state is free for the steps
        if steps_to_take is None:
            steps_to_take = max(last_step + 1 - first_step, 0)
            if steps_to_take and not is_new:
                tell_start(run, first_step)
        if first_step > last_step:
            return steps_to_take
        try:
            with TrainingLog(
                run.workdir,
                steps=range(first_step, last_step + 1),
                batch_size=settings.batch_size,
                visualize=run.config.visualize,
                spent=run.spent,
                skipped_batches=len(skipped),
            ) as log:
                take_steps(run, state, skipped, log)
            logger.info("%s", run.spent.describe())
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


def tell_start(run: Run, first_step: int) -> None:
    """Tell what is about to happen: how many steps, on what, from where."""
    last_step, devices = run.schedule.last_step, jax.devices()
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    logger.info(
        "steps %d to %d (an epoch has %d), %d pairs each, on %d %s%s",
        first_step,
        last_step,
        run.batches.steps_per_epoch,
        run.config.train.batch_size,
        len(devices),
        f"device{'s' if len(devices) > 1 else ''} ({devices[0].device_kind})",
        processes,
    )
    logger.info("%s", describe_start(run.origin, run.checkpoints, first_step))
    cache = jax.config.values["jax_compilation_cache_dir"]
    kept = f"; kept in {cache} for the next time" if cache else ""
    logger.info("compiling (a minute or so%s)", kept)


def take_steps(run: Run, state: TrainState, skipped: Sequence[Any], log: TrainingLog) -> None:
    """Train from a state, which is donated, to the last step.

    Raises:
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: a signal came; a checkpoint was saved.
    """
    schedule, first_step = run.schedule, int(state.step) + 1
    saver = Saver(run.checkpoints, log, run.spent)
    watch = StallWatch(run.config.train.stall_timeout, run.signals.give_up)
    with watch, run.signals.protecting(saver.has_work), saver:
        for step in range(first_step, schedule.last_step + 1):
            watch.begin("the next batch")
            with run.spent.on("input"):
                position, batch = next_batch(run.batches, skipped)
            watch.begin_step(step)
            # The first call of a program compiles it.
            with run.spent.on("compiling") if step == first_step else contextlib.nullcontext():
                state, scalars, outputs = run.take_step(state, batch)
            saver.add(
                PendingStep(step, position, scalars),
                Unsaved(step, schedule.epochs(step), state, run.batches.get_state()),
            )
            signal = signal_to_end(run.signals, step) if step < schedule.last_step else None
            save = schedule.save_is_due(step) or signal is not None
            if schedule.log_is_due(step):
                saver.read()
                log.write_scalars(step)
            if outputs is not None and schedule.drawing_is_due(step):
                log.write_picture(step, outputs)
            if save:
                watch.begin(f"checkpoint {step}")
                saver.save()
                schedule.begin_minutes()
            if signal is not None:
                raise TerminatedError(
                    f"{WORDS[signal]} after step {step}; the same command goes on from"
                    f" {run.checkpoints.folder / str(step)}",
                    signal,
                )
        watch.begin("the last checkpoint")


def next_batch(batches: Batches, skipped: Sequence[Any]) -> tuple[Any, Batch]:
    """Read the next batch that is not to be skipped; return it after the position it was at."""
    while (position := batches.get_state()) in skipped:
        next(batches)
    return position, next(batches)
