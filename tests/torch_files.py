"""Trees of tensors, files of PyTorch's made by hand, and comparisons of what is read from them.

`data/torch_stream.pth` and `data/torch_zip.pth` were written by torch 2.13 from `torch_tree`.
"""

import pathlib
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.reader import read_torch_file

ROOT = pathlib.Path(__file__).parents[1]
RECORDED = [ROOT / "tests/data/torch_stream.pth", ROOT / "tests/data/torch_zip.pth"]


def torch_tree(torch):
    """Return tensors of every type and stride, shared memory, a state dict and plain values."""
    base = torch.arange(24, dtype=torch.float32)
    norm = torch.nn.BatchNorm2d(3)
    state = norm.state_dict()  # an OrderedDict with an attribute `_metadata`
    return {
        "norm": state,
        "types": [
            torch.tensor([-1.5, 0, 2]).to(getattr(torch, name))
            for name in ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32")
        ],
        "long": torch.tensor([-(2**40), 2**40]),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(7.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "base": base,
        "tail": base[20:],
        "transposed": base.reshape(4, 6).t(),
        "steps": base.reshape(2, 3, 4)[:, ::2, 1::2],
        "expanded": base[5:6].expand(3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": (None, True, 3, -2.5, "ü", [], {1: "one"}, 2**40),
        "epoch": 7,
    }


def expected_tree():
    """Return the tree of `torch_tree` in numpy, made by operations of the same meaning."""
    base = np.arange(24, dtype=np.float32)
    types = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.int16, np.int32)
    return {
        "norm": {
            "weight": np.ones(3, np.float32),
            "bias": np.zeros(3, np.float32),
            "running_mean": np.zeros(3, np.float32),
            "running_var": np.ones(3, np.float32),
            "num_batches_tracked": np.array(0),
        },
        "types": [
            np.asarray([-1.5, 0, 2]).astype(dtype)  # towards zero for integers, as in torch
            for dtype in types
        ],
        "long": np.array([-(2**40), 2**40]),
        "byte": np.array([0, 255], np.uint8),
        "bool": np.array([True, False, True]),
        "scalar": np.array(7.5),
        "empty": np.zeros((0, 3), np.float32),
        "base": base,
        "tail": base[20:],
        "transposed": base.reshape(4, 6).T,
        "steps": base.reshape(2, 3, 4)[:, ::2, 1::2],
        "expanded": np.full(3, 5, np.float32),
        "parameter": np.ones(2, np.float32),
        "plain": (None, True, 3, -2.5, "ü", [], {1: "one"}, 2**40),
        "epoch": 7,
    }


def assert_same(tree, expected):
    """Assert that two trees are equal in structure, types, shapes and every bit.

    The expected tree may have torch's tensors in place of arrays.
    """
    if isinstance(tree, np.ndarray):
        if not isinstance(expected, np.ndarray):
            if tree.size > 0:
                assert tree.strides == tuple(s * tree.itemsize for s in expected.stride())
            expected = tensor_to_array(expected.detach())
        assert (tree.dtype, tree.shape) == (expected.dtype, expected.shape)
        assert tree.tobytes() == expected.tobytes()
    elif isinstance(tree, dict):
        assert type(tree) is dict
        assert list(tree) == list(expected)
        for key in tree:
            assert_same(tree[key], expected[key])
    elif isinstance(tree, list | tuple):
        assert type(tree) is type(expected)
        for child, expected_child in zip(tree, expected, strict=True):
            assert_same(child, expected_child)
    else:
        assert type(tree) is type(expected)
        assert tree == expected


def tensor_to_array(tensor):
    torch = import_torch()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def import_torch():
    """Return torch, or skip the test where it is not installed."""
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


def assert_refused(path, *words):
    """Assert that reading a file fails with one line that names it and contains the words."""
    with pytest.raises(InputError) as refusal:
        read_torch_file(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message.removeprefix(f"{path}: ")


def push(value):
    """Return the opcodes that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor_opcodes(
    numel, offset, shape, strides, *, storage_type="FloatStorage", key="0", more=b""
):
    """Return the opcodes that push a tensor; `more` are those of the argument `metadata`.

    It takes seven parameters because torch writes as many about a tensor.
    """
    pid = b"(" + push("storage") + f"ctorch\n{storage_type}\n".encode()
    pid += push(key) + push("cuda:0") + push(numel) + b"tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + pid
        + b"".join(push(part) for part in (offset, shape, strides, False))
        + b"ccollections\nOrderedDict\n)R"
        + more
        + b"tR"
    )


def zip_file(path, description, storages=(), *, byteorder="little", compression=zipfile.ZIP_STORED):
    """Write a zip archive as torch does, with any description and contents of storages."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("name/data.pkl", description)
        if byteorder:
            archive.writestr("name/byteorder", byteorder)
        for key, content in enumerate(storages):
            archive.writestr(f"name/data/{key}", content)
        archive.writestr("name/version", "3\n")
    return path


def stream_file(path, description, storages=(), *, parts=()):
    """Write a stream as torch did before 1.6.

    Args:
      path: the file to write.
      description: the pickle of the object.
      storages: the contents of its storages.
      parts: pickles to put in place of the five of the stream, by index.
    """
    keys = [str(key) for key in range(len(storages))]
    leading = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    pickles = [
        *(pickle.dumps(part, 2) for part in leading),
        description,
        pickle.dumps(keys, 2),
    ]
    for index, part in dict(parts).items():
        pickles[index] = part
    tail = b"".join(struct.pack("<q", len(s) // 4) + s for s in storages)
    path.write_bytes(b"".join(pickles) + tail)
    return path
