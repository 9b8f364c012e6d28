"""The training loop."""

import math
import os
import pathlib
from collections.abc import Iterator

import jax
import numpy as np
from tqdm import tqdm

from fomm_jax import sharding
from fomm_jax.checkpoints import Checkpoints
from fomm_jax.config import Config, VisualizeConfig
from fomm_jax.metric_writer import MetricWriter
from fomm_jax.perceptual import VggWeights
from fomm_jax.picture_io import write_picture
from fomm_jax.train_state import initial_state, make_optimizers
from fomm_jax.train_step import Losses, StepOutputs, make_train_step
from fomm_jax.types import Batch
from fomm_jax.visualize import draw_grid

PICTURES_FOLDER = "pictures"  # inside a workdir


class NotFiniteError(Exception):
    """A loss is infinite or not a number; the message names step, term and last good checkpoint."""


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    batches: Iterator[Batch],
    steps_per_epoch: int,
    vgg: VggWeights,
) -> None:
    """Train from the newest checkpoint of `workdir`, or from random networks, to the last step.

    Args:
      config: the run's.
      workdir: takes checkpoints, event files and pictures.
      batches: this process's part of each batch, endless; its position is saved and restored.
      steps_per_epoch: turns the config's epochs into steps.
      vgg: weights of the perceptual network.

    Raises:
      InputError: the batch does not fit the devices, or the checkpoint the config.
      NotFiniteError: a loss is infinite or not a number.
    """
    settings = config.train
    mesh = sharding.data_mesh()
    sharding.check_batch_size(settings.batch_size, mesh)
    last_step = settings.num_steps or settings.num_epochs * steps_per_epoch
    save_every = settings.checkpoint_every or settings.checkpoint_freq * steps_per_epoch
    draw_every = settings.visualize_every or steps_per_epoch
    pictures = pathlib.Path(workdir) / PICTURES_FOLDER

    everywhere = sharding.replicated(mesh)
    optimizers = make_optimizers(settings, steps_per_epoch)
    initialise = jax.jit(
        lambda key: initial_state(config, optimizers, key), out_shardings=everywhere
    )
    train_step = jax.jit(
        make_train_step(config, optimizers),
        donate_argnums=0,
        out_shardings=(everywhere, everywhere, sharding.split_by_batch(mesh)),
    )
    init_key, step_key = jax.random.split(jax.random.key(settings.seed))
    step_key, vgg = jax.device_put((step_key, vgg), everywhere)

    with Checkpoints(workdir, keep=settings.checkpoints_to_keep) as checkpoints:
        if checkpoints.latest_step is None:
            state = initialise(init_key)
        else:
            abstract = jax.eval_shape(initialise, init_key)
            state = checkpoints.restore(abstract, batches)
        first_step = int(state.step) + 1
        with (
            MetricWriter(workdir, first_step=first_step) as writer,
            tqdm(total=last_step, initial=first_step - 1, unit="step", desc="train") as bar,
        ):
            recent: list[dict[str, float]] = []
            running: Losses | None = None
            for step in range(first_step, last_step + 1):
                batch = sharding.to_global(next(batches), mesh)
                state, losses, outputs = train_step(state, batch, step_key, vgg)
                # Read the losses of the step before while this one runs.
                if running is not None:
                    recent.append(_finite(step - 1, running, checkpoints))
                running = losses
                at_end = step == last_step
                if at_end or step % settings.log_every == 0 or step % save_every == 0:
                    recent.append(_finite(step, running, checkpoints))
                    running = None
                if at_end or step % settings.log_every == 0:
                    means = {
                        name: float(np.mean([row[name] for row in recent])) for name in recent[0]
                    }
                    rate = bar.format_dict["rate"] or 0.0
                    writer.scalars(step, {**means, "pairs_per_second": rate * settings.batch_size})
                    recent.clear()
                if at_end or step % draw_every == 0:
                    picture = _draw(config.visualize, outputs)
                    writer.picture(step, "training", picture)
                    write_picture(pictures / f"{step:08d}.png", picture)
                if at_end or step % save_every == 0:
                    checkpoints.save(step, state, batches)
                bar.update()
                if recent:
                    bar.set_postfix(_postfix(recent[-1], bar, settings.batch_size))


def _finite(step: int, losses: Losses, checkpoints: Checkpoints) -> dict[str, float]:
    """The losses as numbers; raises NotFiniteError where one is none."""
    values = {name: float(value) for name, value in jax.device_get(losses).items()}
    for name, value in values.items():
        if not math.isfinite(value):
            last = checkpoints.latest_step
            good = "none was saved" if last is None else f"{checkpoints.folder / str(last)}"
            raise NotFiniteError(
                f"step {step}: the loss {name} is {value}; the last good checkpoint: {good}"
            )
    return values


def _postfix(losses: dict[str, float], bar: tqdm, batch_size: int) -> dict[str, str]:
    rate = bar.format_dict["rate"]
    shown = {name: f"{value:.3g}" for name, value in losses.items()}
    return shown | ({"pairs/s": f"{rate * batch_size:.1f}"} if rate else {})


def _draw(config: VisualizeConfig, outputs: StepOutputs) -> np.ndarray:
    """The grid of the pairs that lie on this process's first device."""
    local = jax.device_get(jax.tree.map(lambda array: array.addressable_data(0), outputs))
    return draw_grid(
        config,
        local.source,
        local.driving,
        local.source_keypoints,
        local.driving_keypoints,
        local.generated,
        transformed=None
        if local.transformed is None
        else (local.transformed, local.transformed_keypoints),
    )
