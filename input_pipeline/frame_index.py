"""Where each frame lies in the files of a prepared dataset, so that one request can read it.

ArrayRecord's own reader suits disks. From a bucket it asks for all bytes from a record on, and
hangs up when it has the record: megabytes are under way by then.
"""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2

from fomm_jax.buckets import AnyPath
from fomm_jax.files import reading, replacing

# A row for each record: the first byte of its encoded frame in the file, the number of bytes up to
# the frame's end in the file, and the CRC-32 of the frame.
ROW = np.dtype([("start", "<u8"), ("size", "<u4"), ("crc", "<u4")])
# Riegeli, the format below ArrayRecord, begins each block of a file with a header.
BLOCK_BYTES, BLOCK_HEADER = 2**16, 24
MOST_BETWEEN = 4096  # bytes between two frames, or before the first one


def index_path(folder: AnyPath, split: str) -> AnyPath:
    """Return the path of the index of a split."""
    return folder / f"frames-{split}.npy"


def remove_block_headers(content: bytes, start: int) -> bytes:
    """Remove the headers of blocks from a part of a file that begins at the byte `start`."""
    parts, position = [], 0
    if (inside := start % BLOCK_BYTES) < BLOCK_HEADER:
        position = BLOCK_HEADER - inside
    while position < len(content):
        end = position + BLOCK_BYTES - (start + position) % BLOCK_BYTES
        parts.append(content[position:end])
        position = end + BLOCK_HEADER
    return b"".join(parts)


def index_records(path: Path) -> np.ndarray:
    """Find the frames in a file of uncompressed records: (n,) of `ROW`.

    Args:
      path: a file on this computer.
    """
    reader = array_record_module.ArrayRecordReader(str(path))
    rows, position = [], 0
    with path.open("rb") as file:
        for number in range(reader.num_records()):
            frame = encoded_frame(reader.read([number])[0])
            start, end = _find(file, position, frame)
            rows.append((start, end - start, zlib.crc32(frame)))
            position = end
    reader.close()
    return np.array(rows, ROW)


def encoded_frame(record: bytes) -> bytes:
    """Return the encoded frame in a record, a serialized `tf.train.Example`."""
    fields = tf_example_pb2.Example.FromString(record).features.feature
    return fields["frame"].bytes_list.value[0]


def _find(file: BinaryIO, position: int, frame: bytes) -> tuple[int, int]:
    """Return where the first bytes that equal a frame begin and end, from a position on."""
    file.seek(position)
    content = file.read(MOST_BETWEEN + len(frame) + BLOCK_HEADER * (len(frame) // BLOCK_BYTES + 2))
    offset = remove_block_headers(content, position).index(frame)
    return _skip(position, offset), _skip(position, offset + len(frame) - 1) + 1


def _skip(position: int, count: int) -> int:
    """Return the position in the file of the byte `count` without headers after a position."""
    blocks, inside = divmod(position, BLOCK_BYTES)
    before = blocks * (BLOCK_BYTES - BLOCK_HEADER) + max(inside - BLOCK_HEADER, 0)
    blocks, inside = divmod(before + count, BLOCK_BYTES - BLOCK_HEADER)
    return blocks * BLOCK_BYTES + BLOCK_HEADER + inside


def write_index(path: str | os.PathLike[str], indices: Sequence[np.ndarray]) -> None:
    """Write the indices of files as one.

    Raises:
      InputError: the file cannot be written.
    """
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, np.concatenate(indices))


def load_index(path: AnyPath) -> np.ndarray:
    """Read an index: (n,) of `ROW`.

    Raises:
      InputError: the file is missing or cannot be read.
    """
    with reading(path, "prepare the dataset again"), path.open("rb") as file:
        return np.load(file)
