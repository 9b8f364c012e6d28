"""Drawings have the right contents, column by column, and equal those of the original."""

import importlib.util
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture
from fomm_jax.reporting.drawing import (
    FramesWithPoints,
    draw_grid,
    draw_keypoints,
    keypoint_colours,
    side_by_side,
)
from fomm_jax.types import DenseMotion, GeneratorOutput

BATCH, NUM_KP, SIZE = 2, 3, 16


def random_inputs(seed=0):
    """Make arguments of `draw_grid`: 16x16 pictures, and a dense motion at half that size.

    All numbers but the masks are multiples of 1/8, so that float32 is exact.
    """
    rng = np.random.default_rng(seed)

    def pictures(*shape):
        return (rng.integers(0, 9, shape) / 8).astype(np.float32)

    def points():
        return (rng.integers(-8, 9, (BATCH, NUM_KP, 2)) / 8).astype(np.float32)

    frame_shape = (BATCH, SIZE, SIZE, 3)
    half = SIZE // 2
    mask = rng.integers(1, 9, (BATCH, half, half, NUM_KP + 1)).astype(np.float32)
    motion = DenseMotion(
        sparse_deformed=pictures(BATCH, NUM_KP + 1, half, half, 3),
        mask=mask / mask.sum(axis=-1, keepdims=True),
        deformation=np.zeros((BATCH, half, half, 2), np.float32),
        occlusion_maps=(pictures(BATCH, half, half, 1),),
    )
    # The random numbers are drawn in the order in which the recorded picture's were drawn.
    source, driving = pictures(*frame_shape), pictures(*frame_shape)
    source_points, driving_points = points(), points()
    return {
        "source": FramesWithPoints(source, source_points),
        "driving": FramesWithPoints(driving, driving_points),
        "output": GeneratorOutput(pictures(*frame_shape), pictures(*frame_shape), motion),
        "transformed": FramesWithPoints(pictures(*frame_shape), points()),
    }


def test_the_default_colours_are_those_of_matplotlib():
    for num_kp in range(1, 200):
        expected = matplotlib.colormaps["gist_rainbow"](np.arange(num_kp) / num_kp)[:, :3]
        colours = keypoint_colours(num_kp, VisualizeConfig.colormap)
        np.testing.assert_array_equal(colours, expected)


