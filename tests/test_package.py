"""The wheel: what is in it, and what an installation does that knows nothing of the checkout."""

import re
import sys
import zipfile

import numpy as np
import pytest
from installations import ROOT, build, make_environment, run

from fomm_jax.cli.config_names import list_names
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.video_reader import iterate_frames

RECORDED = ROOT / "tests" / "data" / "recorded" / "tiny_adversarial"
# What only a clone has.
NAMES_OF_A_CLONE = re.compile(
    r"\bmain\.py|convert_torch_weights|python -m input_pipeline|\bconfigs/\w+\.py"
    r"|^\s*(?:from|import) (?:configs|input_pipeline|benchmarks)\b|\"input_pipeline\.",
    re.MULTILINE,
)
TINY = ("--config=tiny", "--config.train.batch_size=8", "--config.train.num_repeats=2")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """An sdist, and the wheel that it makes."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def small(tmp_path_factory, distributions):
    """The commands of an installation of the wheel without extras."""
    return make_environment(tmp_path_factory.mktemp("small") / "venv", distributions[1])


@pytest.fixture(scope="module")
def large(tmp_path_factory, distributions):
    """The commands of an installation of the sdist with the extra `train`."""
    folder = tmp_path_factory.mktemp("large") / "venv"
    return make_environment(folder, distributions[0], extras=("train",))


def test_the_wheel_holds_one_package(distributions):
    with zipfile.ZipFile(distributions[1]) as wheel:
        texts = {name: wheel.read(name) for name in wheel.namelist()}
    assert {name.split("/")[0] for name in texts} == {"fomm_jax", "fomm_jax-0.1.0.dist-info"}
    assert texts["fomm_jax-0.1.0.dist-info/top_level.txt"] == b"fomm_jax\n"
    assert {f"fomm_jax/configs/{name}.py" for name in list_names()} < texts.keys()
    assert {"fomm_jax/py.typed", "fomm_jax/demo_model/weights.npz"} < texts.keys()
    sources = [ROOT / "fomm_jax", ROOT / "input_pipeline", ROOT / "configs"]
    assert sum(name.endswith(".py") for name in texts) == sum(
        len([*folder.rglob("*.py")]) for folder in sources
    )
    matches = {
        name: NAMES_OF_A_CLONE.findall(content.decode())
        for name, content in texts.items()
        if name.endswith(".py")
    }
    assert not {name: names for name, names in matches.items() if names}


def test_the_library_needs_no_extra(small, tmp_path):
    code = """
import importlib.util, sys
import fomm_jax
from fomm_jax import Animator
print(fomm_jax.__file__)
for name in ("configs", "input_pipeline", "main", "grain", "tensorflow_datasets", "matplotlib"):
    assert importlib.util.find_spec(name) is None, name
from fomm_jax.configs import vox_256
print(vox_256.get_config().model.num_kp)
"""
    first, last = run([small / "python", "-c", code], tmp_path).split()
    assert first.startswith(str(small.parent))
    assert last == "10"


def test_help_names_what_an_installation_has(small, tmp_path):
    text = run([small / "fomm-jax", "--help"], tmp_path, status=1)
    assert "fomm-jax animate --checkpoint=W --source=PICTURE" in text
    for flag in ("--mode", "--checkpoint", "--crop", "--camera", "--c2pa_key"):
        assert f"\n  {flag}:" in text, flag
    converting = run([small / "fomm-jax-convert", "--help"], tmp_path, status=1)
    assert "fomm-jax-convert --config=vox_256 --input=vox-cpk.pth.tar" in converting
    assert "\n  --perceptual: " in converting
    for each in (text, converting, run([small / "fomm-jax", "figures", "--help"], tmp_path)):
        assert not NAMES_OF_A_CLONE.search(each)


@pytest.mark.parametrize(
    ("arguments", "line"),
    {
        "train": (["train"], "--mode=train: needs the package array_record; expected `pip install"),
        "mode": (["--mode=reconstruct"], "--mode=reconstruct: needs the package array_record"),
        "prepare": (["prepare", "--help"], "prepare: needs the package array_record; expected"),
        "pairs": (["animate", "--config=tiny"], "--mode=animate without --source: needs the pack"),
        "unknown": (["dream"], "dream: expected one of train, train_avd, reconstruct, animate,"),
        "verify": (["verify", "--input=none.mp4"], "none.mp4: there is no such file"),
    }.values(),
)
def test_what_is_missing_is_said_in_one_line(small, tmp_path, arguments, line):
    text = run([small / "fomm-jax", *arguments], tmp_path, status=2)
    assert text.startswith(f"fomm-jax: {line}")
    assert text.count("\n") == 1


def test_a_checkpoint_is_converted(small, tmp_path):
    config = f"--config=from_yaml:{RECORDED / 'config.yaml'}"
    convert = [small / "fomm-jax-convert", config]
    file = RECORDED / "checkpoint.pth.tar"
    text = run([*convert, f"--input={file}", "--output=W"], tmp_path)
    assert text.splitlines()[-1] == f"wrote {tmp_path}/W/checkpoints/0"


@pytest.mark.slow
def test_a_drawn_figure_is_animated_without_an_extra(small, tmp_path):
    run([small / "fomm-jax", "demo"], tmp_path)
    frames = np.stack([*iterate_frames(tmp_path / "demo" / "demo.mp4")])
    assert len(frames) == 48
    files = ["--source=demo/demo.png", "--driving=demo/demo.mp4", "--output=out.mp4"]
    run([small / "fomm-jax", "animate", *files, "--side_by_side"], tmp_path)
    assert len([*iterate_frames(tmp_path / "out.mp4")]) == 48


@pytest.mark.slow
def test_a_model_is_trained_and_reconstructs(large, tmp_path):
    """The data is prepared and read by processes of their own."""
    program = large / "fomm-jax"
    run([program, "figures", "--output=D", "--size=32", "--videos=20", "--frames=4"], tmp_path)
    run(
        [program, "prepare", "--dataset=video_folder", "--input=D", "--output=P", "--size=32"],
        tmp_path,
    )
    root = next((tmp_path / "P").rglob("manifest.json")).parent
    config = (*TINY, f"--config.dataset.root_dir={root}", "--workdir=W")
    settings = ["--config.train.num_steps=2", "--config.dataset.num_workers=1"]
    text = run([program, "train", *config, *settings], tmp_path)
    assert "Trained 2 steps" in text
    text = run([program, "reconstruct", *config], tmp_path)
    assert re.search(r"^L1 0\.\d+ over \d+ frames", text, re.MULTILINE)
    assert read_picture(next((tmp_path / "W" / "reconstruction").rglob("*.png"))).ndim == 3


@pytest.mark.slow
def test_the_types_of_the_library_are_seen(small, tmp_path):
    (tmp_path / "program.py").write_text(
        "from fomm_jax import Animator\n\nreveal_type(Animator.demo().batch_size)\n"
    )
    python = small / "python"
    text = run(
        [sys.executable, "-m", "mypy", f"--python-executable={python}", "program.py"], tmp_path
    )
    assert 'Revealed type is "builtins.int"' in text or 'Revealed type is "int"' in text
