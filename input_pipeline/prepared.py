"""Reads datasets that `python -m input_pipeline.prepare` wrote: ArrayRecord files of frames."""

import dataclasses
import functools
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from etils import epath
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.user_paths import check_is_text
from input_pipeline.manifest import FILE_NAME as MANIFEST
from input_pipeline.manifest import DatasetManifest, PreparedClip, read_dataset_manifest

# Files that TFDS writes beside the records.
INFO, FEATURES = "dataset_info.json", "features.json"
HINT = "copy the prepared dataset again, all of it, or prepare it again"


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
    """Return whether `root` is a prepared dataset of ArrayRecord files, whole or in part."""
    folder = epath.Path(root)
    return (folder / INFO).exists() or any(folder.glob("*.array_record*"))


def list_prepared_videos(root: str) -> tuple[list[PreparedVideo], list[PreparedVideo]]:
    """List the videos of a prepared dataset: those for training and those for testing.

    Raises:
      InputError: a file of the dataset is missing or damaged, or a name in `root` is not UTF-8.
    """
    check_is_text(root)
    manifest = read_dataset_manifest(root)
    check_records(root, manifest)
    size = manifest.encoding.height, manifest.encoding.width

    def list_split(split: str, clips: Sequence[PreparedClip]) -> list[PreparedVideo]:
        videos, first = [], 0
        for clip in clips:
            video = PreparedVideo(root, split, clip.name, first, clip.frames, clip.fps, *size)
            videos.append(video)
            first += clip.frames
        return videos

    return list_split("train", manifest.train), list_split("test", manifest.test)


def check_records(root: str, manifest: DatasetManifest) -> None:
    """Check that all files of records are there and whole: their ends, not each record.

    Files that are not on a local disk are only looked for in the dataset's description.

    Raises:
      InputError: a file is missing or damaged, or they hold other numbers of frames.
    """
    folder = epath.Path(root)
    for name in (INFO, FEATURES):
        with reading(folder / name, HINT):
            text = (folder / name).read_text()
        try:
            json.loads(text)
        except ValueError as error:
            raise InputError(f"{folder / name}: is damaged, it is not JSON; {HINT}") from error
    try:
        splits = tfds.builder_from_directory(root).info.splits
    except Exception as error:  # any, depending on what is missing in the JSON
        raise InputError(f"{root}: {INFO} or {FEATURES} is not what was written; {HINT}") from error
    for name, clips in (("train", manifest.train), ("test", manifest.test)):
        if not clips:
            continue
        num_frames = sum(clip.frames for clip in clips)
        if name not in splits or splits[name].num_examples != num_frames:
            raise InputError(
                f"{folder / INFO}: has not the {num_frames} frames of {name} that"
                f" {MANIFEST} lists; {HINT}"
            )
        for path, length in zip(splits[name].filepaths, splits[name].shard_lengths, strict=True):
            if "://" not in root:
                _check_file_of_records(path, length)


def _check_file_of_records(path: epath.Path, num_records: int) -> None:
    """Raise an `InputError` unless a file has so many records."""
    with reading(path, HINT), path.open("rb"):
        pass
    try:
        reader = array_record_module.ArrayRecordReader(str(path))
        actual = reader.num_records()
        reader.close()
    except Exception as error:  # it raises a RuntimeError, often without a word
        raise InputError(f"{path}: is not a whole file of records; {HINT}") from error
    if actual != num_records:
        raise InputError(f"{path}: has {actual} records of {num_records}; {HINT}")


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
