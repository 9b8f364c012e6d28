"""Clips to files: worker processes write a shard of clips each.

A shard that is finished stays in a staging folder, so that preparation can be interrupted and goes
on where it was.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2
from tqdm import tqdm

from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from input_pipeline.datasets.clips import Clip, Selection, read_clip
from input_pipeline.manifest import Encoding, KeptClip, Manifest, RefusedClip

STAGING = ".unfinished"  # folder of the shards that wait for the others
CLIPS_PER_SHARD = 16
MIN_FRAMES = 2  # training draws pairs


@dataclasses.dataclass(frozen=True)
class Shard:
    """Clips as written."""

    path: Path  # an ArrayRecord file, or a folder of mp4 files
    kept: list[KeptClip]
    refused: list[RefusedClip]


def features(encoding: Encoding) -> tfds.features.FeaturesDict:
    """What a record holds: one encoded frame, and the name of its video."""
    image = tfds.features.Image(
        shape=(encoding.height, encoding.width, 3), encoding_format=encoding.format
    )
    return tfds.features.FeaturesDict({"video": tfds.features.Text(), "frame": image})


@contextlib.contextmanager
def staged(
    selection: Selection, encoding: Encoding, folder: Path, num_workers: int
) -> Iterator[dict[str, list[Shard]]]:
    """Cut, encode and write the clips of both splits, showing progress.

    Shards that an interrupted run has finished are taken as they are. They lie in a hidden folder
    below `folder`, which is removed when the block ends well.

    Yields:
      The shards of each split that has clips, to be moved to where they belong.

    Raises:
      InputError: nothing can be written there, two clips have one name, or no clip of a split can
        be used.
    """
    staging = folder / STAGING
    shards = {}
    for split, clips in (("train", selection.train), ("test", selection.test)):
        if not clips:
            continue
        _check_names(clips)
        written = _write_shards(clips, encoding, staging, num_workers, split)
        if not any(shard.kept for shard in written):
            raise InputError(
                f"{split}: none of {len(clips)} clips can be used; the first:"
                f" {written[0].refused[0].reason}"
            )
        shards[split] = written
    yield shards
    shutil.rmtree(staging)


def summarize(
    dataset: str, encoding: Encoding, selection: Selection, shards: Mapping[str, Sequence[Shard]]
) -> Manifest:
    """What was written and what was not."""
    kept = {
        split: [clip for shard in shards.get(split, ()) for clip in shard.kept]
        for split in ("train", "test")
    }
    refused = list(selection.refused)
    refused += [clip for written in shards.values() for shard in written for clip in shard.refused]
    return Manifest(dataset, encoding, kept["train"], kept["test"], refused, selection.missing)


def _check_names(clips: Sequence[Clip]) -> None:
    first: dict[str, Clip] = {}
    for clip in clips:
        stem = Path(clip.name).stem  # an mp4 file is called so
        if stem in first:
            raise InputError(
                f"{clip.path}: would be called {stem}, as {first[stem].path} is already;"
                " rename one of them"
            )
        first[stem] = clip


def _write_shards(
    clips: Sequence[Clip], encoding: Encoding, staging: Path, num_workers: int, label: str
) -> list[Shard]:
    groups = [clips[i : i + CLIPS_PER_SHARD] for i in range(0, len(clips), CLIPS_PER_SHARD)]
    paths = [staging / _key(group, encoding) for group in groups]
    with (
        tqdm(total=len(clips), desc=label, unit="clip") as bar,
        concurrent.futures.ProcessPoolExecutor(
            num_workers, multiprocessing.get_context("spawn"), _leave_interrupts
        ) as pool,
    ):
        unfinished = {
            pool.submit(_write_shard, group, encoding, path): len(group)
            for group, path in zip(groups, paths, strict=True)
            if not _report_of(path).exists()
        }
        bar.update(len(clips) - sum(unfinished.values()))
        try:
            for future in concurrent.futures.as_completed(unfinished):
                future.result()
                bar.update(unfinished[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    return [_read_report(path) for path in paths]


def _leave_interrupts() -> None:
    # Ctrl-C reaches the workers too. They leave it to the main process, which ends them; were they
    # to die of it, that might look to the main process like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _key(clips: Sequence[Clip], encoding: Encoding) -> str:
    """A name that changes with what is to be written and with the files that it is made from."""
    states = []
    for clip in clips:
        status = clip.path.stat()
        states.append((clip, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr((states, encoding)).encode()).hexdigest()[:32]


def _report_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_report(path: Path) -> Shard:
    content = json.loads(_report_of(path).read_text(encoding="utf-8"))
    return Shard(
        path,
        [KeptClip(**clip) for clip in content["kept"]],
        [RefusedClip(**clip) for clip in content["refused"]],
    )


def _write_shard(clips: Sequence[Clip], encoding: Encoding, path: Path) -> None:
    """Write one shard; its report comes last and tells that it is whole."""
    kept, refused = [], []
    with (_videos if encoding.format == "mp4" else _records)(path, encoding) as add:
        for clip in clips:
            try:
                kept.append(dataclasses.asdict(add(clip)))
            except InputError as error:
                refused.append(dataclasses.asdict(RefusedClip(clip.name, str(error))))
    with replacing(_report_of(path)) as unfinished:
        unfinished.write_text(json.dumps({"kept": kept, "refused": refused}), encoding="utf-8")


@contextlib.contextmanager
def _records(path: Path, encoding: Encoding) -> Iterator[Callable[[Clip], KeptClip]]:
    """What adds a clip to an ArrayRecord file, all of it or nothing."""
    schema = features(encoding)
    with replacing(path) as unfinished:
        # A record is a chunk of the file, so that it is read without its neighbours.
        writer = ArrayRecordWriter(str(unfinished), "group_size:1")

        def add(clip: Clip) -> KeptClip:
            # A clip can turn out to be damaged at its end, and records cannot be taken back.
            with tempfile.TemporaryFile(dir=path.parent) as spool:
                read = read_clip(clip, encoding.height, encoding.width, encoding.fit)
                sizes, digest = [], hashlib.sha256()
                for frame in read.frames:
                    data = encode_frame(frame, encoding)
                    digest.update(data)
                    sizes.append(spool.write(data))
                _check_length(clip, len(sizes))
                spool.seek(0)
                for size in sizes:
                    record = {"video": clip.name, "frame": spool.read(size)}
                    # TFDS leaves the order of the two to chance.
                    example = tf_example_pb2.Example.FromString(schema.serialize_example(record))
                    writer.write(example.SerializeToString(deterministic=True))
            return KeptClip(clip.name, len(sizes), read.fps, sum(sizes), digest.hexdigest())

        yield add
        writer.close()


@contextlib.contextmanager
def _videos(folder: Path, encoding: Encoding) -> Iterator[Callable[[Clip], KeptClip]]:
    """What adds a clip to a folder of mp4 files."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width, every = encoding.height, encoding.width, encoding.keyframe_every

    def add(clip: Clip) -> KeptClip:
        path = folder / f"{Path(clip.name).stem}.mp4"
        read = read_clip(clip, height, width, encoding.fit)
        count = 0
        film_format = FilmFormat(height, width, fps=read.fps, keyframe_every=every)
        with VideoWriter(path, film_format) as writer:
            for frame in read.frames:
                writer.write(frame)
                count += 1
            _check_length(clip, count)
        data = path.read_bytes()
        return KeptClip(path.name, count, read.fps, len(data), hashlib.sha256(data).hexdigest())

    yield add


def _check_length(clip: Clip, count: int) -> None:
    if count < MIN_FRAMES:
        raise InputError(f"{clip.path}: {count} frame; expected at least {MIN_FRAMES} in a clip")


def encode_frame(frame: np.ndarray, encoding: Encoding) -> bytes:
    """Encode a frame (h, w, 3) uint8 as a PNG or JPEG file."""
    if encoding.format == "png":
        return iio.imwrite("<bytes>", frame, plugin="pillow", extension=".png")
    return iio.imwrite(
        "<bytes>", frame, plugin="pillow", extension=".jpeg", quality=encoding.quality
    )
