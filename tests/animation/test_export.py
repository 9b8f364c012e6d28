"""Animations in files: run by programs that do not know this package, with the same frames."""

import os
import subprocess
import sys

import numpy as np
import pytest
import reference
from exported_frames import ABSOLUTE, assert_same_frames
from jax import export

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.export import write
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.parity import recordings

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")

# As docs/animation.md shows it, in a process that cannot import this package.
PROGRAM = """
import pathlib, sys
import jax, numpy as np
from jax import export

animate = jax.jit(export.deserialize(pathlib.Path(sys.argv[1]).read_bytes()).call)
arrays = np.load(sys.argv[2])
np.save(sys.argv[3], animate(arrays["source"], arrays["driving"], arrays["driving"][:1]))
assert not {"fomm_jax", "flax"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def animator():
    return Animator(RECORDING.model(np.float32), RECORDING.config, batch_size=5)


@pytest.fixture(scope="module")
def source():
    return recordings.to_nhwc(RECORDING.arrays["inputs/source"])[:1]


@pytest.fixture(scope="module")
def driving():
    return recordings.to_nhwc(RECORDING.arrays["inputs/driving"])[:5]


def test_a_program_without_this_package_gives_the_same_frames(animator, source, driving, tmp_path):
    artefact = tmp_path / "new" / "animation.bin"
    animator.export(artefact)
    assert list(artefact.parent.iterdir()) == [artefact]
    np.savez(tmp_path / "pictures.npz", source=source, driving=driving)
    command = [sys.executable, "-c", PROGRAM, artefact, "pictures.npz", "frames.npy"]
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": os.environ["XLA_FLAGS"]}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    actual = np.load(tmp_path / "frames.npy")
    assert_same_frames(actual, animator.animate(source[0], driving))


def test_the_artefact_is_for_three_platforms_and_any_number_of_frames(animator, tmp_path):
    animator.export(tmp_path / "a", size=(32, 64), normalization=ABSOLUTE)
    exported = export.deserialize((tmp_path / "a").read_bytes())
    assert exported.platforms == ("cpu", "cuda", "tpu")
    specified = ["uint8[1,32,64,3]", "uint8[t,32,64,3]", "uint8[1,32,64,3]"]
    assert [aval.str_short() for aval in exported.in_avals] == specified
    assert [aval.str_short() for aval in exported.out_avals] == ["uint8[t,32,64,3]"]


def test_absolute_motion_is_exported_too(animator, source, driving, tmp_path):
    animator.export(tmp_path / "a", normalization=ABSOLUTE)
    exported = export.deserialize((tmp_path / "a").read_bytes())
    actual = np.asarray(exported.call(source, driving[:2], driving[:1]))
    assert_same_frames(actual, animator.animate(source[0], driving[:2], normalization=ABSOLUTE))
    assert (actual != np.stack(list(animator.animate(source[0], driving[:2])))).mean() > 0.01


def test_what_cannot_be_exported(animator, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"adapt_movement_scale: cannot be exported"):
        animator.export(tmp_path / "a", normalization=NormalizationConfig(True))
    with pytest.raises(InputError, match=r"frames of 32 x 30 pixels: .* cannot be halved"):
        animator.export(tmp_path / "a", size=(32, 30))
    monkeypatch.setattr(write.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"flatbuffers.*: `pip install fomm_jax\[export\]`"):
        animator.export(tmp_path / "a")
    assert not list(tmp_path.iterdir())
