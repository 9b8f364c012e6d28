"""Reads datasets that `python -m input_pipeline.prepare` wrote: ArrayRecord files of frames."""

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
from input_pipeline.manifest import PreparedClip, read_dataset_manifest


@dataclasses.dataclass(frozen=True)
class PreparedVideo:
    """The place of a video in a prepared dataset."""

    root: str  # the folder of the dataset, a local path or one that begins with gs://
    split: str  # "train" or "test"
    name: str
    first: int  # the number of its first record in the split
    num_frames: int
    fps: float  # frames a second
    height: int  # pixels
    width: int  # pixels

    def __str__(self) -> str:
        """Name the video in messages."""
        return f"{self.root}, {self.split}, {self.name}"


def is_prepared(root: str) -> bool:
    """Return whether `root` is the folder of a prepared dataset of ArrayRecord files."""
    return (epath.Path(root) / "dataset_info.json").exists()


def list_prepared_videos(root: str) -> tuple[list[PreparedVideo], list[PreparedVideo]]:
    """List the videos of a prepared dataset: those for training and those for testing.

    Raises:
      InputError: the manifest cannot be read.
    """
    manifest = read_dataset_manifest(root)
    size = manifest.encoding.height, manifest.encoding.width

    def list_split(split: str, clips: Sequence[PreparedClip]) -> list[PreparedVideo]:
        videos, first = [], 0
        for clip in clips:
            video = PreparedVideo(root, split, clip.name, first, clip.frames, clip.fps, *size)
            videos.append(video)
            first += clip.frames
        return videos

    return list_split("train", manifest.train), list_split("test", manifest.test)


def read_prepared_frames(video: PreparedVideo, numbers: Iterable[int]) -> Iterator[np.ndarray]:
    """Yield the frames of these numbers, each (h, w, 3) uint8.

    Raises:
      InputError: a file of the dataset is missing or damaged.
    """
    for number in numbers:
        try:
            record = _open_records(video.root, video.split)[video.first + number]
            fields = tf_example_pb2.Example.FromString(record).features.feature
            # Pillow alone: imageio would add 0.3 ms a frame, as long as a small JPEG takes.
            with Image.open(io.BytesIO(fields["frame"].bytes_list.value[0])) as image:
                frame = np.asarray(image)
        # The readers raise anything from RuntimeError to SyntaxError, depending on the damage.
        except Exception as error:
            raise InputError(f"{video}, frame {number}: cannot be read: {error}") from error
        yield frame


@functools.cache  # a process opens videos by the thousand, which share the files of a split
def _open_records(root: str, split: str) -> Any:
    """Open a split as a sequence of records, each a serialized `tf.train.Example`."""
    # TFDS does not parse the records: it takes longer for that than ArrayRecord takes to read them.
    return tfds.builder_from_directory(root).as_data_source(
        split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
