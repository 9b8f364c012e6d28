"""Datasets that `python -m input_pipeline.prepare` has written: ArrayRecord, a record a frame."""

import dataclasses
import functools
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from fomm_jax.errors import InputError
from input_pipeline.manifest import KeptClip, read_manifest


@dataclasses.dataclass(frozen=True)
class PreparedVideo:
    """Where a video is in a prepared dataset."""

    root: str  # of the dataset, a local path or one that begins with gs://
    split: str
    name: str
    first: int  # number of its first record in the split
    num_frames: int
    fps: float
    height: int
    width: int

    def __str__(self) -> str:
        """Name the video in messages."""
        return f"{self.root}, {self.split}, {self.name}"


def is_prepared(root: str) -> bool:
    """Whether this is the folder of a prepared dataset."""
    return (epath.Path(root) / "dataset_info.json").exists()


def list_prepared(root: str) -> tuple[list[PreparedVideo], list[PreparedVideo]]:
    """List the videos of both splits, for training and for testing.

    Raises:
      InputError: the manifest cannot be read.
    """
    manifest = read_manifest(root)
    size = manifest.encoding.height, manifest.encoding.width

    def videos(split: str, clips: Sequence[KeptClip]) -> list[PreparedVideo]:
        found, first = [], 0
        for clip in clips:
            found.append(PreparedVideo(root, split, clip.name, first, clip.frames, clip.fps, *size))
            first += clip.frames
        return found

    return videos("train", manifest.train), videos("test", manifest.test)


def read_frames(video: PreparedVideo, numbers: Iterable[int]) -> Iterator[np.ndarray]:
    """Read frames of a video, each (h, w, 3) uint8.

    Raises:
      InputError: a file is missing or damaged.
    """
    for number in numbers:
        try:
            record = _records(video.root, video.split)[video.first + number]
            fields = tf_example_pb2.Example.FromString(record).features.feature
            # Pillow alone: imageio would add 0.3 ms a frame, as long as a small JPEG takes.
            with Image.open(io.BytesIO(fields["frame"].bytes_list.value[0])) as image:
                frame = np.asarray(image)
        # Readers raise from RuntimeError over IndexError to SyntaxError, as the damage has it.
        except Exception as error:
            raise InputError(f"{video}, frame {number}: cannot be read: {error}") from error
        yield frame


@functools.cache  # of the process: videos are opened by the thousand, and share the files
def _records(root: str, split: str) -> Any:
    # Raw, since TFDS takes longer to parse a record than ArrayRecord to read it.
    return tfds.builder_from_directory(root).as_data_source(
        split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
