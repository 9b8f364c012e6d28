"""Batches of training pairs: their order, their parts and their position."""

import dataclasses
from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from orbax.checkpoint import v1 as ocp
from PIL import Image

from fomm_jax.config import AugmentationConfig, DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.loader import training_batches

NUM_VIDEOS, NUM_FRAMES, SIZE = 7, 6, 8


def write_video(path, number, num_frames=NUM_FRAMES):
    """A video whose pixels tell its number, the frame's number, and the place in the frame."""
    frames = np.empty((num_frames, SIZE, SIZE, 3), np.uint8)
    frames[..., 0] = number
    frames[..., 1] = np.arange(num_frames)[:, None, None]
    frames[..., 2] = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


@pytest.fixture
def dataset(tmp_path):
    for number in range(NUM_VIDEOS):
        write_video(tmp_path / "train" / f"{number}.png", number)
    write_video(tmp_path / "test" / "9.png", 9)
    return DatasetConfig(root_dir=str(tmp_path), frame_shape=(SIZE, SIZE, 3))


@pytest.fixture
def batches(dataset):
    """Makes iterators that are closed after the test."""
    opened = []

    def make(seed=0, batch_size=4, num_repeats=3, process=(0, 1), **changes):
        index, count = process
        iterator = training_batches(
            dataclasses.replace(dataset, **changes),
            batch_size=batch_size,
            num_repeats=num_repeats,
            seed=seed,
            process_index=index,
            process_count=count,
        )
        opened.append(iterator)
        return iterator

    flags.FLAGS.mark_as_parsed()
    yield make
    for iterator in opened:
        iterator.close()


def take(iterator, num_batches):
    """Source and driving frames of some batches: (n, 2, b, h, w, 3)."""
    taken = [next(iterator) for _ in range(num_batches)]
    return np.stack([np.stack([batch.source, batch.driving]) for batch in taken])


def video_numbers(taken):
    return taken[:, 0, :, 0, 0, 0]


def frame_numbers(taken):
    return taken[..., 0, 0, 1]


CROP = AugmentationConfig(resize_ratio=(0.8, 1.2), crop_size=(6, 6))


def test_batches_are_pairs_of_one_video_in_the_order_of_time(batches):
    taken = take(batches(), 5)
    assert taken.shape == (5, 2, 4, SIZE, SIZE, 3)
    assert taken.dtype == np.uint8
    np.testing.assert_array_equal(taken[:, 0, ..., 0], taken[:, 1, ..., 0])
    source, driving = frame_numbers(taken)[:, 0], frame_numbers(taken)[:, 1]
    assert (source <= driving).all()
    assert (source < driving).any()


def test_an_epoch_is_a_fresh_permutation_without_its_last_incomplete_batch(dataset, batches):
    # 21 elements in batches of 4: 5 batches, one element left out.
    assert batches().steps_per_epoch == 5
    epochs = video_numbers(take(batches(), 40)).reshape(8, 20)
    for epoch in epochs:
        counts = Counter(epoch.tolist())
        assert sorted(counts.values()) == [2, *[3] * (NUM_VIDEOS - 1)]
    assert len({epoch.tobytes() for epoch in epochs}) == 8


def test_every_pair_of_frames_is_met(batches):
    taken = take(batches(), 200)
    pairs = Counter(map(tuple, np.moveaxis(frame_numbers(taken), 1, -1).reshape(-1, 2).tolist()))
    # 800 draws: 1/36 of them for each pair of equal frames, 2/36 for the others.
    assert len(pairs) == NUM_FRAMES * (NUM_FRAMES + 1) // 2
    assert sum(count for (a, b), count in pairs.items() if a == b) / 800 == pytest.approx(
        1 / 6, abs=0.05
    )


def frames_of_videos(epoch):
    """The two frame numbers of each video in a batch that is an epoch."""
    pairs = frame_numbers(epoch[None])[0].T.tolist()
    return dict(zip(video_numbers(epoch[None])[0].tolist(), pairs, strict=True))


def test_the_seed_decides_on_order_and_frames(batches):
    def epochs(seed):
        return take(batches(seed=seed, num_repeats=1, batch_size=NUM_VIDEOS), 3)

    np.testing.assert_array_equal(epochs(1), epochs(1))
    assert (video_numbers(epochs(1)) != video_numbers(epochs(2))).any()
    # Whole epochs, so that draws that follow the place in the order alone would show.
    for first, second in zip(epochs(1), epochs(2), strict=True):
        in_order = [frame_numbers(epoch[None])[0].T.tolist() for epoch in (first, second)]
        assert in_order[0] != in_order[1]
        assert frames_of_videos(first) != frames_of_videos(second)


