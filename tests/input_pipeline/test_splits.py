"""Splits of a dataset and pairs of its test videos."""

import dataclasses

import numpy as np
import pytest

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.splits import group_by_id, split_videos
from input_pipeline.test_videos import animation_pairs


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
    # sklearn.model_selection.train_test_split(sorted names, test_size=0.2, random_state=0),
    # whose permutation of 10 is the well-known 2 8 4 9 1 6 7 3 0 5.
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


def test_unusable_folders_are_refused_in_one_line(tmp_path):
    def refused(dataset):
        with pytest.raises(InputError) as caught:
            split_videos(dataset)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "config.dataset.root_dir is not set" in refused(DatasetConfig())
    nowhere = tmp_path / "nowhere"
    assert f"no folder {nowhere}" in refused(DatasetConfig(root_dir=str(nowhere)))
    assert "empty: is empty" in refused(touch(tmp_path / "empty"))
    assert "has one video only" in refused(touch(tmp_path / "one", "a.png"))
    by_id = dataclasses.replace(touch(tmp_path / "id", "a#1.png", "a#2.png"), id_sampling=True)
    assert "has one id only" in refused(by_id)
    assert "list.csv: expected a folder of frames" in refused(
        touch(tmp_path / "stray", "a.png", "list.csv")
    )
    touch(tmp_path / "half" / "train", "a.png")
    half = DatasetConfig(root_dir=str(tmp_path / "half"))
    assert "has train/ but no test/" in refused(half)
    touch(tmp_path / "half" / "test")
    assert "test: is empty" in refused(half)


def test_random_pairs_are_those_of_the_original(tmp_path):
    touch(tmp_path / "train", "x.png")
    touch(tmp_path / "test", "a.png", "b.png", "c.png", "d.png")
    dataset = DatasetConfig(root_dir=str(tmp_path))
    pairs = animation_pairs(dataset, num_pairs=3)
    # The first 3 of RandomState(0).permutation(9), cells of a 3 by 3 grid: 7, 2, 1. A cell is
    # (driving, source), row by row.
    assert [(pair.driving.name, pair.source.name) for pair in pairs] == [
        ("c.png", "b.png"),
        ("a.png", "c.png"),
        ("a.png", "b.png"),
    ]
    everything = animation_pairs(dataset, num_pairs=50, seed=3)
    assert len(set(everything)) == len(everything) == 16
    assert everything != animation_pairs(dataset, num_pairs=50, seed=4)


@pytest.fixture
def listed(tmp_path):
    touch(tmp_path / "train", "x.png")
    touch(tmp_path / "test", "a.png", "b#1.mp4", "c.png")

    def with_list(text):
        (tmp_path / "pairs.csv").write_bytes(text)
        return DatasetConfig(root_dir=str(tmp_path), pairs_list=str(tmp_path / "pairs.csv"))

    return with_list


def test_listed_pairs_are_taken_in_order(listed):
    dataset = listed(
        b"distance,source,driving\r\n1,c.png,a.png\r\n2,b#1.mp4,c.png\r\n0,a.png,a.png\r\n"
    )
    pairs = animation_pairs(dataset, num_pairs=2)
    assert [(pair.source.name, pair.driving.name) for pair in pairs] == [
        ("c.png", "a.png"),
        ("b#1.mp4", "c.png"),
    ]


def test_the_byte_order_mark_of_spreadsheets_is_no_matter(listed):
    dataset = listed("\ufeffsource,driving\na.png,c.png\n".encode())
    assert len(animation_pairs(dataset, num_pairs=9)) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"source,driving\na.png,c.png\na.png,x.png\n", "pairs.csv, line 3: the driving 'x.png'"),
        (b"source,driving\na.png\n", "pairs.csv, line 2: the driving None"),
        (b"from,to\na.png,c.png\n", "columns source and driving"),
        (b"", "columns source and driving"),
        (b"source,driving\n", "lists no pair"),
        (b"source,driving\n\xff\xfe\x00,a\n", "expected a CSV file"),
    ],
)
def test_unusable_pairs_lists_are_refused_in_one_line(listed, text, told):
    with pytest.raises(InputError) as caught:
        animation_pairs(listed(text), num_pairs=9)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_pairs_list_is_refused(listed, tmp_path):
    dataset = dataclasses.replace(listed(b""), pairs_list=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match=r"pairs_list: cannot read .*none\.csv"):
        animation_pairs(dataset, num_pairs=1)


def test_random_pairs_equal_the_formula_of_the_original(tmp_path):
    touch(tmp_path / "train", "x.png")
    test = touch(tmp_path / "test", *(f"{number}.png" for number in range(7))).root_dir
    np.random.seed(5)  # noqa: NPY002
    cells = np.random.choice(36, 6, replace=False)  # noqa: NPY002
    pairs = animation_pairs(DatasetConfig(root_dir=str(tmp_path)), num_pairs=6, seed=5)
    for cell, pair in zip(cells, pairs, strict=True):
        assert str(pair.driving) == f"{test}/{cell // 6}.png"
        assert str(pair.source) == f"{test}/{cell % 6}.png"
