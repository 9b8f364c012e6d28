"""The command `convert_torch_weights.py`, run as a user runs it."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from convert_commands import ROOT, ConvertCommands

from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.config.schema import PerceptualConfig
from fomm_jax.weights.load import load_config
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.vgg import load_vgg


@pytest.fixture(scope="module")
def run_command(tmp_path_factory):
    """Run the command, and return its exit status and what it printed."""
    with ConvertCommands(tmp_path_factory.mktemp("outputs")) as run:
        yield run


def assert_refused(run, *words):
    """Assert that a command ended with one line that contains the words."""
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("convert_torch_weights.py: ")
    assert run.stderr.count("\n") == 1
    for word in words:
        assert word in run.stderr


def test_inspect_shows_what_a_checkpoint_holds(run_command, tmp_path):
    state = {
        "conv.weight": np.ones((4, 3, 2, 2), np.float32),
        "norm.running_mean": np.ones(4, np.float32),
    }
    moments = {"state": {0: {"step": np.array(3.0), "exp_avg": np.ones(5)}}, "param_groups": []}
    path = tmp_path / "file.pth.tar"
    write_torch_file(path, {"generator": state, "optimizer_generator": moments, "epoch": 7})
    run = run_command(f"--inspect={path}")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"{path}: sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
        "generator: 2 tensors, 52 values",
        "  48 parameters",
        "  conv.weight float32 (4, 3, 2, 2)",
        "  norm.running_mean float32 (4,)",
        "optimizer_generator: 2 tensors, 6 values",
        "  state.0.step float64 ()",
        "  state.0.exp_avg float64 (5,)",
        "epoch: 7",
    ]


def test_an_address_is_not_fetched():
    """Nor in a process that has not loaded the modules before."""
    address = "https://example.org/vox-cpk.pth.tar"
    command = [sys.executable, "convert_torch_weights.py", f"--inspect={address}"]
    assert_refused(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False),
        f"--inspect={address}: is an address, which is not fetched",
    )


def test_perceptual_weights_are_converted(run_command, tmp_path):
    state, index, channels = {}, 0, 3
    for position, (name, width) in enumerate(VGG_LAYERS["vgg16"]):
        index += name.endswith("_1") and position > 0
        state[f"features.{index}.weight"] = np.full((width, channels, 3, 3), position, np.float32)
        state[f"features.{index}.bias"] = np.full(width, -position, np.float32)
        index, channels = index + 2, width
    write_torch_file(tmp_path / "vgg16.pth", state)

    run = run_command(
        "--perceptual=vgg16", "--input=vgg16.pth", "--output=new/vgg16", folder=tmp_path
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "wrote new/vgg16.npz\n")
    weights = load_vgg(PerceptualConfig("vgg16", str(tmp_path / "new" / "vgg16")))
    for position, (name, _) in enumerate(VGG_LAYERS["vgg16"]):
        kernel, bias = weights[name]
        assert np.all(kernel == position)
        assert np.all(bias == -position)

    run = run_command(
        "--perceptual=vgg19", "--input=vgg16.pth", "--output=new/vgg19", folder=tmp_path
    )
    assert_refused(run, "vgg16.pth: not the weights of vgg19", "features.16.weight is missing")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["vgg16.npz"]


RECORDED = ROOT / "tests" / "data" / "recorded" / "tiny_adversarial"
CONFIG = f"--config={ROOT}/configs/from_yaml.py:{RECORDED}/config.yaml"


def test_a_checkpoint_of_the_original_is_converted_both_ways(run_command, tmp_path):
    file = RECORDED / "checkpoint.pth.tar"
    run = run_command(CONFIG, f"--input={file}", f"--output={tmp_path}/W")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"{file}: has no optimizer_discriminator, optimizer_generator, optimizer_kp_detector;"
        " new ones take their place",
        f"wrote {tmp_path}/W/checkpoints/0",
    ]
    assert load_config(tmp_path / "W").model.num_kp == 3  # no --config is needed from here on
    back = tmp_path / "new" / "back.pth.tar"
    run = run_command(CONFIG, f"--input={tmp_path}/W", f"--output={back}", "--to_torch")
    assert (run.returncode, run.stderr, run.stdout) == (0, "", f"wrote {back}\n")
    expected, converted = read_torch_file(file), read_torch_file(back)
    for network in ("generator", "kp_detector", "discriminator"):
        assert list(converted[network]) == list(expected[network])
        for key, tensor in expected[network].items():
            np.testing.assert_array_equal(converted[network][key], tensor, strict=True)

    run = run_command(f"--input={tmp_path}/W", f"--output={tmp_path}/model.safetensors")
    assert (run.returncode, run.stderr, run.stdout) == (
        0,
        "",
        f"wrote {tmp_path}/model.safetensors\n",
    )
    run = run_command(f"--inspect={tmp_path}/model.safetensors")
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[1] == "carries its configuration: first-order, frames of 32 x 32 pixels"
    assert "  num_kp = 3" in lines
    assert "  final.weight float32 (3, 4, 7, 7)" in lines
    from_file = tmp_path / "from_file.pth.tar"
    run = run_command(
        f"--input={tmp_path}/model.safetensors", f"--output={from_file}", "--to_torch"
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, "", f"wrote {from_file}\n")
    converted = read_torch_file(from_file)
    for key, tensor in expected["generator"].items():
        np.testing.assert_array_equal(converted["generator"][key], tensor, strict=True)

    run = run_command(CONFIG, f"--input={file}", f"--output={tmp_path}/W")
    assert_refused(run, f"{tmp_path}/W/checkpoints: has a checkpoint already")
    run = run_command(CONFIG, f"--input={tmp_path}/W", f"--output={back}", "--to_torch")
    assert_refused(run, f"{back}: exists already")


def test_files_that_cannot_be_converted_are_refused(run_command, tmp_path):
    file = RECORDED / "checkpoint.pth.tar"
    short = tmp_path / "short.pth.tar"
    short.write_bytes(file.read_bytes()[:-1000])
    output = f"--output={tmp_path}/W"
    assert_refused(run_command(CONFIG, f"--input={short}", output), f"{short}: ")
    other = "--config.model.num_kp=4", "--config.model.estimate_jacobian=True"
    run = run_command(CONFIG, *other, f"--input={file}", output)
    assert_refused(run, f"{file}: config.model.num_kp is 4", "fits 3", "(3, 7, 7, 7)")
    write_torch_file(tmp_path / "vgg.pth", {"features.0.weight": np.ones(3, np.float32)})
    run = run_command(CONFIG, f"--input={tmp_path}/vgg.pth", output)
    assert_refused(run, "vgg.pth: expected a checkpoint of the original")
    run = run_command(CONFIG, f"--input={tmp_path}", output, "--to_torch")
    assert_refused(run, f"{tmp_path}: no checkpoint here")
    assert not (tmp_path / "W").exists()


def test_flags_that_do_not_go_together_are_refused(run_command, tmp_path):
    assert_refused(run_command(), "--inspect")
    assert_refused(run_command("--perceptual=vgg19", "--input=a.pth"), "--output")
    run = run_command("--input=a", "--output=b.safetensors", "--to_torch")
    assert_refused(run, "--to_torch: expected an --output that does not end in .safetensors")
    run = run_command(f"--input={RECORDED / 'checkpoint.pth.tar'}", "--output=b.safetensors")
    assert_refused(run, "checkpoint.pth.tar: carries no configuration; expected")
    assert_refused(run_command("--inspect=a.pth", "--perceptual=vgg19"), "--inspect")
    assert_refused(run_command("--perceptual=vgg11"), "vgg16|vgg19")
    assert_refused(run_command("stray"), "stray")
    assert_refused(run_command("--inspect=missing.pth"), "missing.pth: there is no such file")
