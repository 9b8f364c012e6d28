"""Reading PyTorch's files gives what torch wrote; hand-made files are read by their format."""

import subprocess
import sys

import numpy as np
import pytest
from torch_files import (
    RECORDED,
    ROOT,
    assert_same,
    expected_tree,
    import_torch,
    stream_file,
    tensor_opcodes,
    torch_tree,
    zip_file,
)

from fomm_jax.weights.torch.reader import read_torch_file

REFERENCE = ROOT.parent / "shared" / "reference"
CHECKPOINTS = sorted([*REFERENCE.glob("small/*/*.pth.tar"), *REFERENCE.glob("animation/*.pth.tar")])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_reads_what_torch_wrote(path):
    tree = read_torch_file(path)
    assert_same(tree, expected_tree())
    tree["base"][20] = -1  # arrays are writable, and arrays of one storage share it
    assert tree["tail"][0] == -1
    assert tree["base"].flags.aligned


@pytest.mark.parametrize("as_zip", [False, True])
def test_agrees_with_torch_on_a_file_of_this_version(tmp_path, as_zip):
    torch = import_torch()
    tree = torch_tree(torch)
    torch.save(tree, tmp_path / "file.pth", _use_new_zipfile_serialization=as_zip)
    assert_same(read_torch_file(tmp_path / "file.pth"), tree)


@pytest.mark.skipif(not CHECKPOINTS, reason="the recorded checkpoints in ../shared are absent")
@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_agrees_with_torch_on_the_recorded_checkpoints(path):
    torch = import_torch()
    tree = read_torch_file(path)
    assert set(tree) >= {"generator", "discriminator", "kp_detector", "epoch"}
    assert_same(tree, torch.load(path, weights_only=False))


def test_needs_neither_torch_nor_jax():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['jax'] = None\n"
        "from fomm_jax.weights.torch.reader import read_torch_file\n"
        f"print(read_torch_file({str(RECORDED[0])!r})['epoch'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "7\n"


@pytest.mark.parametrize("make", [zip_file, stream_file])
def test_a_hand_made_file_is_read(tmp_path, make):
    """Unless such a file is read, tests that refuse the like would prove nothing."""
    description = b"\x80\x02" + tensor_opcodes(6, 1, (2, 2), (1, 3)) + b"."
    path = make(tmp_path / "file.pth", description, [np.arange(6, dtype="<f4").tobytes()])
    np.testing.assert_array_equal(read_torch_file(path), [[1, 4], [2, 5]])


@pytest.mark.parametrize("byteorder", ["little", "big", None])
def test_the_byte_order_of_the_writing_machine_is_respected(tmp_path, byteorder):
    dtype = np.dtype(np.int16).newbyteorder("big" if byteorder == "big" else "little")
    description = b"\x80\x02" + tensor_opcodes(2, 0, (2,), (1,), storage_type="ShortStorage") + b"."
    content = np.array([1, 770], dtype).tobytes()
    path = zip_file(tmp_path / "file.pth", description, [content], byteorder=byteorder)
    array = read_torch_file(path)
    np.testing.assert_array_equal(array, [1, 770])
    assert array.dtype == np.int16
