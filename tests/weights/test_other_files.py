"""Files that are something else than weights are called what they are."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import numpy as np
import pytest
from torch_files import RECORDED, tensor_opcodes, zip_file

from fomm_jax.config.schema import PerceptualConfig
from fomm_jax.errors import InputError
from fomm_jax.weights.load import load_config
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.vgg import load_vgg

STREAM, ARCHIVE = (path.read_bytes() for path in RECORDED)


def zip_around(**files):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return memory.getvalue()


def tar_around(name, content):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def npz():
    memory = io.BytesIO()
    np.savez(memory, a=np.ones(3))
    return memory.getvalue()


PAGE = b"<!DOCTYPE html><html><head><title>Google Drive -\n Quota exceeded</title></head></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 728766213\n"
SAFETENSORS = (2).to_bytes(8, "little") + b"{}" + bytes(16)
# By name: the content, what the message says that it is, and what to do.
OTHER_FILES = {
    "web page": (PAGE, "a web page (Google Drive - Quota exceeded)", "download the file again"),
    "web page without a title": (b"\n <HTML><body>no</body>", "a web page;", "download"),
    "answer in XML": (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "is an XML answer", "download"),
    "web page in XML": (b"<?xml version='1.0'?>\n<html></html>", "a web page;", "download"),
    "answer in JSON": (b'{"error":{"code":404}}', 'text that begins \'{"error"', "download"),
    "answer in words": ("Zugriff verweigert: zu häufig\n".encode(), "'Zugriff verw", "download"),
    "pointer": (POINTER, "a pointer of Git LFS", "`git lfs pull`"),
    "safetensors": (SAFETENSORS, "a safetensors file", "a name that ends in .safetensors"),
    "gzip": (gzip.compress(ARCHIVE), "compressed by gzip", "gunzip"),
    "bzip2": (bz2.compress(STREAM), "compressed by bzip2", "bunzip2"),
    "xz": (lzma.compress(STREAM), "compressed by xz", "unxz"),
    "zip around": (zip_around(vox__pth__tar=ARCHIVE), "around vox.pth.tar", "unpack it once"),
    "empty zip": (zip_around(), "around nothing", "unpack"),
    "tar around": (tar_around("vox.pth.tar", STREAM), "around vox.pth.tar", "`tar xf`"),
    "cut archive": (ARCHIVE[: len(ARCHIVE) // 2], "cut short", "download"),
    "cut stream": (STREAM[:-100], "not a whole file of tensors", ""),
    "empty": (b"", "is empty", "download"),
    "zeros": (bytes(5000), "full of zeros", "download"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(9), "a PNG picture", ""),
    "companion": (b"\0\5\x16\7\0\2\0\0Mac OS X        ", "macOS's companion", "`._`"),
    "arrays of NumPy": (npz(), "an .npz file", "a name that ends in .npz"),
    "TorchScript": (zip_around(**{"m/data.pkl": b"", "m/code/a.py": b""}), "TorchScript", "state"),
    "zip of code": (zip_around(**{"m/code/a.py": b""}), "around m/code/a.py", "unpack it once"),
    "unknown": (b"\x81\x82\x83\x84" * 9, "not a whole file of tensors", ""),
}


@pytest.mark.parametrize(("content", "kind", "advice"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_what_is_no_file_of_pytorch_is_named(tmp_path, content, kind, advice):
    path = tmp_path / "vox.pth.tar"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_torch_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert kind in message
    assert advice in message
    assert "\n" not in message


def test_a_compressed_archive_says_how_to_pack_it(tmp_path):
    description = b"\x80\x02" + tensor_opcodes(4, 0, (4,), (1,)) + b"."
    path = zip_file(tmp_path / "a.pth", description, [bytes(16)], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"'name/\w+' is compressed.*`zip -0 -r`$"):
        read_torch_file(path)


def test_what_is_no_npz_file_is_named(tmp_path):
    path = tmp_path / "vgg19.npz"
    path.write_bytes(PAGE)
    with pytest.raises(InputError, match=rf"{path}: is a web page .*; expected an \.npz file"):
        load_config(path)
    perceptual = PerceptualConfig("vgg19", str(path))
    with pytest.raises(InputError, match=rf"{path}: is a web page .*; expected an \.npz file"):
        load_vgg(perceptual)
    write_torch_file(path, {"a": np.ones(3)})
    with pytest.raises(InputError, match=r"torch\.save wrote; .* a name that ends in \.pth\.tar$"):
        load_config(path)
    with pytest.raises(InputError, match=r"convert_torch_weights\.py with perceptual=vgg19$"):
        load_vgg(perceptual)


def test_a_name_that_is_right_is_not_asked_for(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz())
    with pytest.raises(InputError, match=r"is an \.npz file .*; expected .* torch\.save wrote$"):
        read_torch_file(tmp_path / "a.npz")


def test_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match="is a pipe or a device, expected a file that torch"):
        read_torch_file(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match=r"is a pipe or a device, expected an \.npz file"):
        load_config(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match="is a folder, expected a file that torch"):
        read_torch_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("web_page", "is a web page (Google Drive - Quota exceeded)"),
        ("git_lfs_pointer", "is a pointer of Git LFS that stands for the file"),
        (
            "error_answer",
            'is text that begins \'{"error":{"code":404,"message":"File not found"}}\'',
        ),
        ("safetensors_renamed", "is a safetensors file"),
    ],
)
def test_files_that_people_downloaded(shared, name, words):
    with pytest.raises(InputError) as caught:
        read_torch_file(shared / "faults" / "training" / f"{name}.pth.tar")
    assert words in str(caught.value)
