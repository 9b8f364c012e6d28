"""Reads datasets that `python -m input_pipeline.prepare` wrote: ArrayRecord files of frames."""

import bisect
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from PIL import Image

from fomm_jax.buckets import AnyPath, is_in_bucket, list_folder, to_path
from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.user_paths import check_is_text
from input_pipeline.bucket_frames import BucketError, request_frames, split_index
from input_pipeline.frame_index import encoded_frame
from input_pipeline.manifest import FILE_NAME as MANIFEST
from input_pipeline.manifest import DatasetManifest, PreparedClip, read_dataset_manifest

# Files that TFDS writes beside the records.
INFO, FEATURES = "dataset_info.json", "features.json"
FRAMES_AT_ONCE = 32  # of a whole video in a bucket
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
    file: str  # the name of its file of records
    copies: str | None = None  # a folder of this computer with copies of files in a bucket

    def __str__(self) -> str:
        """Name the video in messages."""
        return f"{self.root}, {self.split}, {self.name}"


def is_prepared(root: str) -> bool:
    """Return whether `root` is a prepared dataset of ArrayRecord files, whole or in part."""
    folder = to_path(root)
    with reading(folder):
        return (folder / INFO).exists() or any(folder.glob("*.array_record*"))


def list_prepared_videos(
    root: str, cache_dir: str | None = None
) -> tuple[list[PreparedVideo], list[PreparedVideo]]:
    """List the videos of a prepared dataset: those for training and those for testing.

    Args:
      root: the folder of the dataset, a local path or one that begins with gs://.
      cache_dir: the folder for local copies of datasets in buckets, or None.

    Raises:
      InputError: a file of the dataset is missing or damaged, or a name in `root` is not UTF-8.
    """
    check_is_text(root)
    manifest = read_dataset_manifest(root)
    files = check_records(root, manifest)
    copies = copies_folder(cache_dir, root, manifest) if cache_dir and is_in_bucket(root) else None
    size = manifest.encoding.height, manifest.encoding.width

    def list_split(split: str, clips: Sequence[PreparedClip]) -> list[PreparedVideo]:
        videos, first = [], 0
        ends = itertools.accumulate(length for _, length in files.get(split, ()))
        ending = list(zip(ends, (name for name, _ in files.get(split, ())), strict=True))
        for clip in clips:
            file = ending[bisect.bisect_right(ending, first, key=lambda end: end[0])][1]
            video = PreparedVideo(
                root, split, clip.name, first, clip.frames, clip.fps, *size, file, copies
            )
            videos.append(video)
            first += clip.frames
        return videos

    return list_split("train", manifest.train), list_split("test", manifest.test)


def copies_folder(cache_dir: str, root: str, manifest: DatasetManifest) -> str:
    """Return the folder for copies of a dataset; another content has another folder."""
    content = hashlib.sha256(f"{root} {manifest}".encode()).hexdigest()
    return os.path.join(cache_dir, content[:16])


def check_records(root: str, manifest: DatasetManifest) -> dict[str, list[tuple[str, int]]]:
    """Check that all files of records are there and whole: their ends, not each record.

    In a bucket, only their names are looked for.

    Returns:
      The names of the files of each split, and how many records each has.

    Raises:
      InputError: a file is missing or damaged, or they hold other numbers of frames.
    """
    folder = to_path(root)
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
    in_bucket = is_in_bucket(root)
    existing = {path.name for path in list_folder(folder)} if in_bucket else set()
    files = {}
    for name, clips in (("train", manifest.train), ("test", manifest.test)):
        if not clips:
            continue
        num_frames = sum(clip.frames for clip in clips)
        if name not in splits or splits[name].num_examples != num_frames:
            raise InputError(
                f"{folder / INFO}: has not the {num_frames} frames of {name} that"
                f" {MANIFEST} lists; {HINT}"
            )
        paths = [to_path(path) for path in splits[name].filepaths]
        files[name] = [
            (path.name, length)
            for path, length in zip(paths, splits[name].shard_lengths, strict=True)
        ]
        for path, length in zip(paths, splits[name].shard_lengths, strict=True):
            if not in_bucket:
                _check_file_of_records(path, length)
            elif path.name not in existing:
                raise InputError(f"{path}: there is no such object; {HINT}")
    return files


def _check_file_of_records(path: AnyPath, num_records: int) -> None:
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


def request_prepared_frames(
    video: PreparedVideo, numbers: Sequence[int]
) -> Callable[[], list[np.ndarray]]:
    """Begin to read frames; return the function that waits for them.

    Only a bucket is asked at once. From a disk, the function reads.

    Returns:
      A function that returns the frames of these numbers, each (h, w, 3) uint8. It raises an
      InputError if a file of the dataset is missing or damaged.

    Raises:
      BucketError: a bucket does not give the index of the dataset.
    """
    if not is_in_bucket(video.root):
        return lambda: [*read_prepared_frames(video, numbers)]
    index = split_index(video.root, video.split)[video.first + np.asarray(numbers)]
    wait = request_frames(video.root, video.copies, video.file, index)

    def wait_and_name() -> list[np.ndarray]:
        try:
            return wait()
        except BucketError:
            raise
        except Exception as error:
            named = ", ".join(map(str, numbers))
            raise InputError(f"{video}, frames {named}: cannot be read: {error}") from error

    return wait_and_name


def read_prepared_frames(video: PreparedVideo, numbers: Iterable[int]) -> Iterator[np.ndarray]:
    """Yield the frames of these numbers, each (h, w, 3) uint8.

    Raises:
      InputError: a file of the dataset is missing or damaged.
    """
    if is_in_bucket(video.root):
        chosen = iter(numbers)
        while group := [*itertools.islice(chosen, FRAMES_AT_ONCE)]:
            yield from request_prepared_frames(video, group)()
        return
    for number in numbers:
        try:
            record = _open_records(video.root, video.split)[video.first + number]
            # Pillow alone: imageio would add 0.3 ms a frame, as long as a small JPEG takes.
            with Image.open(io.BytesIO(encoded_frame(record))) as image:
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
