"""Prepared datasets are read: the frames, the batches, and damaged files."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from numbered_videos import read_batches
from raw_videos import SIDE, read_all

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline import prepared
from input_pipeline.evaluation_videos import open_test_videos
from input_pipeline.loader import training_batches
from input_pipeline.prepared import list_prepared_videos
from input_pipeline.splits import split_videos
from input_pipeline.videos import open_video

# Written by commit 8e01a1b, before the modules moved into folders: `--dataset=voxceleb --size=16
# --fit=stretch`, from videos of noise.
EARLIER = Path(__file__).parents[1] / "data" / "prepared"


def read_frames(location):
    return read_all(location, (SIDE, SIDE, 3))


def test_every_frame_comes_back_as_it_was(raw, prepared_png):
    for split, videos in zip(
        ("train", "test"), list_prepared_videos(str(prepared_png)), strict=True
    ):
        usable = sorted(path for path in (raw / split).iterdir() if "#" in path.name)
        assert [video.name for video in videos] == [path.name for path in usable]
        for path, video in zip(usable, videos, strict=True):
            np.testing.assert_array_equal(read_frames(video), read_frames(path))
            again = open_video(video, (SIDE, SIDE, 3)).frames([2, 0, 2])
            np.testing.assert_array_equal(again, read_frames(path)[[2, 0, 2]])


def test_a_dataset_of_an_earlier_version_is_read():
    digests = {
        video.name: hashlib.sha256(read_frames(video).tobytes()).hexdigest()[:16]
        for videos in list_prepared_videos(str(EARLIER))
        for video in videos
    }
    assert digests == {  # from commit 8e01a1b
        "id2#long#000020#000030.mp4": "1a1f7c4d7e6fc1bc",
        "id2#long#000040#000052.mp4": "ce5b201f38062d29",
        "id1#other#000005#000020.mp4": "cbf6e1854da79eed",
        "id1#other#000020#000030.mp4": "6fe60a05bb0e0e45",
    }


@pytest.mark.parametrize("id_sampling", [False, True])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_of_raw_and_of_prepared_files_are_equal(
    raw, prepared_png, id_sampling, num_workers
):
    usable = raw.parent / "usable"  # the same files without those that are refused
    for path in raw.rglob("*#*.png"):
        link = usable / path.relative_to(raw)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.link(path, link)

    def first_batches(root, num_workers):
        dataset = DatasetConfig(
            root_dir=str(root),
            frame_shape=(SIDE, SIDE, 3),
            id_sampling=id_sampling,
            num_workers=num_workers,
        )
        loader = training_batches(dataset, batch_size=4, num_repeats=3, seed=5)
        batches = read_batches(loader, 12)
        loader.close()
        return batches

    np.testing.assert_array_equal(
        first_batches(prepared_png, num_workers), first_batches(usable, 0)
    )


def test_evaluation_reads_prepared_videos(raw, prepared_png):
    dataset = DatasetConfig(root_dir=str(prepared_png), frame_shape=(SIDE, SIDE, 3))
    videos = open_test_videos(dataset, limit=1)
    assert [video.name for video in videos] == ["id0#00.png"]
    np.testing.assert_array_equal(np.stack(list(videos[0])), read_frames(raw / "test/id0#00.png"))


def test_frames_of_another_size_than_the_config_are_refused(prepared_png):
    with pytest.raises(InputError, match=r"16 high and 16 wide.*frame_shape expects 32 high"):
        open_video(list_prepared_videos(str(prepared_png))[0][0], (32, 32, 3))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("{"), "is damaged"),
        (lambda path: path.write_text('{"layout": 99}'), "has layout 99; expected 1"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_damaged_manifest_is_refused(prepared_png, tmp_path, damage, message):
    for path in prepared_png.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path / "manifest.json")
    with pytest.raises(InputError, match=message) as caught:
        list_prepared_videos(str(tmp_path))
    assert str(tmp_path / "manifest.json") in str(caught.value)


def copy_without(folder, target, name):
    """Copy a prepared dataset but for one file; return the paths of the file here and there."""
    for path in folder.iterdir():
        if path.name != name:
            (target / path.name).write_bytes(path.read_bytes())
    return folder / name, target / name


@pytest.mark.parametrize("kind", ["array_record", "dataset_info.json", "features.json"])
def test_missing_and_cut_files_are_named_before_anything_is_read(prepared_png, tmp_path, kind):
    names = [path.name for path in prepared_png.iterdir() if kind in path.name]
    whole, file = copy_without(prepared_png, tmp_path, names[0])
    for content in (None, b"", whole.read_bytes()[: whole.stat().st_size // 2]):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(InputError) as caught:
            split_videos(DatasetConfig(root_dir=str(tmp_path)))
        message = str(caught.value)
        assert message.startswith(f"{file}: {'cannot be read' if content is None else 'is '}")
        assert message.endswith("copy the prepared dataset again, all of it, or prepare it again")
        assert "\n" not in message
    file.write_bytes(whole.read_bytes())
    assert len(split_videos(DatasetConfig(root_dir=str(tmp_path))).train) == 19


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"name": "other", "splits": 3}'])
def test_json_of_other_content_is_refused(prepared_png, tmp_path, name, content):
    _, file = copy_without(prepared_png, tmp_path, name)
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        list_prepared_videos(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(str(tmp_path))
    assert name in message
    assert message.endswith("copy the prepared dataset again, all of it, or prepare it again")
    assert "\n" not in message


def test_a_folder_whose_name_is_not_utf_8_is_refused(prepared_png, tmp_path):
    folder = tmp_path / os.fsdecode(b"\xfc")
    folder.symlink_to(prepared_png)
    with pytest.raises(InputError, match="the name is not text in utf-8"):
        split_videos(DatasetConfig(root_dir=str(folder)))


def test_records_of_another_preparation_are_refused(prepared_png, tmp_path):
    """Files of records that are whole, with another number of frames."""
    train, test = sorted(path for path in prepared_png.iterdir() if "-of-" in path.name)[-2:][::-1]
    _, file = copy_without(prepared_png, tmp_path, train.name)
    file.write_bytes(test.read_bytes())
    with pytest.raises(InputError, match=r"array_record.*: has \d+ records of \d+"):
        list_prepared_videos(str(tmp_path))


def test_damage_within_the_records_is_named_by_frame_or_before(prepared_png, tmp_path):
    """A bit is turned over: each video reads correctly, or a message names file or frame."""
    (name,) = (path.name for path in prepared_png.glob("*-test.array_record*"))
    whole, file = copy_without(prepared_png, tmp_path, name)
    expected = [read_frames(video) for video in list_prepared_videos(str(prepared_png))[1]]
    messages = []
    for place in np.random.default_rng(0).integers(0, whole.stat().st_size, size=20):
        content = bytearray(whole.read_bytes())
        content[place] ^= 16
        file.write_bytes(content)
        prepared._open_records.cache_clear()
        try:
            videos = [read_frames(video) for video in list_prepared_videos(str(tmp_path))[1]]
        except InputError as error:
            messages.append(str(error))
        else:
            for actual, intact in zip(videos, expected, strict=True):
                np.testing.assert_array_equal(actual, intact)
    assert messages
    for message in messages:
        assert message.startswith((f"{file}: ", f"{tmp_path}, test, "))
        assert "\n" not in message
