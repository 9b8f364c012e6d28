"""Runs that meet a gradient that is not finite: they stop, or go on without the batch."""

import dataclasses

import jax
import numpy as np
import pytest
from training_runs import assert_same, run, saved

from fomm_jax.reporting.events import read_curves
from fomm_jax.training.divergence import NotFiniteError
from fomm_jax.training.step import program
from fomm_jax.training.step.train_step import make_train_step
from fomm_jax.types import Batch
from input_pipeline.loader import TrainingBatches

pytestmark = [
    # Orbax, asked for arrays without shardings, says that it takes those of the file.
    pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning"),
]


@pytest.fixture
def diverging(monkeypatch):
    """Training in which a black batch gives gradients, and parameters, that are not numbers."""

    def make(*arguments):
        step = make_train_step(*arguments)

        def spoiled(state, batch, key, vgg):
            state, scalars, outputs = step(state, batch, key, vgg)
            factor = jax.numpy.where(batch.source.max() == 0, np.float32(np.nan), np.float32(1))
            params = jax.tree.map(lambda array: array * factor, state.params)
            norm = {"gradient_norm": scalars["gradient_norm"] * factor}
            return dataclasses.replace(state, params=params), scalars | norm, outputs

        return spoiled

    monkeypatch.setattr(program, "make_train_step", make)
    read = TrainingBatches.__next__

    def blacken(numbers):
        def next_batch(batches):
            number = batches.get_state()["next_batch"]
            batch = read(batches)
            black = np.zeros_like(batch.source)
            return Batch(black, black) if number in numbers else batch

        monkeypatch.setattr(TrainingBatches, "__next__", next_batch)

    def without(numbers):
        def next_batch(batches):
            while batches.get_state()["next_batch"] in numbers:
                read(batches)
            return read(batches)

        monkeypatch.setattr(TrainingBatches, "__next__", next_batch)

    return blacken, without


def test_bad_batches_are_skipped_as_if_they_had_not_been(config, vgg, tmp_path, diverging, capsys):
    """One before there is a checkpoint, and one after the first."""
    blacken, without = diverging
    blacken({0, 3})
    assert run(config, tmp_path / "black", vgg, on_divergence="skip", max_skips=2) == 4
    lines = [line for line in capsys.readouterr().err.splitlines() if "without the batch" in line]
    assert lines[0].startswith(
        "warning: step 1: gradient_norm is nan; the last good checkpoint: none"
    )
    assert "(1 of at most 2)" in lines[0]
    assert lines[1].startswith("warning: step 3: gradient_norm is nan")
    assert f"{tmp_path}/black/checkpoints/2; going back" in lines[1]
    assert len(lines) == 2
    without({0, 3})
    assert run(config, tmp_path / "without", vgg) == 4
    assert_same(saved(tmp_path / "black", 4), saved(tmp_path / "without", 4))
    curves, expected = (read_curves(tmp_path / name) for name in ("black", "without"))
    assert curves["perceptual"] == expected["perceptual"]
    assert curves["skipped_batches"] == {1: 1, 2: 1, 3: 2, 4: 2}


def test_skips_are_limited(config, vgg, tmp_path, diverging):
    blacken, _ = diverging
    blacken({1, 2, 3, 4})
    with pytest.raises(NotFiniteError, match=r"^step 2: gradient_norm is nan"):
        run(config, tmp_path, vgg, on_divergence="skip", max_skips=2)
    assert not (tmp_path / "checkpoints").exists()
