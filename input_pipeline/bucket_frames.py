"""Reads frames of prepared datasets in buckets, each by its range of bytes or from a local copy.

TensorStore sends the requests, many at a time, and tries again when the bucket refuses.
"""

import functools
import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fomm_jax.buckets import TENSORSTORE_RETRIES, describe_failure, to_path
from fomm_jax.errors import InputError
from input_pipeline.frame_index import index_path, load_index, remove_block_headers

if TYPE_CHECKING:  # tensorstore takes a quarter of a second to load
    import tensorstore

REQUESTS = 64  # at a time, of a process


class BucketError(InputError):
    """A bucket does not give a file. Other files would meet the same, so none is left out."""


def request_frames(
    folder: str, copies: str | None, file: str, index: np.ndarray
) -> Callable[[], list[np.ndarray]]:
    """Begin to read frames; return the function that waits for them and decodes them.

    Args:
      folder: the folder of the dataset in the bucket.
      copies: a folder of this computer with copies of some of the files, or None.
      file: the name of the file that the frames are in.
      index: their rows of the index.

    Returns:
      A function that returns the frames, each (h, w, 3) uint8. It raises a BucketError if the
      bucket does not give them, and an InputError if one is damaged.
    """
    if copies is not None and has_copy(copies, file):
        return functools.partial(_read_copy, os.path.join(copies, file), index)
    store = open_store(folder)
    ranges = [slice(int(row["start"]), int(row["start"]) + int(row["size"])) for row in index]
    promises = [store.read(file, byte_range=part) for part in ranges]

    def wait() -> list[np.ndarray]:
        contents = [wait_for(promise, f"{folder}/{file}") for promise in promises]
        return [_decode(*pair) for pair in zip(contents, index, strict=True)]

    return wait


@functools.cache  # a process reads frames by the thousand
def split_index(folder: str, split: str) -> np.ndarray:
    """Return the index of a split of a dataset.

    Raises:
      BucketError: it cannot be read.
    """
    try:
        return load_index(index_path(to_path(folder), split))
    except InputError as error:
        raise BucketError(str(error)) from error


@functools.cache
def open_store(folder: str) -> "tensorstore.KvStore":
    """Open a folder in a bucket for requests."""
    import tensorstore

    context = tensorstore.Context(
        {"gcs_request_retries": TENSORSTORE_RETRIES, "gcs_request_concurrency": {"limit": REQUESTS}}
    )
    return tensorstore.KvStore.open(f"{folder}/", context=context).result()


def wait_for(promise: Any, path: str) -> bytes:
    """Wait for a request and return what the bucket answered.

    Raises:
      BucketError: the bucket did not give it.
    """
    try:
        result = promise.result()
    except Exception as error:  # TensorStore raises a ValueError for most statuses
        reason = describe_failure(path, error) or " ".join(str(error).split())
        raise BucketError(f"{path}: cannot be read ({reason})") from error
    if result.state != "value":
        raise BucketError(f"{path}: there is no such object; copy or prepare the dataset again")
    return result.value


def has_copy(copies: str, file: str) -> bool:
    """Tell whether there is a copy of a file on this computer."""
    return os.path.exists(os.path.join(copies, file))


def _read_copy(path: str, index: np.ndarray) -> list[np.ndarray]:
    frames = []
    with Path(path).open("rb") as file:
        for row in index:
            file.seek(int(row["start"]))
            frames.append(_decode(file.read(int(row["size"])), row))
    return frames


def _decode(content: bytes, row: np.void) -> np.ndarray:
    """Decode what was read of a file for a row of its index.

    Raises:
      InputError: it is damaged.
    """
    data = remove_block_headers(content, int(row["start"]))
    if zlib.crc32(data) != row["crc"]:
        raise InputError("its content is not what was written")
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
