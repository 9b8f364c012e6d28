"""The runner of StableHLO files, in a process that can import neither this project nor Flax."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from exported_frames import assert_same_frames
from PIL import Image, ImageSequence

from fomm_jax.animation.animator import Animator
from fomm_jax.parity import recordings

pytest.importorskip("flatbuffers", reason="fomm_jax[export] is not installed")

RUNNER = Path(__file__).parents[2] / "examples" / "animate_stablehlo.py"
# Whatever imports one of these modules fails.
FORBIDDING = """
import runpy, sys
sys.modules.update(dict.fromkeys(["fomm_jax", "flax", "input_pipeline"]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_gives_the_animators_frames_without_this_project_and_flax(tmp_path, monkeypatch):
    recording = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")
    animator = Animator(recording.model(np.float32), recording.config)
    source, driving = (
        recordings.to_nhwc(recording.arrays[f"inputs/{which}"]) for which in ("source", "driving")
    )
    # A GIF has 256 colours; these pictures have fewer.
    source, driving = (pictures // 64 * 85 for pictures in (source[:1], driving[:2]))
    animator.export(tmp_path / "animation.bin")
    Image.fromarray(source[0]).save(tmp_path / "picture.png")
    first, second = map(Image.fromarray, driving)
    first.save(tmp_path / "driving.gif", save_all=True, append_images=[second])
    with Image.open(tmp_path / "driving.gif") as image:
        frames = [np.array(each.convert("RGB")) for each in ImageSequence.Iterator(image)]
    np.testing.assert_array_equal(frames, driving)

    files = ["animation.bin", "picture.png", "driving.gif", "film.tiff"]
    command = [sys.executable, "-I", "-c", FORBIDDING, RUNNER, *files]
    subprocess.run(command, check=True, cwd=tmp_path, env={"JAX_PLATFORMS": "cpu"})
    with Image.open(tmp_path / "film.tiff") as film:
        made = np.stack([np.array(each) for each in ImageSequence.Iterator(film)])
    assert_same_frames(made, animator.animate(source[0], driving))
