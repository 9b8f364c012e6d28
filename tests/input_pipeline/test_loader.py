"""Batches of training pairs: their order, their parts and their position."""

import dataclasses
import mmap
import multiprocessing
import os
import pathlib
import shutil
import signal
from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from orbax.checkpoint import v1 as ocp
from PIL import Image

from fomm_jax.config.schema import AugmentationConfig, Config, DatasetConfig
from fomm_jax.config.validation import check_config
from fomm_jax.errors import InputError
from input_pipeline import sampler
from input_pipeline.loader import training_batches
from input_pipeline.sampler import TRIES, PairSampler

NUM_VIDEOS, NUM_FRAMES, SIZE = 7, 6, 8


def draw_video(number, num_frames=NUM_FRAMES):
    """A video whose pixels tell its number, the frame's number, and the place in the frame."""
    frames = np.empty((num_frames, SIZE, SIZE, 3), np.uint8)
    frames[..., 0] = number
    frames[..., 1] = np.arange(num_frames)[:, None, None]
    frames[..., 2] = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    return frames


def write_video(path, number, num_frames=NUM_FRAMES):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(draw_video(number, num_frames)), axis=1)).save(path)


def write_frames(folder, number):
    folder.mkdir(parents=True)
    for i, frame in enumerate(draw_video(number)):
        Image.fromarray(frame).save(folder / f"{i}.png")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-40])


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


@pytest.mark.parametrize(("before", "after"), [(2, 2), (0, 1)])
def test_a_run_that_was_stopped_continues_bit_for_bit_with_workers(batches, before, after):
    whole = take(batches(augmentation=CROP), 12)
    first = batches(augmentation=CROP, num_workers=before)
    np.testing.assert_array_equal(take(first, 5), whole[:5])
    state = first.get_state()
    first.close()
    restored = batches(augmentation=CROP, num_workers=after)
    restored.set_state(state)
    np.testing.assert_array_equal(take(restored, 7), whole[5:])


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 4), (4, 2)])
def test_another_number_of_hosts_continues_bit_for_bit(batches, before, after):
    whole = take(batches(augmentation=CROP), 12)
    hosts = [batches(augmentation=CROP, process=(i, before)) for i in range(before)]
    for host in hosts:
        take(host, 5)
    (state,) = {str(host.get_state()): host.get_state() for host in hosts}.values()
    parts = []
    for i in range(after):
        restored = batches(augmentation=CROP, process=(i, after))
        restored.set_state(state)
        parts.append(take(restored, 7))
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole[5:])


def test_batches_of_workers_lie_in_shared_memory(batches):
    batch = next(batches(num_workers=1))
    for frames in (batch.source, batch.driving):
        assert isinstance(frames.base, mmap.mmap)
        assert frames.dtype == np.uint8


def test_too_little_shared_memory_is_refused(batches, monkeypatch):
    # A batch is 4 pairs of 2 frames, and 6 batches of each worker may be under way.
    needed = 2 * 6 * 4 * 2 * SIZE * SIZE * 3
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed))
    batches(num_workers=2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    batches()
    with pytest.raises(InputError, match=r"config\.dataset\.num_workers is 2: .* shared memory"):
        batches(num_workers=2)


def test_workers_outlive_an_interrupt_from_the_terminal(batches):
    whole = take(batches(), 40)
    iterator = batches(num_workers=1)
    begin = take(iterator, 1)
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGINT)
    np.testing.assert_array_equal(np.concatenate([begin, take(iterator, 39)]), whole)


def memory_of_all_processes():
    """Bytes of this process and its workers; what they share counts once, and no file's pages."""
    found = 0
    for pid in (os.getpid(), *[worker.pid for worker in multiprocessing.active_children()]):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        values = dict(line.split()[:2] for line in rollup.splitlines()[1:])
        found += 1024 * (int(values["Pss_Anon:"]) + int(values["Pss_Shmem:"]))
    return found


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc"
)
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("num_batches", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(batches, num_batches, num_workers):
    # Batches of 98 kB, of which 600 are 59 MB.
    large = AugmentationConfig(crop_size=(64, 64))
    iterator = batches(augmentation=large, num_workers=num_workers)
    for _ in range(200):
        next(iterator)
    before = memory_of_all_processes()
    for _ in range(num_batches):
        next(iterator)
    assert memory_of_all_processes() - before < 4e6


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
def test_strict_stops_with_the_first_video_that_cannot_be_used(tmp_path, batches, num_workers):
    write_video(tmp_path / "train" / "3.png", 3, num_frames=1)
    with pytest.raises(InputError) as caught:
        take(batches(num_workers=num_workers, strict=True), 5)
    path = tmp_path / "train" / "3.png"
    assert str(caught.value) == f"{path}: has one frame; training expects at least 2 in a video"


def test_strict_stops_with_a_file_cut_short(tmp_path, batches):
    cut_short(tmp_path / "train" / "5.png")
    with pytest.raises(InputError, match=r"5\.png"):
        take(batches(strict=True), 5)


def test_a_damaged_file_is_left_out_and_all_else_stays_the_same(tmp_path, batches, capfd):
    whole = take(batches(), 60)
    cut_short(tmp_path / "train" / "5.png")
    iterator = batches()
    taken = take(iterator, 60)
    assert iterator.num_bad == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"left out: {tmp_path / 'train' / '5.png'}: ")

    pairs, pairs_before = (np.moveaxis(frames, 1, 2).reshape(240, -1) for frames in (taken, whole))
    damaged = video_numbers(whole).ravel() == 5
    np.testing.assert_array_equal(pairs[~damaged], pairs_before[~damaged])
    in_place = Counter(video_numbers(taken).ravel()[damaged].tolist())
    assert sorted(in_place) == [0, 1, 2, 3, 4, 6]


