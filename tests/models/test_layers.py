"""Normalisations and initialisation against independent computations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fomm_jax.models.layers import (
    ConvBlock,
    DownBlock,
    Hourglass,
    Numerics,
    ResBlock,
    UpBlock,
    convolution,
)
from fomm_jax.models.normalization import BatchNorm, InstanceNorm, SpectralNorm

RANDOM = np.random.default_rng(0)
NUMERICS = Numerics()


def pictures(*shape):
    return RANDOM.normal(2, 3, shape).astype(np.float32)


def test_batch_norm_in_training_normalises_by_the_biased_variance():
    x = pictures(3, 4, 5, 2)
    norm = BatchNorm(2)
    norm.scale[...] = jnp.asarray([2.0, 3.0])
    norm.bias[...] = jnp.asarray([-1.0, 1.0])
    actual = norm(jnp.asarray(x), train=True)
    normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(actual, normal * [2, 3] + [-1, 1], rtol=0, atol=1e-5)


def test_batch_norm_keeps_the_unbiased_variance():
    x = pictures(2, 2, 2, 3)  # eight values a channel: the two variances differ by an eighth
    norm = BatchNorm(3)
    norm(jnp.asarray(x), train=True)
    flat = x.reshape(-1, 3)
    np.testing.assert_allclose(norm.mean[...], 0.1 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * flat.var(0, ddof=1), rtol=1e-5)


def test_batch_norm_in_evaluation_uses_and_keeps_the_running_statistics():
    x = pictures(2, 3, 3, 2)
    norm = BatchNorm(2)
    norm.mean[...] = jnp.asarray([1.0, -2.0])
    norm.var[...] = jnp.asarray([4.0, 0.25])
    actual = norm(jnp.asarray(x), train=False)
    expected = (x - [1, -2]) / np.sqrt(np.array([4, 0.25]) + 1e-5)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(norm.mean[...], [1, -2])
    np.testing.assert_array_equal(norm.var[...], [4, 0.25])


def test_passes_are_normalised_as_in_calls_one_after_another():
    x = pictures(2, 3, 4, 5, 6)  # three passes
    together, in_turn = BatchNorm(6), BatchNorm(6)
    actual = together(jnp.asarray(x), train=True)
    for index in range(3):
        expected = in_turn(jnp.asarray(x[:, index]), train=True)
        np.testing.assert_allclose(actual[:, index], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(together.mean[...], in_turn.mean[...], rtol=1e-5)
    np.testing.assert_allclose(together.var[...], in_turn.var[...], rtol=1e-5)
    assert together.num_batches_tracked[...] == in_turn.num_batches_tracked[...] == 3


def test_groups_are_normalised_apart_and_move_the_statistics_by_their_mean():
    x = pictures(4, 3, 5, 2)
    in_groups, alone = BatchNorm(2, groups=2), [BatchNorm(2), BatchNorm(2)]
    actual = in_groups(jnp.asarray(x), train=True)
    halves = [alone[0](jnp.asarray(x[:2]), train=True), alone[1](jnp.asarray(x[2:]), train=True)]
    np.testing.assert_allclose(actual, np.concatenate(halves), rtol=0, atol=1e-5)
    for name in ("mean", "var"):
        mean = (getattr(alone[0], name)[...] + getattr(alone[1], name)[...]) / 2
        np.testing.assert_allclose(getattr(in_groups, name)[...], mean, rtol=1e-5)


def test_variance_is_exact_far_from_the_running_mean():
    """The first step's pictures may be many deviations from the running mean of zero."""
    x = RANDOM.normal(20, 1, (4, 16, 16, 3))
    norm = BatchNorm(3)
    norm(jnp.asarray(x, jnp.float32), train=True)
    expected = 0.9 + 0.1 * x.reshape(-1, 3).var(0, ddof=1)
    np.testing.assert_allclose(norm.var[...], expected, rtol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
def test_batch_norm_has_the_gradient_of_its_formula(x64, groups):
    """The formula differentiated as it stands, of groups and passes normalised apart."""
    x, outer = (jnp.asarray(RANDOM.normal(2, 3, (4, 3, 5, 6, 2))) for _ in range(2))
    scale, bias = jnp.asarray([2.0, -3.0]), jnp.asarray([-1.0, 1.0])

    def formula(x, scale, bias):
        parts = x.reshape(groups, -1, *x.shape[1:])
        mean = parts.mean((1, 3, 4), keepdims=True)
        var = ((parts - mean) ** 2).mean((1, 3, 4), keepdims=True)
        normal = (parts - mean) / jnp.sqrt(var + 1e-5)
        return (normal * scale.reshape(1, 1, 1, 1, 1, 2) + bias.reshape(1, 1, 1, 1, 1, 2)).reshape(
            x.shape
        )

    def module(x, scale, bias):
        norm = BatchNorm(2, groups)
        norm.scale, norm.bias = nnx.Param(scale), nnx.Param(bias)
        return norm(x, train=True)

    expected, expected_backward = jax.vjp(formula, x, scale, bias)
    actual, actual_backward = jax.vjp(module, x, scale, bias)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
    for gradient, wanted in zip(actual_backward(outer), expected_backward(outer), strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-11)


def test_batch_norm_passes_no_gradient_to_its_statistics():
    norm = BatchNorm(2)
    definition, params, statistics = nnx.split(norm, nnx.Param, ...)

    def running_sum(x):
        module = nnx.merge(definition, params, statistics, copy=True)
        module(x, train=True)
        return jnp.sum(module.mean[...]) + jnp.sum(module.var[...])

    gradient = jax.grad(running_sum)(jnp.asarray(pictures(2, 3, 3, 2)))
    np.testing.assert_array_equal(gradient, 0)


def test_instance_norm_normalises_each_picture_alone():
    x = pictures(2, 4, 5, 3)
    norm = InstanceNorm(3)
    norm.scale[...] = jnp.asarray([1.0, 2.0, 3.0])
    norm.bias[...] = jnp.asarray([0.0, 1.0, 2.0])
    normal = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(
        norm(jnp.asarray(x), train=True), normal * [1, 2, 3] + [0, 1, 2], rtol=0, atol=1e-5
    )


def matrix_of(norm):
    kernel = np.asarray(norm.conv.kernel[...])  # (height, width, in, out)
    return kernel.transpose(3, 2, 0, 1).reshape(kernel.shape[3], -1)


def test_spectral_norm_reaches_the_largest_singular_value():
    conv = convolution(3, 5, 4, 0, NUMERICS, rngs=nnx.Rngs(0))
    norm = SpectralNorm(conv, rngs=nnx.Rngs(1))
    x = jnp.asarray(pictures(1, 6, 6, 3))
    for _ in range(100):
        actual = norm(x, train=True)
    largest = np.linalg.svd(matrix_of(norm), compute_uv=False)[0]
    bias = np.asarray(conv.bias[...])
    expected = (np.asarray(conv(x)) - bias) / largest + bias
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


def test_spectral_norm_does_one_power_iteration_a_call_in_training():
    norm = SpectralNorm(convolution(2, 4, 3, 1, NUMERICS, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(1))
    matrix, left = matrix_of(norm), np.asarray(norm.left[...])
    x = jnp.asarray(pictures(1, 4, 4, 2))
    norm(x, train=True)
    right = left @ matrix
    right /= np.linalg.norm(right)
    left = matrix @ right
    left /= np.linalg.norm(left)
    np.testing.assert_allclose(norm.right[...], right, rtol=0, atol=1e-6)
    np.testing.assert_allclose(norm.left[...], left, rtol=0, atol=1e-6)
    norm(x, train=False)
    np.testing.assert_allclose(norm.left[...], left, rtol=0, atol=1e-6)


def test_spectral_norm_differentiates_its_divisor(x64):
    """By torch's rule the singular vectors are constants, the singular value is not."""
    conv = convolution(2, 3, 3, 0, NUMERICS, rngs=nnx.Rngs(0))
    norm = SpectralNorm(conv, rngs=nnx.Rngs(1))
    definition, state = nnx.split(norm)
    state = jax.tree.map(lambda array: jnp.asarray(array, float), state)
    params, vectors = nnx.split_state(state, nnx.Param, ...)
    x = jnp.asarray(RANDOM.normal(size=(1, 3, 3, 2)))

    def output(params):
        return jnp.sum(nnx.merge(definition, params, vectors, copy=True)(x, train=False))

    kernel = params["conv"]["kernel"].get_value()
    direction = jnp.asarray(RANDOM.normal(size=kernel.shape))
    actual = jnp.sum(jax.grad(output)(params)["conv"]["kernel"].get_value() * direction)

    def moved(amount):
        changed = jax.tree.map(lambda array: array, params)
        changed["conv"]["kernel"] = params["conv"]["kernel"].replace(kernel + amount * direction)
        return output(changed)

    expected = float(moved(1e-5) - moved(-1e-5)) / 2e-5
    assert float(actual) == pytest.approx(expected, rel=1e-7)


def test_convolutions_begin_as_torchs():
    conv = convolution(16, 64, 5, 2, NUMERICS, rngs=nnx.Rngs(0))
    bound = 1 / np.sqrt(16 * 25)
    for values in (np.asarray(conv.kernel[...]), np.asarray(conv.bias[...])):
        assert np.abs(values).max() <= bound
        # Of a uniform distribution: the extremes are reached, and the deviation is bound / √3.
        assert np.abs(values).max() > 0.9 * bound
        deviation = bound / np.sqrt(3)
        assert values.std() == pytest.approx(deviation, rel=0.2)
        assert abs(values.mean()) < 4 * deviation / np.sqrt(values.size)


def test_convolution_is_a_sum_over_its_window():
    conv = convolution(2, 3, 3, 1, NUMERICS, rngs=nnx.Rngs(0))
    x = pictures(1, 4, 5, 2)
    actual = conv(jnp.asarray(x))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel, bias = np.asarray(conv.kernel[...]), np.asarray(conv.bias[...])
    for row, column in np.ndindex(4, 5):
        window = padded[0, row : row + 3, column : column + 3]
        expected = np.einsum("hwi,hwio->o", window, kernel) + bias
        np.testing.assert_allclose(actual[0, row, column], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("block", "size"),
    [
        (ConvBlock(3, 4, NUMERICS, rngs=nnx.Rngs(0)), 8),
        (DownBlock(3, 4, NUMERICS, rngs=nnx.Rngs(0)), 4),
        (UpBlock(3, 4, NUMERICS, rngs=nnx.Rngs(0)), 16),
    ],
)
def test_blocks_rectify_and_keep_halve_or_double_the_size(block, size):
    out = np.asarray(block(jnp.asarray(pictures(1, 8, 8, 3)), train=True))
    assert out.shape == (1, size, size, 4)
    assert out.min() >= 0
    assert out.max() > 0


def test_residual_block_is_the_identity_where_its_last_convolution_is_0():
    block = ResBlock(3, NUMERICS, rngs=nnx.Rngs(0))
    x = jnp.asarray(pictures(2, 4, 4, 3))
    assert np.abs(block(x, train=True) - x).max() > 0.1
    block.conv2.kernel[...] = jnp.zeros_like(block.conv2.kernel[...])
    block.conv2.bias[...] = jnp.zeros_like(block.conv2.bias[...])
    np.testing.assert_array_equal(block(x, train=True), x)


def test_hourglass_hands_its_input_through():
    hourglass = Hourglass(3, 4, 2, 8, NUMERICS, rngs=nnx.Rngs(0))
    x = pictures(1, 8, 8, 3)
    out = nnx.jit(lambda module, x: module(x, train=True))(hourglass, jnp.asarray(x))
    assert hourglass.out_features == (16, 7)
    assert out.shape[-1] == 7
    np.testing.assert_array_equal(out[..., 4:], x)


def test_hourglass_bounds_its_channels():
    hourglass = nnx.eval_shape(lambda: Hourglass(3, 4, 3, 10, NUMERICS, rngs=nnx.Rngs(0)))
    down = [block.conv.kernel.shape[2:] for block in hourglass.down_blocks]
    up = [block.conv.kernel.shape[2:] for block in hourglass.up_blocks]
    assert down == [(3, 8), (8, 10), (10, 10)]
    assert up == [(10, 10), (20, 8), (16, 4)]
