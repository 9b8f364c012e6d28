"""Training of three numbers in place of networks, for tests of how a run begins and ends."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.training.loop import train
from fomm_jax.training.step import sharding
from fomm_jax.training.step.program import Program
from fomm_jax.types import Batch
from fomm_jax.weights.restore import restore_state
from fomm_jax.weights.train_state import TrainState


class CountedBatches:
    """Batches of grey pictures, whose brightness is their number."""

    steps_per_epoch = 2

    def __init__(self):
        self.number = 0

    def __next__(self):
        self.number += 1
        grey = np.full((8, 4, 4, 3), self.number, np.uint8)
        return Batch(grey, grey)

    def get_state(self):
        return {"next_batch": self.number}

    def set_state(self, state):
        self.number = state["next_batch"]


def first_state():
    """Return the first state: three zeros in place of each tree of networks."""
    zeros = {"net": {"sum": jnp.zeros(3)}}
    return TrainState(jnp.zeros((), jnp.int32), zeros, zeros, zeros)


def saved_state(workdir, step):
    """Return the arrays of a checkpoint by name, wherever it was saved."""
    abstract = jax.eval_shape(first_state)
    state = restore_state(workdir / "checkpoints" / str(step), abstract)
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def make_program(mesh, config, optimizers, steps_per_epoch):
    """Make a program that adds the brightness of each batch to three numbers."""

    def train_step(state, batch, key, vgg):
        brightness = jnp.mean(batch.source.astype(jnp.float32))
        params = jax.tree.map(lambda array: array + brightness, state.params)
        state = dataclasses.replace(state, step=state.step + 1, params=params)
        return state, {"perceptual": brightness}, batch

    everywhere = sharding.replicated(mesh)
    return Program(
        sharding.shapes(jax.eval_shape(first_state), everywhere),
        lambda seed: jax.jit(first_state, out_shardings=everywhere)(),
        jax.jit(train_step, donate_argnums=0, out_shardings=everywhere),
    )


def run(workdir, batches=None, signals=None, begin_from=None, **changes):
    """Train for 5 steps, with a checkpoint after every second one, unless `changes` say else."""
    config = from_config_dict(tiny.get_config())
    settings = {"batch_size": 8, "num_steps": 5, "checkpoint_every": 2} | changes
    settings = dataclasses.replace(config.train, **settings)
    config = dataclasses.replace(config, train=settings)
    return train(config, workdir, batches or CountedBatches(), {}, begin_from, signals)