def test_damaged_videos_are_left_out_alike_with_workers(tmp_path, batches, capfd):
    write_video(tmp_path / "train" / "3.png", 3, num_frames=1)
    write_frames(tmp_path / "train" / "8", 8)
    cut_short(tmp_path / "train" / "8" / "2.png")
    threads = batches(max_bad_share=0.25)
    whole = take(threads, 60)
    assert threads.num_bad == 2
    assert len(capfd.readouterr().err.splitlines()) == 2
    # The other frames of the folder are of use.
    numbers = np.moveaxis(frame_numbers(whole), 1, -1)[video_numbers(whole) == 8]
    assert set(numbers.ravel().tolist()) == {0, 1, 3, 4, 5}
    assert 3 not in video_numbers(whole)

    workers = batches(max_bad_share=0.25, num_workers=2)
    np.testing.assert_array_equal(take(workers, 30), whole[:30])
    state = workers.get_state()
    workers.close()
    restored = batches(max_bad_share=0.25, num_workers=2)
    restored.set_state(state)
    np.testing.assert_array_equal(take(restored, 30), whole[30:])
    assert workers.num_bad == restored.num_bad == 2
    assert len(capfd.readouterr().err.splitlines()) == 4


def test_too_many_damaged_files_stop(tmp_path, batches):
    paths = [tmp_path / "train" / name for name in ("1.png", "4.png", "6.png")]
    for path in paths:
        path.write_bytes(b"no picture")
    iterator = batches(max_bad_share=0.4)
    with pytest.raises(InputError) as caught:
        take(iterator, 40)
    message = str(caught.value)
    assert message.startswith(
        "3 of 7 training videos cannot be used, more than config.dataset.max_bad_share=0.4 allows;"
        " the first are: "
    )
    assert all(f"{path}: " in message for path in paths)
    assert "\n" not in message
    assert iterator.num_bad == 3
    take(batches(max_bad_share=0.43), 40)


def test_a_video_of_another_size_is_opened_once(tmp_path, dataset, monkeypatch):
    opened = Counter()

    def counting(location, *args, **keywords):
        opened[location.name] += 1
        return open_video(location, *args, **keywords)

    open_video = sampler.open_video
    monkeypatch.setattr(sampler, "open_video", counting)
    draw = PairSampler(dataclasses.replace(dataset, frame_shape=(16, 16, 3)))
    with pytest.raises(InputError) as caught:
        draw(2, np.random.default_rng(0))
    assert str(caught.value).startswith(
        f"{TRIES} training videos drawn in a row cannot be used; the first:"
        f" {tmp_path / 'train' / '2.png'}: is 8 high and 48 wide; expected frames of 16 high"
    )
    assert opened == {f"{number}.png": 1 for number in range(NUM_VIDEOS)}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_frames_of_another_size_throughout_stop_with_the_first_batch(batches, num_workers):
    with pytest.raises(InputError, match=rf"^{TRIES} training videos .* expected frames of 16 hi"):
        next(batches(frame_shape=(16, 16, 3), num_workers=num_workers))


def test_videos_of_an_id_stand_in_for_one_another_and_for_other_ids(tmp_path, dataset):
    for number, name in enumerate(["id1#a", "id1#b", "id2#a"]):
        write_video(tmp_path / "ids" / "train" / f"{name}.png", number)
    write_video(tmp_path / "ids" / "test" / "id3#a.png", 9)
    cut_short(tmp_path / "ids" / "train" / "id1#a.png")
    cut_short(tmp_path / "ids" / "train" / "id2#a.png")
    draw = PairSampler(
        dataclasses.replace(dataset, root_dir=str(tmp_path / "ids"), id_sampling=True)
    )
    rng = np.random.default_rng(0)
    drawn = [int(draw(element, rng)["source"][0, 0, 0]) for element in (0, 1) for _ in range(20)]
    assert drawn == [1] * 40


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_shares_that_cannot_work_are_refused(share):
    config = Config(dataset=DatasetConfig(max_bad_share=share))
    with pytest.raises(InputError, match=r"^config\.dataset\.max_bad_share: expected at"):
        check_config(config)


def test_fields_that_do_not_fit_are_refused(dataset, batches):
    with pytest.raises(InputError, match=r"config\.train\.batch_size is 22; expected 1 to 21"):
        batches(batch_size=22)
    with pytest.raises(InputError, match=r"7 training videos .* config\.train\.num_repeats 1"):
        batches(batch_size=8, num_repeats=1)
    with pytest.raises(InputError, match="multiple of the 3 processes"):
        batches(process=(0, 3))
