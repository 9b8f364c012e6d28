"""Datasets that are prepared into a bucket and read from it, with and without copies on a disk."""

import dataclasses
import logging

import imageio.v3 as iio
import numpy as np
import pytest
from numbered_videos import read_batches
from raw_videos import SIDE, read_all, write_stacked_frames

from fomm_jax.buckets import file_system, list_folder, to_path
from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.bucket_frames import BucketError
from input_pipeline.clips.clip import Clip
from input_pipeline.datasets import builder, shards
from input_pipeline.datasets.clip_writers import record_file
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.frame_index import index_records, load_index, remove_block_headers
from input_pipeline.loader import training_batches
from input_pipeline.local_copies import Copying
from input_pipeline.manifest import Encoding
from input_pipeline.prepared import list_prepared_videos
from input_pipeline.splits import split_videos


@pytest.fixture
def in_bucket(bucket, prepared_png):
    """A copy of a prepared dataset in a bucket, as a dataset of the configuration."""
    file_system().put(f"{prepared_png}/", f"{bucket}/data/", recursive=True)
    return DatasetConfig(root_dir=f"{bucket}/data", frame_shape=(SIDE, SIDE, 3))


@pytest.fixture
def read():
    """A function that returns the first batches of a dataset."""

    def read(dataset, root_dir=None):
        dataset = dataclasses.replace(dataset, root_dir=str(root_dir or dataset.root_dir))
        loader = training_batches(dataset, batch_size=4, num_repeats=3, seed=5)
        batches = read_batches(loader, 12)
        loader.close()
        return batches

    return read


def contents(folder):
    return {path.name: path.read_bytes() for path in to_path(folder).iterdir()}


def test_an_interrupted_preparation_goes_on_to_the_bytes_of_one_on_a_disk(
    raw, prepared_png, bucket, monkeypatch, caplog
):
    def prepare():
        output = to_path(f"{bucket}/out")
        return prepare_dataset("video_folder", raw, output, Encoding(SIDE, SIDE), num_workers=1)

    def interrupt(folder, bucket):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(builder, "_send", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare()
    form = to_path(f"{bucket}/out/video_folder/{SIDE}x{SIDE}_png")
    assert len(list_folder(form / ".unfinished")) == 9  # three shards with index and report
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_write_shard", None)
        assert prepare() == form / "1.0.0"
    assert contents(form / "1.0.0") == contents(prepared_png)
    assert [path.name for path in list_folder(form)] == ["1.0.0"]
    with caplog.at_level(logging.INFO):
        prepare()
    assert "exists already" in caplog.text


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_batches_from_a_bucket_equal_those_from_a_disk(
    in_bucket, prepared_png, read, tmp_path, num_workers
):
    expected = read(in_bucket, prepared_png)
    copied = dataclasses.replace(in_bucket, num_workers=num_workers, cache_dir=str(tmp_path))
    np.testing.assert_array_equal(read(dataclasses.replace(copied, cache_dir=None)), expected)
    videos = split_videos(copied).train
    copying = Copying(videos, 10**9)
    copying.start()
    copying.wait()
    names = {path.name for path in tmp_path.rglob("*.array_record*")}
    assert names == {path.name for path in prepared_png.glob("*train.array_record*")}
    for path in to_path(in_bucket.root_dir).glob("*.array_record*"):
        path.write_bytes(b"")  # what is read now comes from the copies
    np.testing.assert_array_equal(read(copied), expected)


def test_copies_take_no_more_than_their_share(in_bucket, prepared_png, tmp_path, caplog):
    files = sorted(prepared_png.glob("*train.array_record*"))
    videos = split_videos(dataclasses.replace(in_bucket, cache_dir=str(tmp_path))).train
    copying = Copying(videos, max_bytes=files[0].stat().st_size)
    copying.start()
    copying.wait()
    assert [path.name for path in tmp_path.rglob("*.array_record*")] == [files[0].name]
    assert "has 1 of 2 files; more would take more than" in caplog.text


def test_videos_are_read_whole(in_bucket, prepared_png):
    for far, near in zip(
        list_prepared_videos(in_bucket.root_dir)[1],
        list_prepared_videos(str(prepared_png))[1],
        strict=True,
    ):
        shape = (SIDE, SIDE, 3)
        np.testing.assert_array_equal(read_all(far, shape), read_all(near, shape))


def test_a_damaged_video_is_left_out_but_a_lost_file_ends_the_run(
    in_bucket, prepared_png, read, caplog
):
    name = "video_folder-train.array_record-00001-of-00002"
    (path,) = to_path(in_bucket.root_dir).glob(name)
    content = bytearray(path.read_bytes())
    (first, *_) = index_records(prepared_png / name)
    content[first["start"] + 50] ^= 1
    path.write_bytes(bytes(content))
    read(in_bucket)
    assert "cannot be read: its content is not what was written" in caplog.text
    loader = training_batches(in_bucket, batch_size=4, num_repeats=3, seed=5)
    path.unlink()
    with pytest.raises(BucketError, match=f"{name}: there is no such object"):
        read_batches(loader, 12)
    loader.close()
    with pytest.raises(InputError, match=f"{name}: there is no such object"):
        split_videos(in_bucket)


def test_what_cannot_be_used_is_told(in_bucket, bucket, tmp_path):
    with pytest.raises(InputError, match=r"gs://.*/empty is no prepared dataset; expected"):
        split_videos(dataclasses.replace(in_bucket, root_dir=f"{bucket}/empty"))
    with pytest.raises(InputError, match="mp4 files are read from a disk"):
        prepare_dataset(
            "video_folder", tmp_path, to_path(bucket), Encoding(format="mp4"), num_workers=1
        )
    (to_path(in_bucket.root_dir) / "frames-train.npy").unlink()
    loader = training_batches(in_bucket, batch_size=4, num_repeats=3, seed=5)
    with pytest.raises(BucketError, match=r"frames-train.npy: cannot be read .* prepare"):
        next(loader)
    loader.close()


def test_frames_are_found_across_the_blocks_of_a_file(tmp_path):
    # 200 kB a frame; a block has 64.
    frames = np.random.default_rng(0).integers(0, 256, size=(5, 256, 256, 3), dtype=np.uint8)
    write_stacked_frames(tmp_path / "a.png", frames)
    with record_file(tmp_path / "records", Encoding()) as write_clip:
        write_clip(Clip("a", tmp_path / "a.png"))
    content = (tmp_path / "records").read_bytes()
    index = load_index(tmp_path / "records.npy")
    for row, frame in zip(index, frames, strict=True):
        data = remove_block_headers(content[row["start"] :][: row["size"]], int(row["start"]))
        np.testing.assert_array_equal(iio.imread(data), frame)
