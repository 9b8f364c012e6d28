"""The benchmarks: one line of JSON that adds up, and how they refuse what they cannot use."""

import argparse
import itertools
import json
import subprocess
import sys

import jax
import pytest

from benchmarks import animate, measure, train_step


def test_figures_are_those_of_the_timed_steps(monkeypatch, capsys):
    """The first step compiles, the second one still warms up; neither counts as a step."""
    clock = itertools.accumulate([0, 30, 0, 1, 0, 6, 0, 2])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    steps = []
    options = argparse.Namespace(config="c", fields={}, steps=3)
    measure.measure("b", options, batch=8, unit="pairs", step=lambda: steps.append(1))
    report = json.loads(capsys.readouterr().out)
    assert len(steps) == 5
    assert report["seconds_per_step"] == 2
    assert report["pairs_per_second"] == 4
    assert report["compile_seconds"] == 28


@pytest.mark.parametrize(
    ("benchmark", "unit", "batch"), [(train_step, "pairs", 8), (animate, "frames", 4)]
)
def test_one_line_of_json(benchmark, unit, batch, capsys):
    benchmark.main(["--config=configs/tiny.py", f"--batch={batch}", "--steps=2"])
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    assert report[f"{unit}_per_second"] * report["seconds_per_step"] == pytest.approx(batch)
    assert report["compile_seconds"] > report["seconds_per_step"] > 0
    # At least the code and the networks, and no more than a machine has.
    assert 1e8 < report["peak_memory_bytes"] < 1e12
    assert report["batch"] == batch
    assert report["config"] == "configs/tiny.py"
    assert report["jax"] == jax.__version__


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--config=configs/none.py", "--config: there is no file configs/none.py"),
        ("--batch=0", "--batch is 0"),
        ("--batch=6", "config.train.batch_size is 6, expected a multiple of the 8 devices"),
        ("--steps=0", "--steps is 0"),
        ("--config.train.steps=2", "config.train.steps"),
        ("--config.training.fsdp=2", "--config.training.fsdp=2"),
        ("--config.train.fsdp=two", "--config.train.fsdp=two"),
    ],
)
def test_bad_option_ends_in_one_line(option, expected, capsys):
    with pytest.raises(SystemExit) as leaving:
        train_step.main(["--config=configs/tiny.py", option])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": {expected}" in line


@pytest.mark.parametrize("name", ["train_step", "animate"])
def test_help_tells_of_every_option(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    for option in ("--config", "--batch", "--steps"):
        assert option in shown


def test_fields_are_those_of_the_command_line():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    arguments = ["--config.model.compute_dtype=bfloat16", "--config=c", "--config.train.fsdp=2"]
    options = measure.parse_with_fields(parser, arguments)
    assert options.fields == {"model.compute_dtype": "bfloat16", "train.fsdp": "2"}
    config = measure.load_config("configs/tiny.py", options.fields)
    assert (config.model.compute_dtype, config.train.fsdp) == ("bfloat16", 2)
    with pytest.raises(SystemExit):
        measure.parse_with_fields(parser, ["--batches=2"])
