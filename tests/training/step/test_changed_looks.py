"""Frames with other looks: colours change everywhere alike, and ellipses cover parts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from narrow_vgg import narrow_vgg
from tiny_models import tiny_model

from fomm_jax.models.build import build_model
from fomm_jax.models.layers import Numerics
from fomm_jax.ops.convolution import ANY_DEVICE
from fomm_jax.training.step.changed_looks import NUM_PATCHES, RADII, change_looks
from fomm_jax.training.step.objectives import generator_losses
from fomm_jax.training.step.train_step import prepare_inputs
from fomm_jax.types import Batch

SIZE = 64
NUM_FRAMES = 40


@pytest.fixture(scope="module")
def changed():
    """Frames that are a chequerboard of two colours, with other looks; and the chequers."""
    chequers = np.indices((SIZE, SIZE)).sum(0) % 2 == 1
    frame = np.where(chequers[..., None], [0.7, 0.5, 0.4], [0.2, 0.3, 0.4])
    frames = np.broadcast_to(frame, (NUM_FRAMES, *frame.shape)).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), NUM_FRAMES)
    return np.asarray(change_looks(keys, jnp.asarray(frames))), chequers


def split_into_colours(frame):
    """Return where each colour of a frame is, the most frequent first."""
    places, rest = [], np.ones(frame.shape[:2], bool)
    while rest.any():
        place = rest & (np.abs(frame - frame[rest][0]).max(axis=-1) < 1e-4)
        places.append(place)
        rest &= ~place
    return sorted(places, key=np.sum, reverse=True)


def test_colours_change_alike_where_nothing_covers_them(changed):
    frames, chequers = changed
    assert frames.min() >= 0
    assert frames.max() <= 1
    for frame in frames:
        first, second, *_ = split_into_colours(frame)
        odd, even = (first, second) if first[chequers].any() else (second, first)
        assert not odd[~chequers].any()
        assert not even[chequers].any()
        # All else is patches, which cover at most so much of the frame, as ellipses of these radii.
        most = NUM_PATCHES * np.pi * max(RADII) ** 2 / 4
        assert 0 < 1 - (odd | even).mean() < 1.05 * most


def test_patches_are_ellipses_of_one_colour(changed):
    """A patch inside the frame fills its box as an ellipse does, unless another one covers it."""
    fillings = []
    for frame in changed[0]:
        for patch in split_into_colours(frame)[2:]:
            rows, columns = np.nonzero(patch)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert max(height, width) <= max(RADII) * SIZE + 1
            is_inside = min(*rows, *columns) > 0 and max(*rows, *columns) < SIZE - 1
            if is_inside and min(height, width) > 8:
                fillings.append(patch.sum() / (height * width))
    assert len(fillings) > NUM_FRAMES / 2
    assert np.median(fillings) == pytest.approx(np.pi / 4, rel=0.05)


def test_every_frame_has_looks_of_its_own(changed):
    frames, _ = changed
    main_colours = [frame[split_into_colours(frame)[0]][0] for frame in frames]
    assert len(np.unique(main_colours, axis=0)) == NUM_FRAMES
    assert np.std(main_colours, axis=0).min() > 0.1


def test_only_the_equivariance_losses_see_other_looks():
    """The other losses, and the keypoints of the driving frames, are what they are without."""
    config, _, _ = tiny_model("first-order")
    other = dataclasses.replace(
        config, compat=dataclasses.replace(config.compat, change_looks=True)
    )
    batch = Batch(*np.random.default_rng(0).integers(0, 256, (2, 2, 32, 32, 3), np.uint8))
    vgg = jax.tree.map(jnp.asarray, narrow_vgg())

    @jax.jit
    def compute(inputs):
        model = build_model(config, rngs=nnx.Rngs(0))
        return generator_losses(config, model, vgg, Numerics(ANY_DEVICE), inputs)

    inputs, changed_inputs = (
        prepare_inputs(one, jax.random.key(0), batch, jnp.asarray(0)) for one in (config, other)
    )
    (losses, outputs), (changed_losses, changed_outputs) = map(compute, (inputs, changed_inputs))
    expected = change_looks(changed_inputs.look_keys, outputs.transformed)
    # Rounding may put a pixel at the border of a patch on its other side.
    assert np.mean(np.abs(changed_outputs.transformed - expected) > 1e-5) < 0.002
    assert np.abs(changed_outputs.transformed - outputs.transformed).mean() > 0.05
    np.testing.assert_allclose(changed_outputs.driving_points, outputs.driving_points, atol=1e-5)
    assert np.abs(changed_outputs.transformed_points - outputs.transformed_points).max() > 1e-4
    differing = {name for name in losses if abs(changed_losses[name] / losses[name] - 1) > 1e-3}
    assert differing == {"equivariance_value", "equivariance_jacobian"}
