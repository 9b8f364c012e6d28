"""main.py with workdirs and weights in a bucket writes what it writes on a disk."""

import subprocess
import sys

import numpy as np
import pytest
from bucket_server import make_bucket
from commands import SHALLOW_MODEL, TINY, run_main
from films import write_silent_film

import main
from fomm_jax.animation.animator import Animator
from fomm_jax.buckets import file_system, to_path
from fomm_jax.media.pictures import write_picture
from fomm_jax.reporting.events import read_curves
from fomm_jax.weights.find_checkpoint import find_checkpoint
from fomm_jax.weights.load import load_config
from fomm_jax.weights.torch.convert import convert_from_torch
from fomm_jax.weights.torch.reader import read_torch_file

pytestmark = pytest.mark.filterwarnings(
    # ml_collections reads the file of --config in a way that importlib gives up.
    r"ignore:the load_module\(\) method:DeprecationWarning"
)
BUCKET = "gs://modes"
COSTS = ("seconds_per_step", "input_wait", "pairs_per_second", "memory")


@pytest.fixture(scope="module")
def train(figures):
    """Run a training; its arguments are the workdir and further flags."""
    perceptual_off = "--config.train.loss_weights.perceptual=(0,0,0,0,0)"
    usual = *TINY, *SHALLOW_MODEL, "--mode=train", perceptual_off
    data = f"--config.dataset.root_dir={figures}"

    def run(workdir, *flags):
        assert run_main(*usual, data, f"--workdir={workdir}", *flags) == 0

    return run


@pytest.fixture(scope="module")
def workdir(bucket_server, train, tmp_path_factory):
    """A workdir on a disk, after two steps, of which W in the bucket is the counterpart."""
    make_bucket(bucket_server, BUCKET.removeprefix("gs://"))
    folder = tmp_path_factory.mktemp("disk") / "W"
    for place in (folder, f"{BUCKET}/W"):
        train(place, "--config.train.num_steps=2")
    return folder


def read_losses(workdir):
    curves = read_curves(workdir)
    return {name: curve for name, curve in curves.items() if name not in COSTS and "/" not in name}


def first_frame(path):
    """Animate a grey picture by a dark one, with the networks at a path."""
    config = load_config(f"{BUCKET}/W")
    source, driving = (np.full((32, 32, 3), level, np.uint8) for level in (99, 20))
    (frame,) = Animator.from_checkpoint(path, config).animate(source, [driving])
    return frame


def assert_same_files(on_disk, in_bucket):
    """Compare all files below two folders; return their names."""
    files = {
        path.relative_to(on_disk).as_posix(): path.read_bytes()
        for path in on_disk.rglob("*")
        if path.is_file()
    }
    for name, content in files.items():
        assert (to_path(in_bucket) / name).read_bytes() == content, name
    return files.keys()


def test_training_has_the_same_losses_and_pictures(workdir):
    losses = read_losses(f"{BUCKET}/W")
    assert len(losses) > 5
    assert losses == read_losses(workdir)
    assert_same_files(workdir / "pictures", f"{BUCKET}/W/pictures")


@pytest.mark.slow
def test_training_begins_with_weights_in_a_bucket(workdir, train, tmp_path):
    for flag in ("--config.train.init_from", "--checkpoint"):
        name, steps = flag.removeprefix("--"), "--config.train.num_steps=3"
        train(tmp_path / name, f"{flag}={workdir}", steps)
        train(f"{BUCKET}/{name}", f"{flag}={BUCKET}/W", steps)
        assert read_losses(f"{BUCKET}/{name}") == read_losses(tmp_path / name)
    assert [*read_losses(tmp_path / "checkpoint")["gen_gan"]] == [3]


@pytest.mark.parametrize(
    ("mode", "outputs"),
    [
        ("reconstruct", {"metrics.csv", "metrics.json", "report.html", "0000.mp4", "png/0000.png"}),
        pytest.param("animate", {"0001-0000.mp4", "png/0001-0000.png"}, marks=pytest.mark.slow),
    ],
)
def test_outputs_in_a_bucket(workdir, figures, tmp_path, mode, outputs):
    flags = *TINY, *SHALLOW_MODEL, f"--config.dataset.root_dir={figures}", f"--mode={mode}"
    for checkpoint, place in ((workdir, tmp_path), (f"{BUCKET}/W", f"{BUCKET}/out")):
        assert run_main(*flags, f"--workdir={place}", f"--checkpoint={checkpoint}") == 0
    (folder,) = tmp_path.iterdir()
    assert outputs <= assert_same_files(folder, f"{BUCKET}/out/{folder.name}")


