"""Writes the clips of a dataset in worker processes, a shard of clips at a time.

Finished shards wait for the others in a staging folder. So a preparation that was interrupted goes
on where it stopped.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.datasets.clip_writers import mp4_files, record_file
from input_pipeline.manifest import DatasetManifest, Encoding, PreparedClip, RefusedClip
from input_pipeline.worker_pool import worker_pool

STAGING = ".unfinished"  # the folder of finished shards that wait for the others
CLIPS_PER_SHARD = 16


@dataclasses.dataclass(frozen=True)
class Shard:
    """The clips that one worker wrote, and those that it could not use."""

    path: Path  # an ArrayRecord file, or a folder of mp4 files
    clips: list[PreparedClip]
    refused: list[RefusedClip]


@contextlib.contextmanager
def write_shards(
    selection: Selection, encoding: Encoding, folder: Path, num_workers: int
) -> Iterator[dict[str, list[Shard]]]:
    """Cut, encode and write the clips of both splits, and show the progress.

    The shards lie in a hidden folder below `folder`. Shards that an interrupted run left there are
    used again. The hidden folder is removed when the block ends without an exception.

    Yields:
      The shards of each split that has clips. The block moves the files to where they belong.

    Raises:
      InputError: nothing can be written there, two clips have the same name, or no clip of a split
        can be used.
    """
    staging = folder / STAGING
    shards = {}
    for split, clips in (("train", selection.train), ("test", selection.test)):
        if not clips:
            continue
        _check_names(clips)
        split_shards = _write_split(split, clips, encoding, staging, num_workers)
        if not any(shard.clips for shard in split_shards):
            raise InputError(
                f"{split}: none of {len(clips)} clips can be used; the first:"
                f" {split_shards[0].refused[0].reason}"
            )
        shards[split] = split_shards
    yield shards
    shutil.rmtree(staging)


def summarize(
    dataset: str, encoding: Encoding, selection: Selection, shards: Mapping[str, Sequence[Shard]]
) -> DatasetManifest:
    """Return the manifest of a dataset from its selection and the shards of each split."""
    train, test = (
        [clip for shard in shards.get(split, ()) for clip in shard.clips]
        for split in ("train", "test")
    )
    refused = list(selection.refused)
    refused += [clip for written in shards.values() for shard in written for clip in shard.refused]
    return DatasetManifest(dataset, encoding, train, test, refused, selection.missing)


def _check_names(clips: Sequence[Clip]) -> None:
    """Raise an InputError if two clips of a split would be written under the same name."""
    first: dict[str, Clip] = {}
    for clip in clips:
        stem = Path(clip.name).stem  # without the suffix, which becomes .mp4 in a folder of mp4
        if stem in first:
            raise InputError(
                f"{clip.path}: would be called {stem}, like {first[stem].path}; rename one of them"
            )
        first[stem] = clip


def _write_split(
    split: str, clips: Sequence[Clip], encoding: Encoding, staging: Path, num_workers: int
) -> list[Shard]:
    groups = [clips[i : i + CLIPS_PER_SHARD] for i in range(0, len(clips), CLIPS_PER_SHARD)]
    paths = [staging / _shard_name(group, encoding) for group in groups]
    with (
        tqdm(total=len(clips), desc=split, unit="clip") as bar,
        _removing_unfinished(staging),
        worker_pool(num_workers) as pool,
    ):
        unfinished = {
            pool.submit(_write_shard, group, encoding, path): len(group)
            for group, path in zip(groups, paths, strict=True)
            if not _report_path(path).exists()
        }
        bar.update(len(clips) - sum(unfinished.values()))
        for future in concurrent.futures.as_completed(unfinished):
            future.result()
            bar.update(unfinished[future])
    return [_read_report(path) for path in paths]


@contextlib.contextmanager
def _removing_unfinished(staging: Path) -> Iterator[None]:
    """Remove after an exception what workers had begun to write; finished shards stay."""
    try:
        yield
    except BaseException:
        for path in staging.rglob(".*.unfinished"):
            path.unlink(missing_ok=True)
        raise


def _shard_name(clips: Sequence[Clip], encoding: Encoding) -> str:
    """Derive a name from the clips, the state of their files, and the encoding.

    If there is a shard of this name already, it is exactly the one that would be written now.
    """
    states = []
    for clip in clips:
        status = clip.path.stat()
        states.append((clip, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr((states, encoding)).encode()).hexdigest()[:32]


def _report_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_report(path: Path) -> Shard:
    content = json.loads(_report_path(path).read_text(encoding="utf-8"))
    return Shard(
        path,
        [PreparedClip(**clip) for clip in content["kept"]],
        [RefusedClip(**clip) for clip in content["refused"]],
    )


def _write_shard(clips: Sequence[Clip], encoding: Encoding, path: Path) -> None:
    """Write one shard, and then its report, whose presence means that the shard is complete."""
    prepared, refused = [], []
    open_shard = mp4_files if encoding.format == "mp4" else record_file
    with open_shard(path, encoding) as write_clip:
        for clip in clips:
            try:
                prepared.append(dataclasses.asdict(write_clip(clip)))
            except InputError as error:
                refused.append(dataclasses.asdict(RefusedClip(clip.name, str(error))))
    with replacing(_report_path(path)) as unfinished:
        report = {"kept": prepared, "refused": refused}
        unfinished.write_text(json.dumps(report), encoding="utf-8")
