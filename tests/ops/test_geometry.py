"""Grids, sampling, resizing and small matrices against independent computations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, signal

from fomm_jax.ops import geometry

RANDOM = np.random.default_rng(0)

corners = pytest.mark.parametrize("align_corners", [False, True])
paddings = pytest.mark.parametrize("padding", ["zeros", "reflection"])


def test_coordinate_grid_ends_at_pixel_centres():
    grid = np.asarray(geometry.coordinate_grid(3, 5, jnp.float32))
    np.testing.assert_array_equal(grid[1, :, 0], [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_array_equal(grid[:, 2, 1], [-1, 0, 1])
    np.testing.assert_array_equal(grid[0, 4], [1, -1])  # x before y


def test_gaussian_heatmaps_equal_the_formula_at_every_pixel():
    centres = RANDOM.uniform(-1, 1, (2, 3, 2)).astype(np.float32)
    actual = geometry.gaussian_heatmaps(jnp.asarray(centres), 4, 6, 0.05)
    for b, row, column, k in np.ndindex(2, 4, 6, 3):
        x, y = 2 * column / 5 - 1, 2 * row / 3 - 1
        squared = (x - centres[b, k, 0]) ** 2 + (y - centres[b, k, 1]) ** 2
        assert actual[b, row, column, k] == pytest.approx(np.exp(-squared / (2 * 0.05)), abs=1e-6)


def sample_by_hand(picture, x, y, align_corners, padding):
    """Sample a picture (h, w, c) at one point, by the definition of torch's grid_sample."""

    def to_pixels(coordinate, size):
        if align_corners:
            return (coordinate + 1) / 2 * (size - 1)
        return (coordinate + 1) / 2 * size - 0.5

    def mirror(pixel, size):
        low, high = (0, size - 1) if align_corners else (-0.5, size - 0.5)
        while not low <= pixel <= high:
            pixel = 2 * low - pixel if pixel < low else 2 * high - pixel
        return min(max(pixel, 0), size - 1)

    height, width, channels = picture.shape
    column, row = to_pixels(x, width), to_pixels(y, height)
    if padding == "reflection":
        column, row = mirror(column, width), mirror(row, height)
    total = np.zeros(channels)
    for i, j in itertools.product((0, 1), (0, 1)):
        at_row, at_column = int(np.floor(row)) + i, int(np.floor(column)) + j
        weight = (1 - abs(row - at_row)) * (1 - abs(column - at_column))
        if 0 <= at_row < height and 0 <= at_column < width:
            total += weight * picture[at_row, at_column]
    return total


@corners
@paddings
@settings(deadline=None, max_examples=25)
@given(
    coordinates=hnp.arrays(np.float64, (1, 6, 2), elements=st.floats(-4, 4)),
    height=st.integers(2, 5),
    width=st.integers(2, 5),
)
def test_grid_sample_follows_its_definition(align_corners, padding, coordinates, height, width):
    picture = np.random.default_rng(height * width).normal(size=(1, height, width, 2))
    with jax.enable_x64(True):
        actual = geometry.grid_sample(
            jnp.asarray(picture),
            jnp.asarray(coordinates),
            align_corners=align_corners,
            border=padding,
        )
    for i, (x, y) in enumerate(coordinates[0]):
        expected = sample_by_hand(picture[0], x, y, align_corners, padding)
        np.testing.assert_allclose(actual[0, i], expected, rtol=0, atol=1e-9)


def test_grid_sample_is_linear_interpolation(x64):
    picture = RANDOM.normal(size=(7, 9))
    grid = RANDOM.uniform(-1, 1, (50, 2))
    actual = geometry.grid_sample(
        jnp.asarray(picture)[None, :, :, None], jnp.asarray(grid)[None], align_corners=True
    )
    rows, columns = (grid[:, 1] + 1) / 2 * 6, (grid[:, 0] + 1) / 2 * 8
    expected = ndimage.map_coordinates(picture, [rows, columns], order=1)
    np.testing.assert_allclose(actual[0, :, 0], expected, rtol=0, atol=1e-12)