def test_other_colours_need_matplotlib(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert keypoint_colours(3, "gist_rainbow").shape == (3, 3)
    with pytest.raises(InputError, match=r"^config\.visualize\.colormap=viridis: .*\[train\]"):
        keypoint_colours(3, "viridis")


def columns_of(grid):
    """Split a grid into (b, columns, h, w, 3)."""
    shape = (BATCH, SIZE, -1, SIZE, 3)
    return grid.reshape(shape).transpose(0, 2, 1, 3, 4)


def as_uint8(pictures):
    return (255 * np.asarray(pictures, np.float64)).astype(np.uint8)


def doubled(pictures):
    """Double the height and the width by repeating pixels."""
    return pictures.repeat(2, axis=1).repeat(2, axis=2)


def test_keypoint_is_a_disk_of_its_colour():
    picture = np.zeros((20, 30, 3))
    drawn = draw_keypoints(picture, np.array([[0.0, 0.5]]), 3, "gist_rainbow")
    y, x = np.mgrid[:20, :30]
    inside = (x - 30 * (0.0 + 1) / 2) ** 2 + (y - 20 * (0.5 + 1) / 2) ** 2 < 3**2
    first_colour = matplotlib.colormaps["gist_rainbow"](0.0)[:3]
    np.testing.assert_array_equal(drawn, inside[..., None] * np.array(first_colour))
    assert not picture.any()


def test_keypoints_outside_the_picture_are_not_drawn():
    picture = np.zeros((20, 30, 3))
    drawn = draw_keypoints(picture, np.array([[3.0, 0.0], [-1.0, -1.0]]), 3, "gist_rainbow")
    assert not drawn[:, 5:].any()
    assert drawn[0, 0].any()


def test_later_keypoints_cover_earlier_ones():
    drawn = draw_keypoints(np.zeros((9, 9, 3)), np.zeros((2, 2)), 2, "viridis")
    np.testing.assert_array_equal(drawn[4, 4], matplotlib.colormaps["viridis"](0.5)[:3])


def test_grid_of_training_has_the_columns_in_order():
    inputs = random_inputs()
    grid = draw_grid(VisualizeConfig(kp_size=2), **inputs)
    assert grid.dtype == np.uint8
    columns = columns_of(grid)
    assert columns.shape[1] == 6 + 2 * (NUM_KP + 1) + 1
    output, motion = inputs["output"], inputs["output"].dense_motion
    expected = [
        *(with_disks(inputs[name]) for name in ("source", "transformed", "driving")),
        output.deformed,
        output.prediction,
        doubled(motion.occlusion_maps[-1]).repeat(3, axis=-1),
    ]
    colours = keypoint_colours(NUM_KP, "gist_rainbow")
    total = np.zeros((BATCH, SIZE, SIZE, 3))
    for i in range(NUM_KP + 1):
        share = doubled(motion.mask[..., [i]])
        expected.append(doubled(motion.sparse_deformed[:, i]))
        expected.append(share.repeat(3, axis=-1) if i == 0 else share * colours[i - 1])
        total += 0 if i == 0 else expected[-1]
    for i, picture in enumerate([*expected, total]):
        np.testing.assert_array_equal(columns[:, i], as_uint8(picture), err_msg=f"column {i}")


def with_disks(pictures, radius=2):
    drawn = pictures.frames.copy()
    y, x = np.mgrid[:SIZE, :SIZE]
    for picture, points in zip(drawn, pictures.points, strict=True):
        for i, (u, v) in enumerate(SIZE * (points + 1) / 2):
            inside = (x - u) ** 2 + (y - v) ** 2 < radius**2
            picture[inside] = matplotlib.colormaps["gist_rainbow"](i / NUM_KP)[:3]
    return drawn


def test_occlusion_map_may_be_absent():
    inputs = random_inputs()
    with_map = columns_of(draw_grid(VisualizeConfig(), **inputs))
    motion = inputs["output"].dense_motion
    motion = DenseMotion(motion.sparse_deformed, motion.mask, motion.deformation, ())
    output = GeneratorOutput(inputs["output"].prediction, inputs["output"].deformed, motion)
    without_map = columns_of(draw_grid(VisualizeConfig(), **inputs | {"output": output}))
    np.testing.assert_array_equal(np.delete(with_map, 5, axis=1), without_map)


def test_border_is_white_at_the_sides_of_every_picture():
    inputs = random_inputs()
    plain = columns_of(draw_grid(VisualizeConfig(), **inputs))
    bordered = columns_of(draw_grid(VisualizeConfig(draw_border=True), **inputs))
    assert (bordered[..., [0, -1], :] == 255).all()
    np.testing.assert_array_equal(bordered[..., 1:-1, :], plain[..., 1:-1, :])


def test_grid_equals_the_original_visualizer():
    """`Visualizer` in the original's logger.py drew the recorded picture from the same input.

    It drew one column more, column 4, because it was also given keypoints as in an animation.
    """
    recorded = columns_of(read_picture(Path(__file__).parents[1] / "data" / "visualizer.png"))
    columns = columns_of(draw_grid(VisualizeConfig(kp_size=2), **random_inputs()))
    np.testing.assert_array_equal(columns, np.delete(recorded, 4, axis=1))


def test_pictures_side_by_side_have_white_between_them():
    red = np.full((2, 3, 3), (1.0, 0.0, 0.0))
    grey = np.full((2, 3, 3), 99, np.uint8)
    expected = np.full((2, 3 + 4 + 3, 3), 255, np.uint8)
    expected[:, :3] = (255, 0, 0)
    expected[:, 7:] = 99
    np.testing.assert_array_equal(side_by_side([red, grey]), expected)