def test_draws_of_the_same_video_differ_between_epochs(batches):
    first, second = take(batches(num_repeats=1, batch_size=NUM_VIDEOS), 2)
    assert frames_of_videos(first) != frames_of_videos(second)


@pytest.mark.parametrize("augmentation", [AugmentationConfig(), CROP])
def test_the_parts_of_two_processes_are_the_batches_of_one(batches, augmentation):
    whole = take(batches(augmentation=augmentation), 12)
    parts = [take(batches(process=(i, 2), augmentation=augmentation), 12) for i in range(2)]
    assert parts[0].shape[2] == 2
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)


def test_augmentation_gives_crops_and_treats_both_frames_alike(batches):
    taken = take(batches(augmentation=AugmentationConfig(crop_size=(6, 6))), 20)
    assert taken.shape[3:5] == (6, 6)
    np.testing.assert_array_equal(taken[:, 0, ..., 2], taken[:, 1, ..., 2])
    # Nine places in the frame of 8 by 8, told by the first pixel.
    assert set(taken[..., 0, 0, 2].ravel().tolist()) == {0, 1, 2, 8, 9, 10, 16, 17, 18}


def test_videos_of_an_id_take_turns(tmp_path, dataset, batches):
    for number, name in enumerate(["id1#a", "id1#b", "id10#a", "id2#a", "id2#b", "id2#c"]):
        write_video(tmp_path / "ids" / "train" / f"{name}.png", number)
    write_video(tmp_path / "ids" / "test" / "id3#a.png", 9)
    iterator = batches(
        root_dir=str(tmp_path / "ids"), id_sampling=True, batch_size=3, num_repeats=1
    )
    epochs = video_numbers(take(iterator, 30))
    ids = np.array([1, 1, 10, 2, 2, 2])
    assert (np.sort(ids[epochs], axis=1) == [1, 2, 10]).all()
    assert set(epochs.ravel().tolist()) == set(range(6))


@pytest.mark.parametrize("position", [0, 3, 5, 7])
def test_a_restored_position_continues_bit_for_bit(batches, position):
    whole = take(batches(augmentation=CROP), 12)
    first = batches(augmentation=CROP)
    for _ in range(position):
        next(first)
    state = first.get_state()
    restored = batches(augmentation=CROP)
    next(restored)  # where it was before does not matter
    restored.set_state(state)
    np.testing.assert_array_equal(take(restored, 12 - position), whole[position:])


def test_worker_processes_give_the_batches_of_threads_and_share_their_positions(batches):
    whole = take(batches(augmentation=CROP), 12)
    threads = batches(augmentation=CROP)
    take(threads, 3)
    workers = batches(augmentation=CROP, num_workers=2)
    workers.set_state(threads.get_state())
    np.testing.assert_array_equal(take(workers, 4), whole[3:7])
    threads.set_state(workers.get_state())
    np.testing.assert_array_equal(take(threads, 5), whole[7:])
    workers.set_state({"next_batch": 1})
    np.testing.assert_array_equal(take(workers, 2), whole[1:3])


def test_orbax_saves_the_position_beside_the_state(tmp_path, batches):
    iterator = batches()
    whole = take(batches(), 8)
    take(iterator, 3)
    with ocp.training.Checkpointer(tmp_path / "checkpoints") as checkpointer:
        state = {"weight": jnp.ones(2)}
        checkpointer.save_checkpointables(3, {"state": state, "data": iterator})
        take(iterator, 2)
        other = batches()
        checkpointer.load_checkpointables(3, {"state": state, "data": other})
    np.testing.assert_array_equal(take(other, 5), whole[3:])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_video_that_cannot_be_used_is_told_in_one_line(tmp_path, batches, num_workers):
    write_video(tmp_path / "train" / "3.png", 3, num_frames=1)
    with pytest.raises(InputError) as caught:
        take(batches(num_workers=num_workers), 5)
    path = tmp_path / "train" / "3.png"
    assert str(caught.value) == f"{path}: has one frame; training expects at least 2 in a video"


def test_a_file_cut_short_is_told(tmp_path, batches):
    path = tmp_path / "train" / "5.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"5\.png"):
        take(batches(), 5)


def test_fields_that_do_not_fit_are_refused(dataset, batches):
    with pytest.raises(InputError, match=r"config\.train\.batch_size is 22; expected 1 to 21"):
        batches(batch_size=22)
    with pytest.raises(InputError, match=r"7 training videos .* config\.train\.num_repeats 1"):
        batches(batch_size=8, num_repeats=1)
    with pytest.raises(InputError, match="multiple of the 3 processes"):
        batches(process=(0, 3))