@corners
@paddings
def test_grid_sample_and_its_gradients_equal_torchs(x64, align_corners, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pictures = RANDOM.normal(size=(2, 5, 6, 3))
    grid = RANDOM.uniform(-1.8, 1.8, (2, 4, 7, 2))
    weights = RANDOM.normal(size=(2, 4, 7, 3))

    def objective(pictures, grid):
        sampled = geometry.grid_sample(pictures, grid, align_corners=align_corners, border=padding)
        return jnp.sum(sampled * weights), sampled

    gradients, sampled = jax.grad(objective, argnums=(0, 1), has_aux=True)(
        jnp.asarray(pictures), jnp.asarray(grid)
    )
    theirs = [torch.tensor(array, requires_grad=True) for array in (pictures, grid)]
    expected = torch.nn.functional.grid_sample(
        theirs[0].permute(0, 3, 1, 2),
        theirs[1],
        padding_mode=padding,
        align_corners=align_corners,
    ).permute(0, 2, 3, 1)
    torch.sum(expected * torch.tensor(weights)).backward()
    np.testing.assert_allclose(sampled, expected.detach().numpy(), rtol=0, atol=1e-12)
    for ours, leaf in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(ours, leaf.grad.numpy(), rtol=0, atol=1e-11)


@paddings
def test_grid_sample_of_one_picture_by_many_grids(padding):
    picture = jnp.asarray(RANDOM.normal(size=(1, 5, 6, 3)), jnp.float32)
    grid = jnp.asarray(RANDOM.uniform(-1.5, 1.5, (4, 3, 2, 2)), jnp.float32)
    shared = geometry.grid_sample(picture, grid, align_corners=False, border=padding)
    repeated = geometry.grid_sample(
        jnp.repeat(picture, 4, axis=0), grid, align_corners=False, border=padding
    )
    np.testing.assert_array_equal(shared, repeated)


def resize_by_hand(picture, size):
    """Resize one axis, (n, ...) to (size, ...); pixel centres lie at half integers."""
    positions = (np.arange(size) + 0.5) * len(picture) / size - 0.5
    positions = np.clip(positions, 0, len(picture) - 1)
    low = np.floor(positions).astype(int)
    high = np.minimum(low + 1, len(picture) - 1)
    share = (positions - low).reshape(-1, *[1] * (picture.ndim - 1))
    return (1 - share) * picture[low] + share * picture[high]


@settings(deadline=None, max_examples=30)
@given(*[st.integers(1, 12)] * 4)
def test_resize_bilinear_in_both_directions(height, width, new_height, new_width):
    picture = np.random.default_rng(height).normal(size=(height, width, 2))
    with jax.enable_x64(True):
        actual = geometry.resize_bilinear(jnp.asarray(picture)[None], new_height, new_width)[0]
    rows = resize_by_hand(picture, new_height)
    expected = resize_by_hand(rows.swapaxes(0, 1), new_width).swapaxes(0, 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@corners
@pytest.mark.parametrize("size", [(4, 4), (16, 20), (5, 13), (3, 2)])
def test_resizing_equals_torchs(size, align_corners):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    picture = RANDOM.normal(size=(2, 8, 10, 3)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.tensor(picture).permute(0, 3, 1, 2),
        size=size,
        mode="bilinear",
        align_corners=align_corners,
    )
    resize = geometry.resize_between_corners if align_corners else geometry.resize_bilinear
    actual = resize(jnp.asarray(picture), *size)
    np.testing.assert_allclose(
        np.moveaxis(np.asarray(actual), -1, 1), expected.numpy(), rtol=0, atol=1e-5
    )


def test_upsample_nearest_repeats_pixels():
    picture = RANDOM.normal(size=(2, 3, 4, 2)).astype(np.float32)
    expected = picture.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(geometry.upsample_nearest(jnp.asarray(picture)), expected)


def test_average_pool_leaves_out_an_odd_border():
    picture = RANDOM.normal(size=(2, 5, 7, 2)).astype(np.float32)
    actual = geometry.average_pool(jnp.asarray(picture))
    assert actual.shape == (2, 2, 3, 2)
    for row, column in np.ndindex(2, 3):
        block = picture[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_allclose(actual[:, row, column], block.mean((1, 2)), atol=1e-6)


def test_average_pool_gives_each_pixel_of_a_block_a_quarter_of_the_gradient():
    picture = RANDOM.normal(size=(3, 2, 5, 7, 2)).astype(np.float32)
    outer = RANDOM.normal(size=(3, 2, 2, 3, 2)).astype(np.float32)
    (actual,) = jax.vjp(geometry.average_pool, jnp.asarray(picture))[1](jnp.asarray(outer))
    expected = np.zeros_like(picture)
    expected[..., :4, :6, :] = outer.repeat(2, axis=2).repeat(2, axis=3) / 4
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_antialias_kernel_for_a_scale_of_a_quarter():
    kernel = geometry.antialias_kernel(0.25)
    assert kernel.dtype == np.float32
    assert kernel.shape == (13, 13)  # sigma 1.5, four of them to each side
    assert kernel.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    profile = np.exp(-(np.arange(-6, 7) ** 2) / (2 * 1.5**2))
    expected = np.outer(profile, profile) / profile.sum() ** 2
    np.testing.assert_allclose(kernel, expected, rtol=1e-6)


@pytest.mark.parametrize(("scale", "size"), [(0.5, 5), (0.25, 13), (0.125, 29)])
def test_antialias_downsample_filters_and_strides(x64, scale, size):
    kernel = geometry.antialias_kernel(scale)
    assert kernel.shape == (size, size)
    pictures = RANDOM.uniform(size=(2, 32, 24, 3))
    actual = geometry.antialias_downsample(jnp.asarray(pictures), scale)
    stride = round(1 / scale)
    for b, channel in np.ndindex(2, 3):
        filtered = signal.convolve2d(pictures[b, :, :, channel], kernel.astype(float), "same")
        expected = filtered[::stride, ::stride]
        np.testing.assert_allclose(actual[b, :, :, channel], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 0.125])
def test_a_filter_of_fixed_sigma_is_the_same_at_all_scales(x64, scale):
    kernel = geometry.antialias_kernel(scale, 1.5)
    np.testing.assert_array_equal(kernel, geometry.antialias_kernel(0.25))
    pictures = RANDOM.uniform(size=(1, 32, 24, 2))
    actual = geometry.antialias_downsample(jnp.asarray(pictures), scale, 1.5)
    (level,) = geometry.image_pyramid(jnp.asarray(pictures), (scale,), 1.5)
    np.testing.assert_array_equal(actual, level)
    stride = round(1 / scale)
    for channel in range(2):
        filtered = signal.convolve2d(pictures[0, :, :, channel], kernel.astype(float), "same")
        expected = filtered[::stride, ::stride]
        np.testing.assert_allclose(actual[0, :, :, channel], expected, rtol=0, atol=1e-12)


def test_antialias_downsample_by_1_changes_nothing():
    picture = jnp.asarray(RANDOM.uniform(size=(1, 4, 4, 3)), jnp.float32)
    np.testing.assert_array_equal(geometry.antialias_downsample(picture, 1.0), picture)


def test_image_pyramid_shrinks_the_original_picture_at_every_scale():
    picture = jnp.asarray(RANDOM.uniform(size=(1, 16, 16, 3)), jnp.float32)
    whole, quarter = geometry.image_pyramid(picture, (1, 0.25))
    np.testing.assert_array_equal(whole, picture)
    np.testing.assert_array_equal(quarter, geometry.antialias_downsample(picture, 0.25))
    assert quarter.shape == (1, 4, 4, 3)


matrices = hnp.arrays(np.float64, (3, 2, 2), elements=st.floats(-5, 5))


@settings(deadline=None)
@given(matrices, matrices)
def test_2x2_algebra_equals_numpys(left, right):
    # Not by numpy's det, which divides by what may be next to nothing.
    (a, b), (c, d) = np.moveaxis(left, 0, -1)
    assume(np.all(np.abs(a * d - b * c) > 1e-3))
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            geometry.invert_2x2(jnp.asarray(left)), np.linalg.inv(left), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(
            geometry.multiply_2x2(jnp.asarray(left), jnp.asarray(right)), left @ right, atol=1e-12
        )
        np.testing.assert_allclose(
            geometry.apply_2x2(jnp.asarray(left), jnp.asarray(right[:, 0])),
            np.einsum("nij,nj->ni", left, right[:, 0]),
            atol=1e-12,
        )