def test_films_in_a_bucket(workdir, tmp_path):
    write_picture(tmp_path / "a.png", np.full((32, 32, 3), 99, np.uint8))
    write_silent_film(tmp_path / "b.mp4", 32, 32)
    inputs = f"--source={tmp_path}/a.png", f"--driving={tmp_path}/b.mp4"
    flags = "--mode=animate", *inputs
    for checkpoint, output in ((workdir, f"{tmp_path}/"), (f"{BUCKET}/W", f"{BUCKET}/films")):
        assert run_main(*flags, f"--checkpoint={checkpoint}", f"--output={output}") == 0
    content = (to_path(BUCKET) / "films" / "b-a.mp4").read_bytes()
    assert content == (tmp_path / "b-a.mp4").read_bytes()


@pytest.mark.slow
def test_torch_files_in_a_bucket(workdir, tmp_path):
    converted = f"{BUCKET}/torch/model.pth.tar"
    run = subprocess.run(
        [
            sys.executable, "convert_torch_weights.py", "--config=configs/tiny.py", *SHALLOW_MODEL,
            "--to_torch", f"--input={BUCKET}/W", f"--output={converted}",
        ],
        cwd=to_path(main.__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, f"wrote {converted}\n"), run.stderr
    config = load_config(f"{BUCKET}/W")
    convert_from_torch(config, converted, f"{BUCKET}/again")
    expected = first_frame(workdir)
    for path in (f"{BUCKET}/W", find_checkpoint(f"{BUCKET}/again"), converted):
        np.testing.assert_array_equal(first_frame(path), expected)
    file_system().get_file(converted, str(tmp_path / "model.pth.tar"))
    assert read_torch_file(tmp_path / "model.pth.tar")["epoch"] == 1


def test_a_weight_file_in_a_bucket(workdir):
    path = f"{BUCKET}/model.npz"
    Animator.from_checkpoint(workdir).save(path)
    np.testing.assert_array_equal(first_frame(path), first_frame(workdir))


def test_a_checkpoint_may_be_copied_between_disk_and_bucket(workdir, tmp_path):
    file_system().put(f"{workdir}/checkpoints", f"{BUCKET}/copy/", recursive=True)
    file_system().get(f"{BUCKET}/W/checkpoints", str(tmp_path / "copy"), recursive=True)
    for path in (f"{BUCKET}/copy", tmp_path / "copy"):
        np.testing.assert_array_equal(first_frame(path), first_frame(workdir))


@pytest.mark.slow
# aiohttp wants large bodies as streams; gcsfs, whose thread does nothing else, gives it bytes.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
@pytest.mark.parametrize("mode", ["profile", "demo"])
def test_pages_in_a_bucket(bucket, mode):
    assert run_main(*TINY, *SHALLOW_MODEL, f"--mode={mode}", f"--workdir={bucket}/{mode}") == 0
    names = {name.rpartition("/")[2]: name for name in file_system().find(f"{bucket}/{mode}")}
    expected = {
        "profile": {"operations.csv", "profile.html"},
        "demo": {"demo.html", "demo.mp4", "demo.png"},
    }
    assert expected[mode] <= names.keys()
    assert file_system().cat(names[f"{mode}.html"]).startswith(b"<!DOCTYPE html>")
    assert any(name.endswith(".xplane.pb") for name in names) == (mode == "profile")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mode=animate", "--source=a.png", "--driving=a.mp4", "--output=a.mp4", "--checkpoint"),
        ("--mode=train", "--config.train.init_from"),
        ("--mode=train", "--checkpoint"),
    ],
)
def test_weights_that_are_not_there(bucket, figures, tmp_path, capsys, arguments):
    *flags, last = arguments
    if "--mode=train" in flags:
        flags += [*TINY, f"--config.dataset.root_dir={figures}", f"--workdir={tmp_path}/W"]
    assert run_main(*flags, f"{last}={bucket}/none") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("main.py: ")
    assert f"{bucket}/none: no checkpoint here; expected a workdir that was trained in" in line
