"""Recognise files that are something else than the weights for which they were taken.

Downloads often give a web page, the answer of a server or a pointer of Git LFS under the name of
the file. Such a file is called what it is, so that its user knows what to do.
"""

import os
import re
import tarfile
import zipfile
from typing import BinaryIO

from fomm_jax.buckets import to_path
from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, reading

TORCH_FILE = "a file that torch.save wrote"
NPZ_FILE = "an .npz file of NumPy's"
SAFETENSORS_FILE = "a safetensors file"
# How the names of files with weights end; the ending decides how a file is read.
ENDINGS = {TORCH_FILE: ".pth.tar", NPZ_FILE: ".npz", SAFETENSORS_FILE: ".safetensors"}
START_BYTES = 4096  # of a file, by which it is recognised
MOST_SHOWN = 60  # characters of a text
DOWNLOAD_AGAIN = "download the file again"

# Beginnings of files, with what they are and what to do.
BEGINNINGS = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS that stands for the file",
        "fetch the file itself by `git lfs pull`",
    ),
    (b"\x1f\x8b", "compressed by gzip", "unpack it by gunzip"),
    (b"BZh", "compressed by bzip2", "unpack it by bunzip2"),
    (b"\xfd7zXZ\0", "compressed by xz", "unpack it by unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it by unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\0\5\x16\7", "macOS's companion of a file", "take the file whose name lacks the first `._`"),
    (b"\x89HDF", "an HDF5 file", ""),
    (b"\x93NUMPY", "an array of NumPy", ""),
    (b"\x89PNG", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"%PDF", "a PDF document", ""),
)
WEB_PAGE = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|!--)", re.IGNORECASE)
XML = re.compile(rb"\s*<\?xml", re.IGNORECASE)
TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def check_is_no_other_file(
    path: str | os.PathLike[str],
    expected: str,
    torch_advice: str = "",
) -> None:
    """Raise InputError if a file is recognised as something else than weights.

    Whether it is a whole file of weights is left to the reader of its format.

    Args:
      path: the file.
      expected: `TORCH_FILE`, `NPZ_FILE` or `SAFETENSORS_FILE`.
      torch_advice: what to do with a file of torch where another one is expected; default: give it
        another name.

    Raises:
      InputError: the file cannot be read, is a folder, a pipe or a device, or is something else;
        the message says what, and what to do.
    """
    check_is_file(path, expected)
    with reading(path), to_path(path).open("rb") as file:
        start = file.read(START_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        kind, advice = _recognise(start, size) or _recognise_archive(file, start) or ("", "")
    if kind in ENDINGS and not os.fspath(path).endswith(ENDINGS[kind]):
        advice = f"give it a name that ends in {ENDINGS[kind]}"
    if kind == TORCH_FILE:
        advice = torch_advice or advice
    if kind and kind != expected:
        raise InputError(f"{path}: is {kind}; expected {expected}{advice and f': {advice}'}")


def _recognise(start: bytes, size: int) -> tuple[str, str] | None:
    """Return what a file is by its beginning, and what to do; None if it may be weights."""
    if not start.strip(b"\0"):
        return ("full of zeros" if start else "empty"), DOWNLOAD_AGAIN
    for beginning, kind, advice in BEGINNINGS:
        if start.startswith(beginning):
            return kind, advice
    text = start.removeprefix(b"\xef\xbb\xbf")
    if WEB_PAGE.match(text):
        title = TITLE.search(text)
        about = f" ({_one_line(title[1])})" if title else ""
        return f"a web page{about}", f"{DOWNLOAD_AGAIN}, in a browser if need be"
    if XML.match(text):
        return "an XML answer of a server", DOWNLOAD_AGAIN
    header = int.from_bytes(start[:8], "little")  # the length of the JSON that follows
    if start[8:9] == b"{" and header <= size - 8:
        return SAFETENSORS_FILE, ""
    if _is_text(text):
        return f"text that begins {_one_line(text)!r}", DOWNLOAD_AGAIN
    return None


def _recognise_archive(file: BinaryIO, start: bytes) -> tuple[str, str] | None:
    """Return what an archive holds in place of weights, and what to do."""
    if start[257:262] == b"ustar":
        return f"a tar archive around {_first_in_tar(file)}", "unpack it once, by `tar xf`"
    if not start.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except Exception:  # a damaged archive may raise whatever it likes
        return "cut short or damaged, since its zip archive has no whole list", DOWNLOAD_AGAIN
    if any(name.endswith("/data.pkl") for name in names):
        if any("/code/" in name for name in names):
            return "a program of TorchScript", "save its state dict by torch.save"
        return TORCH_FILE, ""
    if any(name.endswith(".npy") for name in names):
        return NPZ_FILE, ""
    return f"a zip archive around {names[0] if names else 'nothing'}", "unpack it once, by `unzip`"


def _first_in_tar(file: BinaryIO) -> str:
    """Return the name of the first file in a tar archive."""
    try:
        with tarfile.open(fileobj=file) as archive:
            return next((entry.name for entry in archive if entry.isfile()), "nothing")
    except tarfile.TarError:
        return "other files"


def _is_text(start: bytes) -> bool:
    """Return whether bytes are text without control characters."""
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not a character that the beginning cuts in two
            return False
        text = start[: error.start].decode()
    return all(character.isprintable() or character in "\t\n\r" for character in text)


def _one_line(text: bytes) -> str:
    """Return the beginning of a text in one line."""
    line = " ".join(text.decode(errors="replace").split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}…"
