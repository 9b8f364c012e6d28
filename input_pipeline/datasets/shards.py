"""Writes the clips of a dataset in worker processes, a shard of clips at a time.

Finished shards wait for the others in a staging folder. So a preparation that was interrupted goes
on where it stopped.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from fomm_jax.buckets import AnyPath, list_folder, remove_tree
from fomm_jax.errors import InputError
from fomm_jax.files import reading, replacing, writing
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.datasets.clip_writers import mp4_files, record_file
from input_pipeline.manifest import DatasetManifest, Encoding, PreparedClip, RefusedClip
from input_pipeline.worker_pool import worker_pool

STAGING = ".unfinished"  # the folder of finished shards that wait for the others
CLIPS_PER_SHARD = 16
REPORTS_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Shard:
    """The clips that one worker wrote, and those that it could not use."""

    path: AnyPath  # an ArrayRecord file, or a folder of mp4 files
    clips: list[PreparedClip]
    refused: list[RefusedClip]


@contextlib.contextmanager
def write_shards(
    selection: Selection, encoding: Encoding, staging: AnyPath, num_workers: int
) -> Iterator[dict[str, list[Shard]]]:
    """Cut, encode and write the clips of both splits, and show the progress.

    The shards lie in the folder `staging`. Those that an interrupted run or `write_part` left there
    are used again. The folder is removed when the block ends without an exception.

    Yields:
      The shards of each split that has clips. The block moves the files to where they belong.

    Raises:
      InputError: nothing can be written there, two clips have the same name, or no clip of a split
        can be used.
    """
    shards = {}
    for split, clips in _splits(selection):
        groups = _group(clips, encoding, staging)
        _write_groups(split, groups, encoding, staging, num_workers)
        split_shards = _read_reports([*groups])
        if not any(shard.clips for shard in split_shards):
            raise InputError(
                f"{split}: none of {len(clips)} clips can be used; the first:"
                f" {split_shards[0].refused[0].reason}"
            )
        shards[split] = split_shards
    yield shards
    remove_tree(staging)


def write_part(
    selection: Selection,
    encoding: Encoding,
    staging: AnyPath,
    num_workers: int,
    part: tuple[int, int],
) -> None:
    """Write a part of the shards of both splits, for a later `write_shards` of all.

    Args:
      selection: all clips.
      encoding: how the frames are stored.
      staging: the folder for shards, the same for all parts.
      num_workers: the number of processes that cut and encode.
      part: the number of this part, from 1 on, and the number of parts.

    Raises:
      InputError: as in `write_shards`.
    """
    number, count = part
    for split, clips in _splits(selection):
        groups = _group(clips, encoding, staging)
        own = dict([*groups.items()][number - 1 :: count])
        _write_groups(split, own, encoding, staging, num_workers)


def _splits(selection: Selection) -> Iterator[tuple[str, Sequence[Clip]]]:
    """Yield each split that has clips, once their names are checked."""
    for split, clips in (("train", selection.train), ("test", selection.test)):
        if clips:
            _check_names(clips)
            yield split, clips


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


def _group(
    clips: Sequence[Clip], encoding: Encoding, staging: AnyPath
) -> dict[AnyPath, Sequence[Clip]]:
    """Return the clips of each shard by its path."""
    groups = [clips[i : i + CLIPS_PER_SHARD] for i in range(0, len(clips), CLIPS_PER_SHARD)]
    return {staging / _shard_name(group, encoding): group for group in groups}


def _write_groups(
    split: str,
    groups: Mapping[AnyPath, Sequence[Clip]],
    encoding: Encoding,
    staging: AnyPath,
    num_workers: int,
) -> None:
    """Write the shards that are not there yet."""
    with writing(staging):
        existing = {path.name for path in list_folder(staging)}
    with (
        tqdm(total=sum(map(len, groups.values())), desc=split, unit="clip") as bar,
        _removing_unfinished(staging),
        worker_pool(num_workers) as pool,
    ):
        unfinished = {
            pool.submit(_write_shard, group, encoding, path): len(group)
            for path, group in groups.items()
            if not existing.issuperset((path.name, _report_path(path).name))
        }
        bar.update(bar.total - sum(unfinished.values()))
        for future in concurrent.futures.as_completed(unfinished):
            future.result()
            bar.update(unfinished[future])


@contextlib.contextmanager
def _removing_unfinished(staging: AnyPath) -> Iterator[None]:
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


def _report_path(path: AnyPath) -> AnyPath:
    return path.with_suffix(".json")


def _read_reports(paths: Sequence[AnyPath]) -> list[Shard]:
    """Read the reports of shards, many at a time, since a bucket takes its time for each."""
    with concurrent.futures.ThreadPoolExecutor(REPORTS_AT_ONCE) as pool:
        return [*pool.map(_read_report, paths)]


def _read_report(path: AnyPath) -> Shard:
    with reading(_report_path(path)):
        content = json.loads(_report_path(path).read_text())
    return Shard(
        path,
        [PreparedClip(**clip) for clip in content["kept"]],
        [RefusedClip(**clip) for clip in content["refused"]],
    )


def _write_shard(clips: Sequence[Clip], encoding: Encoding, path: AnyPath) -> None:
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
