"""Files that the writer makes are read back by the reader and by torch."""

import numpy as np
import pytest
from torch_files import assert_same, expected_tree, import_torch

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.writer import write_torch_file


def test_a_written_tree_is_read_back(tmp_path):
    tree = expected_tree()
    write_torch_file(tmp_path / "a" / "file.pth", tree)
    assert_same(read_torch_file(tmp_path / "a" / "file.pth"), tree)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file.pth"]


@pytest.mark.parametrize("weights_only", [True, False])
def test_torch_reads_a_written_tree(tmp_path, weights_only):
    torch = import_torch()
    write_torch_file(tmp_path / "file.pth", expected_tree())
    read = torch.load(tmp_path / "file.pth", weights_only=weights_only)
    assert read["plain"] == expected_tree()["plain"]
    assert_same(contiguous(expected_tree()), read)
    torch.nn.BatchNorm2d(3).load_state_dict(read["norm"])


def contiguous(node):
    """Return a tree with contiguous arrays: a written file does not keep their strides."""
    if isinstance(node, dict):
        return {key: contiguous(child) for key, child in node.items()}
    if isinstance(node, list):
        return [contiguous(child) for child in node]
    return node.copy(order="C") if isinstance(node, np.ndarray) else node


def test_a_tree_that_cannot_be_written_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "file.pth"
    write_torch_file(path, {"epoch": 1})
    for bad in (object(), np.array(["text"]), {"a": np.ones(2, np.complex64)}, b"bytes"):
        with pytest.raises(InputError, match="no place"):
            write_torch_file(path, [np.ones(3), bad])
    assert read_torch_file(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="is a folder"):
        write_torch_file(tmp_path, {})


def test_equal_trees_give_equal_files(tmp_path):
    for name in "ab":
        write_torch_file(tmp_path / name, expected_tree())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
