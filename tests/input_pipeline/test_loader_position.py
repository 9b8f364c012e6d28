"""The position of the loader: saved and restored, it continues bit for bit."""

import jax.numpy as jnp
import numpy as np
import pytest
from numbered_videos import read_batches
from orbax.checkpoint import v1 as ocp

from fomm_jax.config.schema import AugmentationConfig

CROP = AugmentationConfig(resize_ratio=(0.8, 1.2), crop_size=(6, 6))


@pytest.mark.parametrize("position", [0, 3, 5, 7])
def test_batches_continue_from_a_restored_position(make_batches, position):
    all_batches = read_batches(make_batches(augmentation=CROP), 12)
    first = make_batches(augmentation=CROP)
    for _ in range(position):
        next(first)
    state = first.get_state()
    restored = make_batches(augmentation=CROP)
    next(restored)  # the position before `set_state` does not matter
    restored.set_state(state)
    np.testing.assert_array_equal(read_batches(restored, 12 - position), all_batches[position:])


@pytest.mark.parametrize(("before", "after"), [pytest.param(2, 2, marks=pytest.mark.slow), (0, 1)])
def test_batches_continue_with_any_number_of_workers(make_batches, before, after):
    all_batches = read_batches(make_batches(augmentation=CROP), 12)
    first = make_batches(augmentation=CROP, num_workers=before)
    np.testing.assert_array_equal(read_batches(first, 5), all_batches[:5])
    state = first.get_state()
    first.close()
    restored = make_batches(augmentation=CROP, num_workers=after)
    restored.set_state(state)
    np.testing.assert_array_equal(read_batches(restored, 7), all_batches[5:])


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 4), (4, 2)])
def test_batches_continue_with_another_number_of_hosts(make_batches, before, after):
    all_batches = read_batches(make_batches(augmentation=CROP), 12)
    hosts = [make_batches(augmentation=CROP, process=(i, before)) for i in range(before)]
    for host in hosts:
        read_batches(host, 5)
    (state,) = {str(host.get_state()): host.get_state() for host in hosts}.values()
    parts = []
    for i in range(after):
        restored = make_batches(augmentation=CROP, process=(i, after))
        restored.set_state(state)
        parts.append(read_batches(restored, 7))
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), all_batches[5:])


def test_orbax_saves_the_position_beside_the_state(tmp_path, make_batches):
    iterator = make_batches()
    all_batches = read_batches(make_batches(), 8)
    read_batches(iterator, 3)
    with ocp.training.Checkpointer(tmp_path / "checkpoints") as checkpointer:
        state = {"weight": jnp.ones(2)}
        checkpointer.save_checkpointables(3, {"state": state, "data": iterator})
        read_batches(iterator, 2)
        other = make_batches()
        checkpointer.load_checkpointables(3, {"state": state, "data": other})
    np.testing.assert_array_equal(read_batches(other, 5), all_batches[3:])
