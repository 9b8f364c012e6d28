"""Runs that meet a gradient that is not finite: they stop, or go on without the batch."""

import dataclasses

import jax
import numpy as np
import pytest
from small_training import make_program
from training_runs import assert_same, run, saved

from fomm_jax.reporting.events import read_curves
from fomm_jax.training import loop
from fomm_jax.training.divergence import NotFiniteError
from fomm_jax.training.log import TrainingLog
from fomm_jax.types import Batch
from input_pipeline.loader import TrainingBatches

pytestmark = [
    # Orbax, asked for arrays without shardings, says that it takes those of the file.
    pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning"),
]


@pytest.fixture
def diverging(monkeypatch):
    """Training of three numbers, which a black batch turns into no numbers, with their gradient."""

    def make(*arguments):
        program = make_program(*arguments)

        def spoiled(state, batch, key, vgg):
            state, scalars, outputs = program.train_step(state, batch, key, vgg)
            brightness = scalars["perceptual"]
            factor = jax.numpy.where(brightness == 0, np.float32(np.nan), np.float32(1))
            params = jax.tree.map(lambda array: array * factor, state.params)
            scalars |= {"gradient_norm": brightness * factor}
            return dataclasses.replace(state, params=params), scalars, outputs

        return program._replace(train_step=jax.jit(spoiled, donate_argnums=0))

    monkeypatch.setattr(loop, "make_program", make)
    monkeypatch.setattr(TrainingLog, "write_picture", lambda log, step, outputs: None)
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


def test_bad_batches_are_skipped_as_if_they_had_not_been(config, tmp_path, diverging, capsys):
    """One before there is a checkpoint, and one after the first."""
    blacken, without = diverging
    blacken({0, 3})
    assert run(config, tmp_path / "black", {}, on_divergence="skip", max_skips=2) == 4
    lines = [line for line in capsys.readouterr().err.splitlines() if "without the batch" in line]
    assert lines[0].startswith(
        "warning: step 1: gradient_norm is nan; the last good checkpoint: none"
    )
    assert "(1 of at most 2)" in lines[0]
    assert lines[1].startswith("warning: step 3: gradient_norm is nan")
    assert f"{tmp_path}/black/checkpoints/2; going back" in lines[1]
    assert len(lines) == 2
    without({0, 3})
    assert run(config, tmp_path / "without", {}) == 4
    assert_same(saved(tmp_path / "black", 4), saved(tmp_path / "without", 4))
    curves, expected = (read_curves(tmp_path / name) for name in ("black", "without"))
    assert curves["perceptual"] == expected["perceptual"]
    assert curves["skipped_batches"] == {1: 1, 2: 1, 3: 2, 4: 2}


def test_skips_are_limited(config, tmp_path, diverging):
    blacken, _ = diverging
    blacken({1, 2, 3, 4})
    with pytest.raises(NotFiniteError, match=r"^step 2: gradient_norm is nan"):
        run(config, tmp_path, {}, on_divergence="skip", max_skips=2)
    assert not (tmp_path / "checkpoints").exists()
