"""A hostile PyTorch file runs no code; damaged and inconsistent files are refused."""

import collections
import contextlib
import itertools
import os
import pickle
import random
import subprocess
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_files import RECORDED, assert_refused, push, stream_file, tensor_opcodes, zip_file

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.reader import read_torch_file


class Call:
    """An object whose pickle is a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile_pickles(marker):
    """Yield pickles that try to make the file `marker`; the first 13 do if Python loads them."""
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w').close()"
    for protocol in (0, 2, 4):
        yield pickle.dumps(Call(os.system, command), protocol)
        yield pickle.dumps(Call(eval, code), protocol)
        yield pickle.dumps(Call(exec, code), protocol)
    yield pickle.dumps(Call(subprocess.check_call, ["touch", str(marker)]), 2)
    yield pickle.dumps({"generator": [collections.OrderedDict(a=Call(os.system, command))]}, 2)
    # A call by the opcode INST of protocol 0.
    yield b"(S" + repr(command).encode() + b"\nios\nsystem\n."
    # getattr(os, 'system'), with the module from a call of __import__.
    system = b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(" + push("os") + b"tR"
    yield b"\x80\x02" + system + push("system") + b"tR(" + push(command) + b"tR."
    # Dotted names, which protocol 4 looks up attribute by attribute.
    for module, name in (
        ("collections", "_sys.modules.__class__.__subclasses__"),
        ("torch", "serialization.os.system"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ):
        yield b"\x80\x04" + push(module) + push(name) + b"\x93(" + push(command) + b"tR."
    # Names in the same modules as the allowed ones.
    for name in ("torch\nload", "torch._utils\n_import_dotted_name", "collections\nnamedtuple"):
        yield b"\x80\x02c" + name.encode() + b"\n(" + push(command) + b"tR."
    # An attribute set on an allowed object.
    yield b"\x80\x02ccollections\nOrderedDict\n}" + push("items") + b"cos\nsystem\nsb."


@pytest.mark.parametrize("place", ["zip", 0, 2, 3, 4])
def test_hostile_files_are_refused_and_nothing_runs(tmp_path, place):
    marker, path = tmp_path / "marker", tmp_path / "file.pth"
    for hostile in hostile_pickles(marker):
        if place == "zip":
            zip_file(path, hostile)
        else:
            stream_file(path, pickle.dumps({}, 2), parts={place: hostile})
        assert_refused(path, "asks for")
        assert not marker.exists()


@pytest.mark.parametrize("make", [zip_file, stream_file])
def test_nothing_runs_in_entries_that_are_left_out(tmp_path, make):
    marker, path = tmp_path / "marker", tmp_path / "file.pth"
    for hostile in hostile_pickles(marker):
        entry = hostile.removeprefix(b"\x80\x02").removeprefix(b"\x80\x04").removesuffix(b".")
        path = make(path, b"\x80\x04}" + push("other") + entry + b"s.")
        with contextlib.suppress(InputError):  # some are no whole pickles where nothing runs
            assert read_torch_file(path, ["generator"]) == {"other": None}
        assert not marker.exists()


def test_the_hostile_pickles_are_hostile(tmp_path):
    """Python itself runs the first thirteen, so the reader has something to prevent."""
    marker = tmp_path / "marker"
    worked = 0
    for hostile in itertools.islice(hostile_pickles(marker), 13):
        pickle.loads(hostile)
        assert marker.exists()
        marker.unlink()
        worked += 1
    assert worked == 13


@pytest.mark.parametrize("make", [zip_file, stream_file])
@pytest.mark.parametrize(
    ("opcodes", "words"),
    [
        (tensor_opcodes(4, 1, (4,), (1,)), "beyond its storage"),
        (tensor_opcodes(4, 0, (2, 2), (3, 1)), "beyond its storage"),
        (tensor_opcodes(4, 4, (), ()), "beyond its storage"),
        (tensor_opcodes(4, 0, (9,), (2**61,)), "beyond its storage"),  # 2^61 * 8 wraps to 0
        (tensor_opcodes(4, 2**62, (1,), (1,)), "beyond its storage"),
        (tensor_opcodes(4, -1, (1,), (1,)), "offset"),
        (tensor_opcodes(4, 3, (4,), (-1,)), "offset"),
        (tensor_opcodes(4, 0, (-1,), (1,)), "offset"),
        (tensor_opcodes(4, 0, (2, 2), (1,)), "not a whole file"),
        (tensor_opcodes(4, 0, (4,), (1,), more=push({"neg": True})), "negative"),
        (tensor_opcodes(5, 0, (4,), (1,)), "storage"),
        (tensor_opcodes(3, 0, (3,), (1,)), "storage"),
        (tensor_opcodes(2**60, 0, (1,), (1,)), "cut short"),
        (tensor_opcodes(-1, 0, (0,), (1,)), "-1"),
        (tensor_opcodes(4, 0, (4,), (1,), key="7"), "not a whole file"),
        (tensor_opcodes(4, 0, (4,), (1,), storage_type="QInt8Storage"), "QInt8Storage"),
        (
            b"(" + tensor_opcodes(4, 0, (4,), (1,)) + tensor_opcodes(2, 0, (2,), (1,)) + b"t",
            "two ways",
        ),
        (b"]q\x07h\x07a", "within itself"),
        (b"ctorch._utils\n_rebuild_tensor\n(K\x01K\x00))tR", "without a storage"),
        (b"ctorch._utils\n_rebuild_tensor\n", "unexpected type"),
        (b"(" + push("module") + b"NNNNtQ", "persistent"),
        (b"}" + tensor_opcodes(4, 0, (4,), (1,)) + b"Ns", "keys"),
    ],
)
def test_descriptions_that_contradict_the_file_are_refused(tmp_path, make, opcodes, words):
    storages = [np.arange(4, dtype="<f4").tobytes()] if b"Storage" in opcodes else []
    assert_refused(make(tmp_path / "file.pth", b"\x80\x02" + opcodes + b".", storages), words)


def test_a_compressed_archive_is_refused(tmp_path):
    description = b"\x80\x02" + tensor_opcodes(4, 0, (4,), (1,)) + b"."
    path = tmp_path / "file.pth"
    zip_file(path, description, [bytes(16)], compression=zipfile.ZIP_DEFLATED)
    assert_refused(path, "compressed")


@settings(max_examples=200, deadline=None)
@given(
    numel=st.integers(0, 12),
    offset=st.integers(0, 6),
    layout=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=3),
)
def test_a_tensor_is_read_if_and_only_if_all_its_elements_exist(
    tmp_path_factory, numel, offset, layout
):
    shape = tuple(size for size, _ in layout)
    strides = tuple(stride for _, stride in layout)
    description = b"\x80\x02" + tensor_opcodes(numel, offset, shape, strides) + b"."
    content = np.arange(numel, dtype="<f4")
    path = zip_file(tmp_path_factory.mktemp("views") / "file.pth", description, [content.tobytes()])
    elements = [
        offset + sum(i * stride for i, stride in zip(index, strides, strict=True))
        for index in np.ndindex(shape)
    ]
    if all(element < numel for element in elements):
        np.testing.assert_array_equal(read_torch_file(path), content[elements].reshape(shape))
    else:
        assert_refused(path, "beyond its storage")


@pytest.mark.parametrize("source", RECORDED, ids=lambda path: path.stem)
def test_a_file_cut_short_is_refused(tmp_path, source):
    content = source.read_bytes()
    path = tmp_path / "file.pth"
    for length in [0, 1, 4, len(content) - 1, *random.Random(0).sample(range(len(content)), 100)]:
        path.write_bytes(content[:length])
        assert_refused(path)


@pytest.mark.parametrize("source", RECORDED, ids=lambda path: path.stem)
def test_a_damaged_file_is_read_or_refused(tmp_path, source):
    """Whichever bit has flipped, the only exception is an InputError."""
    content = bytearray(source.read_bytes())
    path = tmp_path / "file.pth"
    generator = random.Random(0)
    refused = 0
    for _ in range(300):
        place, bit = generator.randrange(len(content)), 1 << generator.randrange(8)
        content[place] ^= bit
        path.write_bytes(content)
        content[place] ^= bit
        try:
            read_torch_file(path)
        except InputError:
            refused += 1
    assert refused > 50


def test_files_that_torch_did_not_write_are_refused(tmp_path):
    assert_refused(tmp_path / "missing.pth", "no such file")
    assert_refused(tmp_path, "folder")
    path = tmp_path / "file.pth"
    path.write_text("<html>404</html>")
    assert_refused(path, "torch.save")
    path.write_bytes(pickle.dumps({"a": 1}))
    assert_refused(path, "torch.save")
    with path.open("wb") as file:
        np.savez(file, a=np.ones(3))
    assert_refused(path, "torch.save")
