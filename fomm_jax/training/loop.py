"""The training loop."""

import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.models.vgg import VggWeights
from fomm_jax.training import sharding
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.preemption import TerminatedError, noticing_sigterm
from fomm_jax.training.resume import state_to_begin_with
from fomm_jax.training.schedule import Schedule
from fomm_jax.training.step import DIAGNOSTICS, Scalars, StepOutputs, make_train_step
from fomm_jax.training.workdir_lock import only_run_in
from fomm_jax.types import Batch, Batches
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.train_state import Optimizers, TrainState, initial_state, make_optimizers

# By these losses checkpoints are judged: the others fall when the discriminator gets worse, too.
JUDGING = ("perceptual", "equivariance_value", "equivariance_jacobian")


class NotFiniteError(Exception):
    """A loss or a gradient is not finite; the message names step, term and last good checkpoint."""

    def __init__(self, message: str, position: Any):
        """Keep the position of the loader at which the step's batch was taken."""
        super().__init__(message)
        self.position = position


class Running(NamedTuple):
    """A step that the device may still be at."""

    step: int
    position: Any  # of the loader before the step's batch
    scalars: Scalars


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    batches: Batches,
    steps_per_epoch: int,
    vgg: VggWeights,
    begin_from: str | os.PathLike[str] | None = None,
) -> int:
    """Train from the newest checkpoint of `workdir` to the last step.

    Where there is none, from `begin_from`, from the networks of `config.train.init_from`, or from
    random ones.

    Args:
      config: the run's.
      workdir: takes checkpoints, event files and pictures.
      batches: this process's part of each batch, endless; its position is saved and restored.
      steps_per_epoch: turns the config's epochs into steps.
      vgg: weights of the perceptual network.
      begin_from: a checkpoint as in `load.load_pretrained`, whose state and position training
        begins with in a workdir without one.

    Returns:
      The number of steps taken; 0 where an earlier run took them all.

    Raises:
      InputError: the batch does not fit the devices, or the checkpoint the config, or there are
        two to begin from, or another run is at work in the workdir, or it cannot be written.
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: SIGTERM came; a checkpoint was saved.
    """
    settings = config.train
    mesh = sharding.make_mesh(settings.fsdp)
    sharding.check_batch_size(settings.batch_size, mesh, settings.accumulate)

    optimizers = make_optimizers(settings, steps_per_epoch)
    initialise, train_step = compiled_for(mesh, config, optimizers)
    everywhere = sharding.replicated(mesh)
    init_key, step_key = jax.jit(
        lambda: tuple(jax.random.split(jax.random.key(settings.seed))), out_shardings=everywhere
    )()
    vgg = jax.device_put(vgg, everywhere)

    def step_of(state: TrainState, batch: Batch) -> tuple[TrainState, Scalars, StepOutputs]:
        sent = sharding.to_global(batch, mesh)
        # What is not sent on purpose would be sent at every step, and waited for.
        with jax.transfer_guard("disallow"):
            return train_step(state, sent, step_key, vgg)

    schedule = Schedule(settings, steps_per_epoch)
    with (
        only_run_in(workdir) if jax.process_index() == 0 else contextlib.nullcontext(),
        Checkpoints(
            workdir,
            keep=settings.checkpoints_to_keep,
            keep_best=settings.keep_best,
            config=config,
        ) as checkpoints,
        noticing_sigterm() as terminated,
    ):
        if begin_from is not None and checkpoints.steps:
            raise InputError(
                f"{checkpoints.folder}: has a checkpoint to go on from; expected none, since"
                f" training is to begin from {begin_from}"
            )
        start = batches.get_state()
        taken: int | None = None
        skipped: list[Any] = []  # positions of batches that are left out
        while True:
            state = state_to_begin_with(
                config, checkpoints, begin_from, batches, optimizers, initialise, init_key
            )
            first_step = int(state.step) + 1
            if taken is None:
                taken = max(schedule.last_step + 1 - first_step, 0)
            if first_step > schedule.last_step:
                return taken
            try:
                with TrainingLog(
                    workdir,
                    first_step=first_step,
                    last_step=schedule.last_step,
                    batch_size=settings.batch_size,
                    visualize=config.visualize,
                    skipped_batches=len(skipped),
                ) as log:
                    take_steps(
                        state, step_of, batches, skipped, schedule, checkpoints, log, terminated
                    )
                return taken
            except NotFiniteError as error:
                if settings.on_divergence == "stop" or len(skipped) == settings.max_skips:
                    raise
                skipped.append(error.position)
                if jax.process_index() == 0:
                    print(
                        f"{error}; going back to it, and on without the batch"
                        f" ({len(skipped)} of at most {settings.max_skips})",
                        file=sys.stderr,
                    )
            checkpoints.wait()
            batches.set_state(start)


