"""Files of PyTorch's: what is read equals what torch wrote, and nothing of a hostile file runs.

`data/torch_stream.pth` and `data/torch_zip.pth` were written by torch 2.13 from `torch_tree`.
"""

import collections
import itertools
import os
import pathlib
import pickle
import random
import struct
import subprocess
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.writer import write_torch_file

ROOT = pathlib.Path(__file__).parents[2]
RECORDED = [ROOT / "tests/data/torch_stream.pth", ROOT / "tests/data/torch_zip.pth"]
REFERENCE = ROOT.parent / "shared" / "reference"
CHECKPOINTS = sorted([*REFERENCE.glob("small/*/*.pth.tar"), *REFERENCE.glob("animation/*.pth.tar")])


def torch_tree(torch):
    """Every type of tensor, strides of all kinds, shared memory, a state dict, plain values."""
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
    """The same tree in numpy, from the meaning of the operations."""
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


def assert_same(ours, theirs):
    """Equal in structure, types, shapes and every bit; torch's tensors stand for arrays."""
    if isinstance(ours, np.ndarray):
        if not isinstance(theirs, np.ndarray):
            if ours.size > 0:
                assert ours.strides == tuple(s * ours.itemsize for s in theirs.stride())
            theirs = tensor_to_array(theirs.detach())
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.tobytes() == theirs.tobytes()
    elif isinstance(ours, dict):
        assert type(ours) is dict
        assert list(ours) == list(theirs)
        for key in ours:
            assert_same(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        assert type(ours) is type(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    else:
        assert type(ours) is type(theirs)
        assert ours == theirs


def tensor_to_array(tensor):
    torch = import_torch()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def import_torch():
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


def assert_refused(path, *words):
    with pytest.raises(InputError) as refusal:
        read_torch_file(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_reads_what_torch_wrote(path):
    tree = read_torch_file(path)
    assert_same(tree, expected_tree())
    tree["base"][20] = -1  # arrays are writable, and those of one storage share it
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
    ours = read_torch_file(path)
    assert set(ours) >= {"generator", "discriminator", "kp_detector", "epoch"}
    assert_same(ours, torch.load(path, weights_only=False))


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


# Hand-made files.


def push(value):
    """The opcodes of a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor_opcodes(
    numel, offset, shape, strides, *, storage_type="FloatStorage", key="0", more=b""
):
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
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("name/data.pkl", description)
        if byteorder:
            archive.writestr("name/byteorder", byteorder)
        for key, content in enumerate(storages):
            archive.writestr(f"name/data/{key}", content)
        archive.writestr("name/version", "3\n")
    return path


def stream_file(path, description, storages=(), *, parts=()):
    """`parts` replaces the pickles before and after the description, by index."""
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


FORMS = pytest.mark.parametrize("make", [zip_file, stream_file])


@FORMS
def test_a_hand_made_file_is_read(tmp_path, make):
    """Without this the refusals below would prove nothing."""
    description = b"\x80\x02" + tensor_opcodes(6, 1, (2, 2), (1, 3)) + b"."
    path = make(tmp_path / "file.pth", description, [np.arange(6, dtype="<f4").tobytes()])
    np.testing.assert_array_equal(read_torch_file(path), [[1, 4], [2, 5]])


@pytest.mark.parametrize("byteorder", ["little", "big", None])
def test_byte_order_of_the_machine_that_wrote(tmp_path, byteorder):
    dtype = np.dtype(np.int16).newbyteorder("big" if byteorder == "big" else "little")
    description = b"\x80\x02" + tensor_opcodes(2, 0, (2,), (1,), storage_type="ShortStorage") + b"."
    content = np.array([1, 770], dtype).tobytes()
    path = zip_file(tmp_path / "file.pth", description, [content], byteorder=byteorder)
    array = read_torch_file(path)
    np.testing.assert_array_equal(array, [1, 770])
    assert array.dtype == np.int16


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile_pickles(marker):
    """Pickles that make the file `marker` when they are loaded."""
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w').close()"
    for protocol in (0, 2, 4):
        yield pickle.dumps(Calls(os.system, command), protocol)
        yield pickle.dumps(Calls(eval, code), protocol)
        yield pickle.dumps(Calls(exec, code), protocol)
    yield pickle.dumps(Calls(subprocess.check_call, ["touch", str(marker)]), 2)
    yield pickle.dumps({"generator": [collections.OrderedDict(a=Calls(os.system, command))]}, 2)
    # A call spelt by the opcode INST of protocol 0.
    yield b"(S" + repr(command).encode() + b"\nios\nsystem\n."
    # getattr(os, 'system') by way of a module that is imported as a global.
    system = b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(" + push("os") + b"tR"
    yield b"\x80\x02" + system + push("system") + b"tR(" + push(command) + b"tR."
    # Dotted names, which protocol 4 looks up attribute by attribute.
    for module, name in (
        ("collections", "_sys.modules.__class__.__subclasses__"),
        ("torch", "serialization.os.system"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ):
        yield b"\x80\x04" + push(module) + push(name) + b"\x93(" + push(command) + b"tR."
    # Names beside those that are allowed.
    for name in ("torch\nload", "torch._utils\n_import_dotted_name", "collections\nnamedtuple"):
        yield b"\x80\x02c" + name.encode() + b"\n(" + push(command) + b"tR."
    # Attributes set on what is allowed.
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


def test_the_hostile_pickles_are_hostile(tmp_path):
    marker = tmp_path / "marker"
    worked = 0
    for hostile in itertools.islice(hostile_pickles(marker), 13):
        pickle.loads(hostile)
        assert marker.exists()
        marker.unlink()
        worked += 1
    assert worked == 13


@FORMS
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
def test_claims_that_the_file_does_not_bear_out_are_refused(tmp_path, make, opcodes, words):
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
    """Never another exception, whichever bit has flipped."""
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


def test_what_is_no_torch_file_is_refused(tmp_path):
    assert_refused(tmp_path / "missing.pth", "No such file")
    assert_refused(tmp_path, "directory")
    path = tmp_path / "file.pth"
    path.write_text("<html>404</html>")
    assert_refused(path, "torch.save")
    path.write_bytes(pickle.dumps({"a": 1}))
    assert_refused(path, "torch.save")
    with path.open("wb") as file:
        np.savez(file, a=np.ones(3))
    assert_refused(path, "torch.save")


# Writing.


def test_what_is_written_is_read_back(tmp_path):
    tree = expected_tree()
    write_torch_file(tmp_path / "a" / "file.pth", tree)
    assert_same(read_torch_file(tmp_path / "a" / "file.pth"), tree)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file.pth"]


@pytest.mark.parametrize("weights_only", [True, False])
def test_torch_reads_what_is_written(tmp_path, weights_only):
    torch = import_torch()
    write_torch_file(tmp_path / "file.pth", expected_tree())
    read = torch.load(tmp_path / "file.pth", weights_only=weights_only)
    assert read["plain"] == expected_tree()["plain"]
    assert_same(contiguous(expected_tree()), read)
    torch.nn.BatchNorm2d(3).load_state_dict(read["norm"])


def contiguous(node):
    """A tree of arrays without the strides, which a written file does not keep."""
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
    with pytest.raises(InputError, match="cannot be written"):
        write_torch_file(tmp_path, {})


def test_equal_trees_give_equal_files(tmp_path):
    for name in "ab":
        write_torch_file(tmp_path / name, expected_tree())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
