"""What is known of the data before training begins."""

import contextlib
import dataclasses

import numpy as np
import pytest
from numbered_videos import SIZE, write_stacked

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline import data_checks
from input_pipeline.data_checks import NUM_OPENED, check_training_data
from input_pipeline.loader import training_batches
from input_pipeline.splits import Split


def refusal(dataset, batch_size=2, num_repeats=1):
    with pytest.raises(InputError) as caught:
        check_training_data(dataset, batch_size, num_repeats)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_videos_that_can_be_used_are_returned(numbered_dataset):
    videos = check_training_data(numbered_dataset, batch_size=7, num_repeats=1)
    assert [path.name for path in videos.train] == [f"{number}.png" for number in range(7)]
    assert [path.name for path in videos.test] == ["9.png"]


def test_too_few_videos_for_a_batch(numbered_dataset):
    assert "config.train.batch_size is 8; expected 1 to 7, the 7 training videos in" in refusal(
        numbered_dataset, batch_size=8
    )
    check_training_data(numbered_dataset, batch_size=14, num_repeats=2)
    by_id = dataclasses.replace(numbered_dataset, id_sampling=True)
    assert "expected 1 to 7, the 7 ids in" in refusal(by_id, batch_size=8)


def test_another_frame_size(numbered_dataset):
    dataset = dataclasses.replace(numbered_dataset, frame_shape=(SIZE + 1, SIZE, 3))
    assert "/0.png: is " in refusal(dataset)


def test_single_damaged_videos_are_left_to_the_loader(numbered_dataset, tmp_path):
    for number in range(NUM_OPENED):
        assert len(check_training_data(numbered_dataset, 2, 1).train) == 7
        (tmp_path / "train" / f"{number}.png").write_bytes(b"no picture")
    assert "/0.png: " in refusal(numbered_dataset)


def test_videos_of_one_frame(numbered_dataset, tmp_path):
    for number in range(NUM_OPENED):
        write_picture(tmp_path / "train" / f"{number}.png", np.zeros((SIZE, SIZE, 3), np.uint8))
    assert "has one frame; training expects at least 2" in refusal(numbered_dataset)
    write_stacked(tmp_path / "train" / "1.png", 1)
    check_training_data(numbered_dataset, 2, 1)


def test_no_training_videos(numbered_dataset, monkeypatch):
    monkeypatch.setattr(data_checks, "split_videos", lambda _: Split([], ["a"]))
    assert refusal(numbered_dataset) == (
        f"{numbered_dataset.root_dir}: has no training videos; expected at least one"
    )


def test_videos_that_were_listed_are_not_listed_again(numbered_dataset, tmp_path, capsys):
    (tmp_path / "train" / "notes.txt").touch()
    videos = check_training_data(numbered_dataset, batch_size=2, num_repeats=1).train
    arguments = {"batch_size": 2, "num_repeats": 1, "seed": 0}
    with contextlib.closing(training_batches(numbered_dataset, **arguments, videos=videos)) as one:
        assert one.steps_per_epoch == 3
    assert capsys.readouterr().err.count("left out notes.txt") == 1
    with contextlib.closing(
        training_batches(numbered_dataset, **arguments, videos=videos[:4])
    ) as few:
        assert few.steps_per_epoch == 2