def take_steps(
    state: TrainState,
    step_of: Callable[[TrainState, Batch], tuple[TrainState, Scalars, StepOutputs]],
    batches: Batches,
    skipped: Sequence[Any],
    schedule: Schedule,
    checkpoints: Checkpoints,
    log: TrainingLog,
    terminated: Callable[[int], bool],
) -> None:
    """Train from a state, which is taken over, to the last step.

    Raises:
      NotFiniteError: a loss or a gradient is infinite or not a number.
      TerminatedError: `terminated` of a step.
    """
    running: Running | None = None
    judged: list[float] = []  # losses since the last checkpoint

    def read(done: Running) -> None:
        values = finite(done, checkpoints)
        log.add(values)
        judged.append(sum(values.get(name, 0.0) for name in JUDGING))

    for step in range(int(state.step) + 1, schedule.last_step + 1):
        with log.waiting_for_input():
            position, batch = next_batch(batches, skipped)
        state, scalars, outputs = step_of(state, batch)
        # The scalars of the step before are read while this one runs.
        if running is not None:
            read(running)
        running = Running(step, position, scalars)
        stop = terminated(step) and step < schedule.last_step
        save = schedule.save(step) or stop
        if schedule.log(step) or save:
            read(running)
            running = None
        if schedule.log(step):
            log.write_scalars(step)
        if schedule.draw(step):
            log.write_picture(step, outputs)
        if save:
            checkpoints.save(step, state, schedule.epochs(step), batches, loss=fmean(judged))
            judged.clear()
        if stop:
            raise TerminatedError(
                f"ended by SIGTERM after step {step}; the same command goes on from"
                f" {checkpoints.folder / str(step)}"
            )


def next_batch(batches: Batches, skipped: Sequence[Any]) -> tuple[Any, Batch]:
    """The next batch that is not to be skipped, after the position that it was taken at."""
    while (position := batches.get_state()) in skipped:
        next(batches)
    return position, next(batches)


def compiled_for(
    mesh: Mesh, config: Config, optimizers: Optimizers
) -> tuple[jax.stages.Wrapped, jax.stages.Wrapped]:
    """Initialisation and training step for a state that lies on the mesh as `sharding` has it.

    Of a key the one makes a state; the other is a `TrainStep`. Both are compiled when they are
    called, or by their `lower`. The step takes batches that are split over the mesh, and takes the
    state over: its buffers are used again for the new one.
    """

    def initial(key: jax.Array) -> TrainState:
        return initial_state(config, optimizers, key)

    of_state = sharding.divided(mesh, jax.eval_shape(initial, jax.random.key(0)))
    initialise = jax.jit(
        initial,
        out_shardings=of_state,
        # It runs once, and on CPU compiles faster so.
        compiler_options={"xla_backend_optimization_level": 0},
    )
    train_step = jax.jit(
        make_train_step(config, optimizers),
        donate_argnums=0,
        out_shardings=(of_state, sharding.replicated(mesh), sharding.split_by_batch(mesh)),
    )
    return initialise, train_step


def finite(done: Running, checkpoints: Checkpoints) -> dict[str, float]:
    """The scalars of a step as numbers.

    Raises:
      NotFiniteError: one of them is infinite or not a number.
    """
    values = {name: float(value) for name, value in jax.device_get(done.scalars).items()}
    # A loss that is not finite has such gradients; it is the loss that tells where to look.
    for name, value in sorted(values.items(), key=lambda item: item[0] in DIAGNOSTICS):
        if not math.isfinite(value):
            last = checkpoints.latest_step
            good = "none was saved" if last is None else f"{checkpoints.folder / str(last)}"
            raise NotFiniteError(
                f"step {done.step}: {name} is {value}; the last good checkpoint: {good}",
                done.position,
            )
    return values
