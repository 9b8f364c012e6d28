"""Safetensors files that are hostile, damaged, of another model or cut off end in one line."""

import errno
import json
import os
import pathlib
import random
import struct

import numpy as np
import pytest
import reference

from fomm_jax.errors import InputError
from fomm_jax.weights.find_checkpoint import check_is_model, check_is_state
from fomm_jax.weights.load import load_config, load_pretrained
from fomm_jax.weights.safetensors_file import read_safetensors, write_safetensors
from fomm_jax.weights.save import save_weights
from fomm_jax.weights.torch.from_original import load_networks
from fomm_jax.weights.torch.writer import write_torch_file

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
CONFIG, CHECKPOINT = RECORDING.config, RECORDING.checkpoint
NETWORKS = ("kp_detector", "generator", "discriminator")
BIAS = "generator.final.bias"


def changed_file(path, change=lambda tensors: None, texts=None):
    """Write the recorded networks with changes, and return the path."""
    tensors = {f"{name}.{key}": t for name in NETWORKS for key, t in CHECKPOINT[name].items()}
    change(tensors)
    write_safetensors(path, tensors, texts or {})
    return path


def file_of(header, data=b"", length=None):
    """Return the bytes of a safetensors file with any header, and any length of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(BIAS), f"{BIAS} of shape (3,) is missing"),
        (lambda t: t.update({BIAS: np.zeros(4, "f4")}), f"{BIAS} has shape (4,), the config asks"),
        (lambda t: t.update({BIAS: np.zeros(3, "i4")}), f"{BIAS}: has the type int32; expected fl"),
        (lambda t: t.update({BIAS: np.zeros(3, "?")}), f"{BIAS}: has the type bool; expected fl"),
        (lambda t: t.update({BIAS: np.full(3, np.nan)}), f"NaN or infinite ones in {BIAS}"),
        (lambda t: t.update({"generator.other": np.ones(2)}), "the config has no generator.other"),
        (
            lambda t: [t.pop(k) for k in list(t) if k[:2] == "kp"],
            "with generator and kp_detector; ",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(change, words, tmp_path):
    path = changed_file(tmp_path / "model.safetensors", change)
    with pytest.raises(InputError) as caught:
        load_pretrained(path, CONFIG)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


HOSTILE = {
    "header longer than the file": file_of({}, length=1000),
    "header of 2^63 bytes": file_of({}, length=2**63),
    "no JSON": file_of(b'{"a": '),
    "JSON of another form": file_of([1, 2]),
    "no text": file_of(b"{\xff\xfe}"),
    "deep JSON": file_of(b'{"a":' * 5000),
    "beyond the end": file_of({"a": entry("F32", [4], 0, 16)}, bytes(8)),
    "after the end": file_of({"a": entry("F32", [4], 16, 32)}, bytes(16)),
    "negative offsets": file_of({"a": entry("F32", [4], -16, 0)}, bytes(16)),
    "turned offsets": file_of({"a": entry("F32", [4], 16, 0)}, bytes(16)),
    "shape that does not fit": file_of({"a": entry("F32", [5], 0, 16)}, bytes(16)),
    "huge shape": file_of({"a": entry("F32", [2**62, 2**62], 0, 16)}, bytes(16)),
    "shape that wraps around": file_of({"a": entry("F32", [2**61, 8], 0, 0)}),
    "negative shape": file_of({"a": entry("F32", [-4], 0, 16)}, bytes(16)),
    "unknown type": file_of({"a": entry("Q9", [4], 0, 16)}, bytes(16)),
    "type that NumPy lacks": file_of({"a": entry("F8_E5M2", [4], 0, 4)}, bytes(4)),
    "overlap": file_of({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)),
    "bytes without a name": file_of({"a": entry("F32", [2], 0, 8)}, bytes(16)),
    "metadata that are no text": file_of({"__metadata__": {"config": 3}}),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_end_in_one_line(content, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for read in (lambda: load_config(path), lambda: load_pretrained(path, CONFIG)):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_configurations_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    for text, words in (
        ("{", "config: expected JSON"),
        ("[1]", "config: expected a section, got"),
        ('{"modle": {}}', "config.modle: no such field"),
        ('{"model": {"num_kp": 0}}', "config.model.num_kp: expected at least 1, got 0"),
        ("[" * 100000, "config: expected JSON"),
    ):
        changed_file(path, texts={"config": text})
        with pytest.raises(InputError) as caught:
            load_config(path)
        assert str(caught.value).startswith(f"{path}: {words}")


def test_damaged_files_are_read_or_refused(tmp_path):
    path = changed_file(tmp_path / "model.safetensors")
    content = bytearray(path.read_bytes())
    generator = random.Random(0)
    for length in [0, 1, 8, 9, len(content) - 1, *generator.sample(range(len(content)), 30)]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=rf"^{path}: is [^\n]*$"):
            read_safetensors(path)
    (header_length,) = struct.unpack("<Q", content[:8])
    refused = 0
    for _ in range(200):
        place, bit = generator.randrange(8 + header_length), 1 << generator.randrange(8)
        content[place] ^= bit
        path.write_bytes(content)
        content[place] ^= bit
        try:
            read_safetensors(path)
        except InputError as error:
            refused += 1
            lines = str(error).splitlines()
            if len(lines) != 1:
                pytest.fail(f"more than a line: {lines}")
    assert refused > 50


def test_files_of_another_kind_are_called_what_they_are(tmp_path):
    path = tmp_path / "model.safetensors"
    write_torch_file(path, {"a": np.ones(3)})
    with pytest.raises(InputError, match=r"torch\.save wrote; .* name that ends in \.pth\.tar$"):
        load_config(path)
    path.write_bytes(b"<html><title>Gone</title></html>")
    with pytest.raises(InputError, match=r"a web page \(Gone\); expected a safetensors file"):
        load_pretrained(path, CONFIG)
    path.unlink()
    with pytest.raises(InputError, match="there is no such file, expected a safetensors file"):
        load_pretrained(path, CONFIG)
    changed_file(path)
    path.rename(tmp_path / "model.npz")
    with pytest.raises(InputError, match=r"is a safetensors file; .* ends in \.safetensors$"):
        load_config(tmp_path / "model.npz")


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def fill_the_disk(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "model.safetensors"
    path.write_text("before")
    monkeypatch.setattr(pathlib.Path, "write_bytes", fill_the_disk)
    with pytest.raises(InputError, match=rf"^{path}: cannot be written \(No space left"):
        save_weights(path, load_networks(CONFIG, CHECKPOINT), CONFIG)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_text() == "before"


def test_a_run_cannot_be_continued_from_weights_alone(tmp_path):
    path = changed_file(tmp_path / "model.safetensors")
    check_is_model(path)
    with pytest.raises(InputError, match=r"no state of training .* or config\.train\.init_from"):
        check_is_state(path)
