"""Runs of the training loop, and what they have saved."""

import contextlib
import dataclasses

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from fomm_jax.training.loop import train
from input_pipeline.loader import training_batches

BRANCHES = ("params", "statistics", "optimizers", "step")


def run(config, workdir, vgg, num_steps=4, begin_from=None, signals=None, **changes):
    """Train up to a step; return the number of steps that were taken."""
    settings = dataclasses.replace(config.train, num_steps=num_steps, **changes)
    config = dataclasses.replace(config, train=settings)
    with contextlib.closing(
        training_batches(
            config.dataset,
            batch_size=settings.batch_size,
            num_repeats=settings.num_repeats,
            seed=settings.seed,
        )
    ) as batches:
        return train(config, workdir, batches, vgg, begin_from, signals)


def saved(workdir, step, *more):
    """Return the arrays of a checkpoint by name; `more` names further branches."""
    folder = workdir / "checkpoints" / str(step)
    branches = ocp.load_checkpointables(folder, dict.fromkeys((*BRANCHES, *more)))
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(branches)
    }


def assert_same(actual, desired):
    """Compare the arrays of two checkpoints bit for bit."""
    assert actual.keys() == desired.keys()
    for name, array in actual.items():
        np.testing.assert_array_equal(array, desired[name], err_msg=name, strict=True)
