"""Datasets are prepared from raw videos: their files, their manifests, and raw files to refuse."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from raw_videos import SIDE, read_all, smooth_frames, write_stacked_frames

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.reading.video_reader import count_frames
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.loader import training_batches
from input_pipeline.manifest import Encoding, read_dataset_manifest
from input_pipeline.prepare import describe
from input_pipeline.prepared import list_prepared_videos
from input_pipeline.videos import open_video


def read_frames(location):
    return read_all(location, (SIDE, SIDE, 3))


def test_the_manifest_lists_the_clips_and_those_that_were_refused(raw, prepared_png):
    manifest = read_dataset_manifest(prepared_png)
    assert [clip.name for clip in manifest.refused] == ["broken.png", "short.png"]
    broken, short = (clip.reason for clip in manifest.refused)
    assert str(raw / "train" / "broken.png") in broken
    assert "cannot be read as a picture" in broken
    assert "1 frame; expected at least 2" in short
    digest, num_bytes = hashlib.sha256(), 0
    first = manifest.test[0]
    for frame in read_frames(raw / "test" / first.name):
        data = io.BytesIO()
        Image.fromarray(frame).save(data, "png")
        digest.update(data.getvalue())
        num_bytes += len(data.getvalue())
    assert (first.sha256, first.bytes) == (digest.hexdigest(), num_bytes)
    lengths = [3 + number % 4 for number in range(21)]
    totals = json.loads((prepared_png / "manifest.json").read_text())["totals"]
    assert {name: totals[name] for name in ("kept", "refused", "missing", "frames")} == {
        "kept": 21,
        "refused": 2,
        "missing": 0,
        "frames": sum(lengths),
    }
    assert f"19 clips for training and 2 for testing, {sum(lengths)} frames" in describe(
        prepared_png, manifest
    )


def test_number_of_workers_does_not_change_the_files(raw, prepared_png, tmp_path):
    alone = prepare_dataset("video_folder", raw, tmp_path, Encoding(SIDE, SIDE), num_workers=1)
    names = {path.name for path in prepared_png.iterdir()}
    assert names == {path.name for path in alone.iterdir()}
    for name in names:
        assert (alone / name).read_bytes() == (prepared_png / name).read_bytes(), name


def test_jpeg_and_mp4_hardly_change_the_frames(tmp_path):
    raw = tmp_path / "raw"
    frames = smooth_frames(25, 48)
    for split in ("train", "test"):
        write_stacked_frames(raw / split / "a.png", frames)
    jpeg = prepare_dataset(
        "video_folder", raw, tmp_path, Encoding(48, 48, format="jpeg"), num_workers=1
    )
    data = io.BytesIO()
    Image.fromarray(frames[7]).save(data, "jpeg", quality=95)
    (video,), _ = list_prepared_videos(str(jpeg))
    frame = open_video(video, (48, 48, 3)).frames([7])[0]
    np.testing.assert_array_equal(frame, np.asarray(Image.open(data)))
    assert np.abs(frame.astype(int) - frames[7]).mean() < 3

    encoding = Encoding(48, 48, format="mp4", keyframe_every=4)
    folder = prepare_dataset("video_folder", raw, tmp_path, encoding, num_workers=1)
    path = folder / "train" / "a.mp4"
    assert count_frames(path) == 25
    decoded = np.stack(list(open_video(path, (48, 48, 3))))
    assert np.abs(decoded.astype(int) - frames).mean() < 4
    manifest = read_dataset_manifest(folder)
    assert manifest.train[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    dataset = DatasetConfig(root_dir=str(folder), frame_shape=(48, 48, 3))
    loader = training_batches(dataset, batch_size=1, num_repeats=1, seed=0)
    assert next(loader).source.shape == (1, 48, 48, 3)
    loader.close()


def test_dataset_without_a_usable_clip_is_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "raw" / split).mkdir(parents=True)
        (tmp_path / "raw" / split / "a.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"train: none of 1 clips can be used; the first: .*a.png"):
        prepare_dataset(
            "video_folder", tmp_path / "raw", tmp_path / "out", Encoding(SIDE, SIDE), num_workers=1
        )
    assert not [*(tmp_path / "out").rglob("manifest.json")]


def test_two_clips_of_one_name_are_refused(tmp_path):
    for name in ("a.png", "a.bmp"):
        write_stacked_frames(tmp_path / "raw" / "train" / name, smooth_frames(3))
    write_stacked_frames(tmp_path / "raw" / "test" / "b.png", smooth_frames(3))
    with pytest.raises(InputError, match=r"a.png: would be called a, like .*a.bmp"):
        prepare_dataset(
            "video_folder", tmp_path / "raw", tmp_path / "out", Encoding(SIDE, SIDE), num_workers=1
        )
