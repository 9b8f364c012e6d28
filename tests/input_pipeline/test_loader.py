"""Batches of training pairs: their content, their order, and their parts for several hosts."""

from collections import Counter

import numpy as np
import pytest
from numbered_videos import (
    NUM_FRAMES,
    SIZE,
    frame_numbers,
    read_batches,
    video_numbers,
    write_stacked,
)

from fomm_jax.config.schema import AugmentationConfig
from fomm_jax.errors import InputError

NUM_VIDEOS = 7
CROP = AugmentationConfig(resize_ratio=(0.8, 1.2), crop_size=(6, 6))


def test_batches_are_pairs_of_one_video_in_the_order_of_time(make_batches):
    batches = read_batches(make_batches(), 5)
    assert batches.shape == (5, 2, 4, SIZE, SIZE, 3)
    assert batches.dtype == np.uint8
    np.testing.assert_array_equal(batches[:, 0, ..., 0], batches[:, 1, ..., 0])
    source, driving = frame_numbers(batches)[:, 0], frame_numbers(batches)[:, 1]
    assert (source <= driving).all()
    assert (source < driving).any()


def test_an_epoch_is_a_new_permutation_without_its_last_incomplete_batch(make_batches):
    # 21 elements in batches of 4: 5 batches, and one element is left out.
    assert make_batches().steps_per_epoch == 5
    epochs = video_numbers(read_batches(make_batches(), 40)).reshape(8, 20)
    for epoch in epochs:
        counts = Counter(epoch.tolist())
        assert sorted(counts.values()) == [2, *[3] * (NUM_VIDEOS - 1)]
    assert len({epoch.tobytes() for epoch in epochs}) == 8


def test_every_pair_of_frames_occurs(make_batches):
    batches = read_batches(make_batches(), 200)
    pairs = Counter(map(tuple, np.moveaxis(frame_numbers(batches), 1, -1).reshape(-1, 2).tolist()))
    # The probability is 1/36 for each pair of equal frames, and 2/36 for each other pair.
    assert len(pairs) == NUM_FRAMES * (NUM_FRAMES + 1) // 2
    assert sum(count for (a, b), count in pairs.items() if a == b) / 800 == pytest.approx(
        1 / 6, abs=0.05
    )


def frames_of_videos(epoch):
    """Return the two frame numbers of each video in a batch that is an epoch."""
    pairs = frame_numbers(epoch[None])[0].T.tolist()
    return dict(zip(video_numbers(epoch[None])[0].tolist(), pairs, strict=True))


def test_the_seed_decides_on_order_and_frames(make_batches):
    def epochs(seed):
        return read_batches(make_batches(seed=seed, num_repeats=1, batch_size=NUM_VIDEOS), 3)

    np.testing.assert_array_equal(epochs(1), epochs(1))
    assert (video_numbers(epochs(1)) != video_numbers(epochs(2))).any()
    # Compare whole epochs: frames that depended on the place in the order alone would be equal.
    for first, second in zip(epochs(1), epochs(2), strict=True):
        in_order = [frame_numbers(epoch[None])[0].T.tolist() for epoch in (first, second)]
        assert in_order[0] != in_order[1]
        assert frames_of_videos(first) != frames_of_videos(second)


def test_the_frames_of_a_video_differ_between_epochs(make_batches):
    first, second = read_batches(make_batches(num_repeats=1, batch_size=NUM_VIDEOS), 2)
    assert frames_of_videos(first) != frames_of_videos(second)


@pytest.mark.parametrize("augmentation", [AugmentationConfig(), CROP])
def test_the_parts_of_two_hosts_form_the_batches_of_one(make_batches, augmentation):
    whole = read_batches(make_batches(augmentation=augmentation), 12)
    parts = [
        read_batches(make_batches(process=(i, 2), augmentation=augmentation), 12) for i in range(2)
    ]
    assert parts[0].shape[2] == 2
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)


def test_augmentation_crops_both_frames_at_the_same_place(make_batches):
    batches = read_batches(make_batches(augmentation=AugmentationConfig(crop_size=(6, 6))), 20)
    assert batches.shape[3:5] == (6, 6)
    np.testing.assert_array_equal(batches[:, 0, ..., 2], batches[:, 1, ..., 2])
    # A frame of 8 by 8 has nine places for the crop; the first pixel of the crop gives the place.
    assert set(batches[..., 0, 0, 2].ravel().tolist()) == {0, 1, 2, 8, 9, 10, 16, 17, 18}


def test_every_video_of_an_id_is_drawn(tmp_path, make_batches):
    for number, name in enumerate(["id1#a", "id1#b", "id10#a", "id2#a", "id2#b", "id2#c"]):
        write_stacked(tmp_path / "ids" / "train" / f"{name}.png", number)
    write_stacked(tmp_path / "ids" / "test" / "id3#a.png", 9)
    iterator = make_batches(
        root_dir=str(tmp_path / "ids"), id_sampling=True, batch_size=3, num_repeats=1
    )
    epochs = video_numbers(read_batches(iterator, 30))
    ids = np.array([1, 1, 10, 2, 2, 2])
    assert (np.sort(ids[epochs], axis=1) == [1, 2, 10]).all()
    assert set(epochs.ravel().tolist()) == set(range(6))


def test_fields_that_do_not_fit_are_refused(make_batches):
    with pytest.raises(InputError, match=r"config\.train\.batch_size is 22; expected 1 to 21"):
        make_batches(batch_size=22)
    with pytest.raises(InputError, match=r"7 training videos .* config\.train\.num_repeats 1"):
        make_batches(batch_size=8, num_repeats=1)
    with pytest.raises(InputError, match="multiple of the 3 processes"):
        make_batches(process=(0, 3))
