"""Splits of a dataset into training and test videos."""

import dataclasses
import errno
from pathlib import Path

import pytest

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.splits import group_by_id, split_videos
from input_pipeline.videos import open_video


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return DatasetConfig(root_dir=str(folder))


def names(videos):
    return [video.name for video in videos]


@pytest.fixture
def ten_videos(tmp_path):
    return touch(tmp_path / "ten", *(f"{letter}.png" for letter in "jihgfedcba"))


def test_folders_decide_and_are_sorted(tmp_path):
    touch(tmp_path / "train", "b.mp4", "a.png", ".DS_Store")
    touch(tmp_path / "test", "d.gif", "c.JPG")
    (tmp_path / "train" / "c").mkdir()
    train, test = split_videos(DatasetConfig(root_dir=str(tmp_path)))
    assert train == [tmp_path / "train" / name for name in ("a.png", "b.mp4", "c")]
    assert test == [tmp_path / "test" / name for name in ("c.JPG", "d.gif")]


def test_random_split_is_that_of_scikit_learn(ten_videos):
    # sklearn.model_selection.train_test_split(sorted names, test_size=0.2, random_state=0) permutes
    # ten names to 2 8 4 9 1 6 7 3 0 5.
    train, test = split_videos(ten_videos)
    assert names(test) == ["c.png", "i.png"]
    assert names(train) == [f"{letter}.png" for letter in "ejbghdaf"]


def test_random_split_rounds_the_test_share_up_and_follows_the_seed(ten_videos, tmp_path):
    eleven = touch(tmp_path / "eleven", *(f"{number:02}.png" for number in range(11)))
    assert len(split_videos(eleven).test) == 3
    other = split_videos(dataclasses.replace(ten_videos, random_seed=1))
    assert set(other.test) != set(split_videos(ten_videos).test)
    assert len({*other.train, *other.test}) == 10


def test_random_split_by_id_keeps_a_person_in_one_part(tmp_path):
    videos = [f"id{person}#{clip}.mp4" for person in range(8) for clip in range(person + 1)]
    dataset = dataclasses.replace(touch(tmp_path, *videos), id_sampling=True)
    train, test = split_videos(dataset)
    train_ids, test_ids = ({name.split("#")[0] for name in names(part)} for part in (train, test))
    assert len(test_ids) == 2
    assert not train_ids & test_ids
    assert sorted(names(train + test)) == sorted(videos)


def test_an_id_that_begins_another_is_another(tmp_path):
    touch(tmp_path, "id1#a.mp4", "id10#a.mp4", "id1#b.gif", "id2.png")
    (tmp_path / "id10#z").mkdir()
    groups = group_by_id(list(tmp_path.iterdir()))
    assert [names(group) for group in groups] == [
        ["id1#a.mp4", "id1#b.gif"],
        ["id10#a.mp4", "id10#z"],
        ["id2.png"],
    ]


@pytest.mark.parametrize("name", ["", "train", "train/b"])
def test_a_folder_without_permission_is_refused_in_one_line(tmp_path, monkeypatch, name):
    """Root may read everything, so the system's answer is made here."""
    touch(tmp_path / "train", "a.png")
    touch(tmp_path / "train" / "b", "0.png")
    touch(tmp_path / "test", "a.png")
    forbidden = tmp_path / name
    list_folder, is_folder = Path.iterdir, Path.is_dir

    def iterdir(path):
        if path == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return list_folder(path)

    def is_dir(path):
        if path.parent == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_folder(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(Path, "is_dir", is_dir)

    def open_folder():
        videos = split_videos(DatasetConfig(root_dir=str(tmp_path))).train
        open_video(videos[1], None)

    with pytest.raises(InputError) as caught:
        open_folder()
    assert str(caught.value) == f"{forbidden}: cannot be read (Permission denied)"


def test_unusable_folders_are_refused_in_one_line(tmp_path):
    def refused(dataset):
        with pytest.raises(InputError) as caught:
            split_videos(dataset)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "config.dataset.root_dir is not set" in refused(DatasetConfig())
    nowhere = tmp_path / "nowhere"
    assert f"no folder {nowhere}" in refused(DatasetConfig(root_dir=str(nowhere)))
    (tmp_path / "file.mp4").touch()
    message = f"{tmp_path / 'file.mp4'} is a file; expected a folder of videos"
    assert message in refused(DatasetConfig(root_dir=str(tmp_path / "file.mp4")))
    assert "empty: is empty" in refused(touch(tmp_path / "empty"))
    assert "has one video only" in refused(touch(tmp_path / "one", "a.png"))
    by_id = dataclasses.replace(touch(tmp_path / "id", "a#1.png", "a#2.png"), id_sampling=True)
    assert "has one id only" in refused(by_id)
    assert "list.csv: expected a folder of frames" in refused(touch(tmp_path / "no", "list.csv"))
    touch(tmp_path / "half" / "train", "a.png")
    half = DatasetConfig(root_dir=str(tmp_path / "half"))
    assert "has train/ but no test/" in refused(half)
    touch(tmp_path / "half" / "test")
    assert "test: is empty" in refused(half)
