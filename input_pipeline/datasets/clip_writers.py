"""Writes the frames of clips: as records of an ArrayRecord file, or as mp4 files."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from fomm_jax.buckets import AnyPath
from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.readable import readable
from input_pipeline.clips.clip import Clip, read_clip
from input_pipeline.frame_index import index_records, write_index
from input_pipeline.manifest import Encoding, PreparedClip

MIN_FRAMES = 2  # in a clip, since training draws pairs of frames

# Writes a clip, all of it or nothing. Raises an InputError if the clip cannot be used.
WriteClip = Callable[[Clip], PreparedClip]


def record_features(encoding: Encoding) -> tfds.features.FeaturesDict:
    """Return the features of a record: one encoded frame, and the name of its video."""
    image = tfds.features.Image(
        shape=(encoding.height, encoding.width, 3), encoding_format=encoding.format
    )
    return tfds.features.FeaturesDict({"video": tfds.features.Text(), "frame": image})


@contextlib.contextmanager
def record_file(path: AnyPath, encoding: Encoding) -> Iterator[WriteClip]:
    """Open an ArrayRecord file and yield the function that adds the frames of a clip to it.

    The index of its frames is written beside it, with the suffix `.npy`.

    Raises:
      InputError: the file cannot be written.
    """
    schema = record_features(encoding)
    with replacing(path) as unfinished:
        # Make each record a chunk of the file, so that it can be read without its neighbours.
        # Frames are compressed already.
        writer = ArrayRecordWriter(str(unfinished), "group_size:1,uncompressed")

        def write_clip(clip: Clip) -> PreparedClip:
            # A clip may turn out to be damaged at its end, and records cannot be removed. Collect
            # the frames in a temporary file first.
            with tempfile.TemporaryFile(dir=unfinished.parent) as spool:
                reading = read_clip(clip, encoding.height, encoding.width, encoding.fit)
                sizes, digest = [], hashlib.sha256()
                for frame in reading.frames:
                    data = encode_frame(frame, encoding)
                    digest.update(data)
                    sizes.append(spool.write(data))
                _check_length(clip, len(sizes))
                spool.seek(0)
                for size in sizes:
                    record = {"video": readable(clip.name), "frame": spool.read(size)}
                    # TFDS serializes the two fields in a random order.
                    example = tf_example_pb2.Example.FromString(schema.serialize_example(record))
                    writer.write(example.SerializeToString(deterministic=True))
            return PreparedClip(clip.name, len(sizes), reading.fps, sum(sizes), digest.hexdigest())

        yield write_clip
        writer.close()
        write_index(path.with_suffix(".npy"), [index_records(unfinished)])


@contextlib.contextmanager
def mp4_files(folder: AnyPath, encoding: Encoding) -> Iterator[WriteClip]:
    """Make a folder and yield the function that writes a clip into it as an mp4 file."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = encoding.height, encoding.width

    def write_clip(clip: Clip) -> PreparedClip:
        path = folder / f"{Path(clip.name).stem}.mp4"
        reading = read_clip(clip, height, width, encoding.fit)
        film_format = FilmFormat(
            height, width, fps=reading.fps, keyframe_every=encoding.keyframe_every
        )
        num_frames = 0
        with VideoWriter(path, film_format) as writer:
            for frame in reading.frames:
                writer.write(frame)
                num_frames += 1
            _check_length(clip, num_frames)
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return PreparedClip(path.name, num_frames, reading.fps, len(data), digest)

    yield write_clip


def encode_frame(frame: np.ndarray, encoding: Encoding) -> bytes:
    """Encode a frame (h, w, 3) uint8 as the content of a PNG or JPEG file."""
    if encoding.format == "png":
        return iio.imwrite("<bytes>", frame, plugin="pillow", extension=".png")
    return iio.imwrite(
        "<bytes>", frame, plugin="pillow", extension=".jpeg", quality=encoding.quality
    )


def _check_length(clip: Clip, num_frames: int) -> None:
    if num_frames < MIN_FRAMES:
        raise InputError(
            f"{clip.path}: {num_frames} frame; expected at least {MIN_FRAMES} in a clip"
        )
