"""Training videos that cannot be used: they are named and left out, until they are too many."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from numbered_videos import (
    cut_short,
    frame_numbers,
    read_batches,
    video_numbers,
    write_frames,
    write_stacked,
)

from fomm_jax.config.schema import Config, DatasetConfig
from fomm_jax.config.validation import check_config
from fomm_jax.errors import InputError
from input_pipeline import data_checks
from input_pipeline.sampler import MAX_DRAWS, PairSampler
from input_pipeline.splits import split_videos

NUM_VIDEOS = 7


@pytest.mark.parametrize("num_workers", [0, 2])
def test_strict_stops_with_the_first_video_that_cannot_be_used(tmp_path, make_batches, num_workers):
    write_stacked(tmp_path / "train" / "3.png", 3, num_frames=1)
    with pytest.raises(InputError) as caught:
        read_batches(make_batches(num_workers=num_workers, strict=True), 5)
    path = tmp_path / "train" / "3.png"
    assert str(caught.value) == f"{path}: has one frame; training expects at least 2 in a video"


def test_strict_stops_with_a_file_cut_short(tmp_path, make_batches):
    cut_short(tmp_path / "train" / "5.png")
    with pytest.raises(InputError, match=r"5\.png"):
        read_batches(make_batches(strict=True), 5)


def test_a_damaged_file_is_left_out_and_all_else_stays_the_same(tmp_path, make_batches, capfd):
    whole = read_batches(make_batches(), 60)
    cut_short(tmp_path / "train" / "5.png")
    iterator = make_batches()
    batches = read_batches(iterator, 60)
    assert iterator.num_bad == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"warning: left out: {tmp_path / 'train' / '5.png'}: ")

    pairs, pairs_before = (
        np.moveaxis(frames, 1, 2).reshape(240, -1) for frames in (batches, whole)
    )
    damaged = video_numbers(whole).ravel() == 5
    np.testing.assert_array_equal(pairs[~damaged], pairs_before[~damaged])
    in_place = Counter(video_numbers(batches).ravel()[damaged].tolist())
    assert sorted(in_place) == [0, 1, 2, 3, 4, 6]


def test_damaged_videos_are_left_out_in_the_same_way_with_workers(tmp_path, make_batches, capfd):
    write_stacked(tmp_path / "train" / "3.png", 3, num_frames=1)
    write_frames(tmp_path / "train" / "8", 8)
    cut_short(tmp_path / "train" / "8" / "2.png")
    threads = make_batches(max_bad_share=0.25)
    whole = read_batches(threads, 60)
    assert threads.num_bad == 2
    assert len(capfd.readouterr().err.splitlines()) == 2
    # The other frames of the folder are used.
    numbers = np.moveaxis(frame_numbers(whole), 1, -1)[video_numbers(whole) == 8]
    assert set(numbers.ravel().tolist()) == {0, 1, 3, 4, 5}
    assert 3 not in video_numbers(whole)

    workers = make_batches(max_bad_share=0.25, num_workers=2)
    np.testing.assert_array_equal(read_batches(workers, 30), whole[:30])
    state = workers.get_state()
    workers.close()
    restored = make_batches(max_bad_share=0.25, num_workers=2)
    restored.set_state(state)
    np.testing.assert_array_equal(read_batches(restored, 30), whole[30:])
    assert workers.num_bad == restored.num_bad == 2
    assert len(capfd.readouterr().err.splitlines()) == 4


def test_too_many_damaged_files_stop_the_training(tmp_path, make_batches):
    paths = [tmp_path / "train" / name for name in ("1.png", "4.png", "6.png")]
    for path in paths:
        path.write_bytes(b"no picture")
    iterator = make_batches(max_bad_share=0.4)
    with pytest.raises(InputError) as caught:
        read_batches(iterator, 40)
    message = str(caught.value)
    assert message.startswith(
        "3 of 7 training videos cannot be used, more than config.dataset.max_bad_share=0.4 allows;"
        " the first are: "
    )
    assert all(f"{path}: " in message for path in paths)
    assert "\n" not in message
    assert iterator.num_bad == 3
    read_batches(make_batches(max_bad_share=0.43), 40)


def test_a_video_of_another_size_is_opened_once(tmp_path, numbered_dataset, monkeypatch):
    num_opened = Counter()

    def count_and_open(location, *args, **keywords):
        num_opened[location.name] += 1
        return open_video(location, *args, **keywords)

    open_video = data_checks.open_video
    monkeypatch.setattr(data_checks, "open_video", count_and_open)
    dataset = dataclasses.replace(numbered_dataset, frame_shape=(16, 16, 3))
    draw = PairSampler(dataset, split_videos(dataset).train)
    with pytest.raises(InputError) as caught:
        draw(2, np.random.default_rng(0))
    assert str(caught.value).startswith(
        f"{MAX_DRAWS} training videos drawn in a row cannot be used; the first:"
        f" {tmp_path / 'train' / '2.png'}: is 8 high and 48 wide; expected frames of 16 high"
    )
    assert num_opened == {f"{number}.png": 1 for number in range(NUM_VIDEOS)}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_frames_that_all_have_another_size_stop_with_the_first_batch(make_batches, num_workers):
    message = rf"^{MAX_DRAWS} training videos .* expected frames of 16 hi"
    with pytest.raises(InputError, match=message):
        next(make_batches(frame_shape=(16, 16, 3), num_workers=num_workers))


def test_another_video_of_the_id_or_of_another_id_replaces_a_damaged_one(
    tmp_path, numbered_dataset
):
    for number, name in enumerate(["id1#a", "id1#b", "id2#a"]):
        write_stacked(tmp_path / "ids" / "train" / f"{name}.png", number)
    write_stacked(tmp_path / "ids" / "test" / "id3#a.png", 9)
    cut_short(tmp_path / "ids" / "train" / "id1#a.png")
    cut_short(tmp_path / "ids" / "train" / "id2#a.png")
    dataset = dataclasses.replace(
        numbered_dataset, root_dir=str(tmp_path / "ids"), id_sampling=True
    )
    draw = PairSampler(dataset, split_videos(dataset).train)
    rng = np.random.default_rng(0)
    numbers = [int(draw(element, rng).source[0, 0, 0]) for element in (0, 1) for _ in range(20)]
    assert numbers == [1] * 40


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_shares_that_cannot_work_are_refused(share):
    config = Config(dataset=DatasetConfig(max_bad_share=share))
    with pytest.raises(InputError, match=r"^config\.dataset\.max_bad_share: expected at"):
        check_config(config)
