"""What `--mode=train` finds out before JAX is loaded, and before anything is written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fomm_jax.media.pictures import write_picture
from fomm_jax.training.workdir_lock import only_run_in

ROOT = Path(__file__).parents[2]
PREPARED = ROOT / "tests" / "data" / "prepared"

# Runs main.py for each list of arguments, in a copy of a process that has imported it.
RUN_ALL = """
import json, os, sys
from absl import app
import fomm_jax.cli.modes.train
import main

for arguments in json.load(sys.stdin):
    sys.stderr.flush()
    if os.fork() == 0:
        sys.argv = ["main.py", *arguments]
        app.run(main.main, argv=sys.argv, flags_parser=main.parse_flags)
    _, status = os.wait()
    print("status", os.waitstatus_to_exitcode(status), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with datasets and other things, most of which cannot be used."""
    folder = tmp_path_factory.mktemp("train")
    for number in range(4):
        write_picture(folder / "good" / f"{number}.png", np.zeros((32, 96, 3), np.uint8))
    (folder / "file").write_text("")
    for name in ("page.pth.tar", "page.npz"):
        (folder / name).write_text("<!doctype html><html></html>")
    for name in ("no_info", "half_shard"):
        shutil.copytree(PREPARED, folder / name)
    (folder / "no_info" / "dataset_info.json").unlink()
    (shard,) = (folder / "half_shard").glob("*-train.*")
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    return folder


# Arguments after those for a training that can begin, and what the line on stderr says.
REFUSED = {
    "--config.dataset.root_dir=DIR/none": "config.dataset.root_dir: there is no folder DIR/none",
    "--config.dataset.root_dir=DIR/file": "config.dataset.root_dir: DIR/file is a file; expected",
    "--config.dataset.root_dir=DIR/no_info": "DIR/no_info/dataset_info.json: cannot be read",
    "--config.dataset.root_dir=DIR/half_shard": "-train.array_record-00000-of-00001: is not a",
    "--config.dataset.frame_shape=(64, 64, 3)": "expected frames of 64 high and 64",
    "--config.train.batch_size=5": "config.train.batch_size is 5; expected 1 to 3",
    "--config.perceptual.weights=DIR/vgg": "config.perceptual.weights: DIR/vgg.npz is not there",
    "--config.train.init_from=DIR/none": "config.train.init_from: DIR/none: no checkpoint here",
    "--checkpoint=DIR/none": "--checkpoint: DIR/none: no checkpoint here",
    "--checkpoint=DIR/page.pth.tar": "--checkpoint: DIR/page.pth.tar: is a web page",
    "--checkpoint=DIR/weights.npz": "--checkpoint: DIR/weights.npz: holds no state of training",
    "--config.train.init_from=DIR/page.npz": "config.train.init_from: DIR/page.npz: is a web page",
    "--workdir=DIR/file": "DIR/file/running: cannot be written (DIR/file is not a folder)",
    "--workdir=DIR/busy": "DIR/busy: another run is at work here",
}


def test_bad_input_is_refused_before_jax_is_loaded(folder):
    for name in ("jax", "orbax", "grain", "flax"):
        (folder / "stubs" / name).mkdir(parents=True)
        (folder / "stubs" / name / "__init__.py").write_text(f"raise SystemExit('loads {name}')")
    before = sorted(folder.rglob("*"))
    usual = ["--config=configs/tiny.py", "--mode=train", f"--config.dataset.root_dir={folder}/good"]
    usual += [f"--workdir={folder}/W"]
    commands = [[*usual, argument.replace("DIR", str(folder))] for argument in REFUSED]
    with only_run_in(folder / "busy"):
        ended = subprocess.run(
            [sys.executable, "-c", RUN_ALL],
            input=json.dumps(commands),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{folder}/stubs:{ROOT}"},
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    lines = ended.stderr.splitlines()
    assert lines[1::2] == ["status 2"] * len(commands), ended.stderr
    for line, expected in zip(lines[::2], REFUSED.values(), strict=True):
        assert expected.replace("DIR", str(folder)) in line
        assert line.startswith("main.py: ")
    assert sorted(folder.rglob("*")) == before
