"""A run tells how its time was spent."""

import contextlib
import time

import pytest
from small_training import CountedBatches, make_program, run

from fomm_jax.errors import InputError
from fomm_jax.reporting.events import read_curves
from fomm_jax.training import loop, time_spent
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.time_spent import TimeSpent
from fomm_jax.weights.checkpoints import Checkpoints


def test_what_no_block_counts_is_time_for_steps(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time_spent.time, "monotonic", lambda: clock[0])
    spent = TimeSpent()
    clock[0] += 55
    for kind, seconds in (("compiling", 20), ("input", 3), ("input", 2), ("saves", 15)):
        with spent.on(kind):
            clock[0] += seconds
    with contextlib.suppress(InputError), spent.on("starting"):
        clock[0] += 5
        raise InputError("a checkpoint is damaged")
    assert spent.seconds("input") == 5
    assert spent.shares() == pytest.approx(
        {"steps": 0.55, "starting": 0.05, "compiling": 0.2, "input": 0.05, "saves": 0.15}
    )
    assert spent.describe() == (
        "01:40 in all: steps 55.0%, compiling 20.0%, waiting for saves 15.0%, starting 5.0%,"
        " waiting for input 5.0%"
    )


class LateBatches(CountedBatches):
    """Batches that each come after a tenth of a second."""

    def __next__(self):
        time.sleep(0.1)
        return super().__next__()


def test_waiting_for_input_and_for_saves_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loop, "make_program", make_program)
    monkeypatch.setattr(TrainingLog, "write_picture", lambda log, step, outputs: None)
    save = Checkpoints.save

    def save_slowly(*arguments, **options):
        save(*arguments, **options)
        time.sleep(0.2)

    monkeypatch.setattr(Checkpoints, "save", save_slowly)
    begun = time.monotonic()
    run(tmp_path, LateBatches(), checkpoint_every=2)
    seconds = time.monotonic() - begun
    curves = read_curves(tmp_path)
    shares = {name.partition("/")[2]: curve[5] for name, curve in curves.items() if "/" in name}
    assert shares.keys() == {"steps", "starting", "compiling", "input", "saves"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["input"] * seconds >= 0.5  # five batches
    assert shares["saves"] * seconds >= 0.6  # after the steps 2, 4 and 5
    (line,) = (record.message for record in caplog.records if " in all: " in record.message)
    for words in ("steps", "starting", "compiling", "waiting for input", "waiting for saves"):
        assert f"{words} " in line
