"""Pairs of test videos for animation, listed or random."""

import dataclasses

import numpy as np
import pytest

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.animation_pairs import choose_animation_pairs


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return DatasetConfig(root_dir=str(folder))


def test_random_pairs_are_those_of_the_original(tmp_path):
    touch(tmp_path / "train", "x.png")
    touch(tmp_path / "test", "a.png", "b.png", "c.png", "d.png")
    dataset = DatasetConfig(root_dir=str(tmp_path))
    pairs = choose_animation_pairs(dataset, num_pairs=3)
    # RandomState(0).permutation(9) begins with 7, 2, 1. These are cells of a 3 by 3 grid, numbered
    # row by row; the row is the driving video and the column the source.
    assert [(pair.driving.name, pair.source.name) for pair in pairs] == [
        ("c.png", "b.png"),
        ("a.png", "c.png"),
        ("a.png", "b.png"),
    ]
    everything = choose_animation_pairs(dataset, num_pairs=50, seed=3)
    assert len(set(everything)) == len(everything) == 16
    assert everything != choose_animation_pairs(dataset, num_pairs=50, seed=4)


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
    pairs = choose_animation_pairs(dataset, num_pairs=2)
    assert [(pair.source.name, pair.driving.name) for pair in pairs] == [
        ("c.png", "a.png"),
        ("b#1.mp4", "c.png"),
    ]


def test_the_byte_order_mark_of_spreadsheets_does_not_matter(listed):
    dataset = listed("\ufeffsource,driving\na.png,c.png\n".encode())
    assert len(choose_animation_pairs(dataset, num_pairs=9)) == 1


def test_spaces_and_capitals_do_not_matter(listed):
    dataset = listed(b"Source, Driving\na.png, c.png \n")
    ((source, driving),) = choose_animation_pairs(dataset, num_pairs=9)
    assert (source.name, driving.name) == ("a.png", "c.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"source;driving\na.png;c.png\n",
            "pairs.csv, line 1: has semicolons between its columns; expected a CSV file with",
        ),
        (
            b"source,driving\na.png,c.png\na.png,x.png\n",
            "pairs.csv, line 3, column driving: is 'x.png'; expected the name of one of the 3 test",
        ),
        (b"source,driving\na.png\n", "pairs.csv, line 2, column driving: is ''"),
        (b"from,to\na.png,c.png\n", "has no column source; expected a CSV file with the columns"),
        (b"", "has no column source; expected a CSV file with the columns source,driving"),
        (b"source,driving\n", "lists no pair"),
        (b"source,driving\n\xff\xfe\x00,a\n", "expected a CSV file"),
    ],
)
def test_unusable_pairs_lists_are_refused_in_one_line(listed, text, message):
    with pytest.raises(InputError) as caught:
        choose_animation_pairs(listed(text), num_pairs=9)
    assert str(caught.value).startswith("config.dataset.pairs_list: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_pairs_list_is_refused(listed, tmp_path):
    dataset = dataclasses.replace(listed(b""), pairs_list=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match=r"pairs_list: .*none\.csv: there is no such file"):
        choose_animation_pairs(dataset, num_pairs=1)


def test_random_pairs_equal_the_formula_of_the_original(tmp_path):
    touch(tmp_path / "train", "x.png")
    test = touch(tmp_path / "test", *(f"{number}.png" for number in range(7))).root_dir
    np.random.seed(5)  # noqa: NPY002
    cells = np.random.choice(36, 6, replace=False)  # noqa: NPY002
    pairs = choose_animation_pairs(DatasetConfig(root_dir=str(tmp_path)), num_pairs=6, seed=5)
    for cell, pair in zip(cells, pairs, strict=True):
        assert str(pair.driving) == f"{test}/{cell // 6}.png"
        assert str(pair.source) == f"{test}/{cell % 6}.png"
