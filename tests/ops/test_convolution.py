"""The convolution and both of its gradients, against sums written out in numpy."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.ops import convolution, cpu_convolution, tpu_convolution, winograd

# Picture, kernel, padding above and below, left and right, channels in and out.
CASES = {
    "one pixel": ((1, 1), (3, 3), ((1, 1), (1, 1)), 3, 4),
    "smaller than the kernel": ((2, 2), (3, 3), ((1, 1), (1, 1)), 3, 4),
    "one row": ((1, 5), (3, 3), ((1, 1), (1, 1)), 4, 3),
    "as large as the kernel": ((3, 3), (3, 3), ((1, 1), (1, 1)), 3, 4),
    "more channels out": ((4, 6), (3, 3), ((1, 1), (1, 1)), 2, 5),
    "more channels in": ((4, 6), (3, 3), ((1, 1), (1, 1)), 5, 2),
    "no padding": ((7, 5), (4, 4), ((0, 0), (0, 0)), 2, 3),
    "no padding, more channels in": ((7, 5), (4, 4), ((0, 0), (0, 0)), 3, 2),
    "unequal sides": ((5, 6), (3, 2), ((2, 0), (0, 1)), 3, 2),
    "wide padding": ((4, 4), (3, 3), ((3, 4), (2, 5)), 2, 3),
    "wide padding, more channels in": ((4, 4), (3, 3), ((3, 4), (2, 5)), 3, 2),
    "few channels in": ((5, 8), (7, 7), ((3, 3), (3, 3)), 3, 6),
    "few channels out": ((5, 16), (7, 7), ((3, 3), (3, 3)), 6, 3),
    "few channels, unequal sides": ((4, 8), (3, 4), ((2, 0), (1, 6)), 3, 4),
    "half of the channels": ((5, 4), (3, 3), ((1, 1), (1, 1)), 5, 6),
    "few channels, odd width": ((4, 7), (3, 3), ((1, 1), (1, 1)), 3, 4),
    "few channels, padding wider than a group": ((4, 8), (3, 3), ((1, 1), (9, 1)), 3, 4),
    "pointwise": ((3, 4), (1, 1), ((0, 0), (0, 0)), 3, 2),
}


FORMS = {
    "any device": convolution.ANY_DEVICE,
    "a CPU": convolution.ONE_CPU,
    "a CPU, many channels": convolution.ONE_CPU,
    "a CPU, large kernels": convolution.ONE_CPU,
    "TPU": convolution.TPU,
}


@pytest.fixture(params=FORMS)
def convolutions(request, monkeypatch):
    """Every form; on a CPU also those for large arrays, by limits that small ones reach."""
    if request.param == "a CPU, many channels":
        monkeypatch.setattr(cpu_convolution, "FEWEST_PRODUCTS", 0)
        monkeypatch.setattr(cpu_convolution, "FEWEST_PIXELS", 0)
        monkeypatch.setattr(cpu_convolution, "FEWEST_MULTIPLICATIONS", 0)
    if request.param == "a CPU, large kernels":
        monkeypatch.setattr(cpu_convolution, "LARGE_KERNEL", 0)
    return FORMS[request.param]


def sums(x, kernel, padding, outer):
    """Sum over the taps the shifted x times the tap; return y and the gradients of Σ y · outer."""
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    _, rows, columns, _ = outer.shape
    y = np.zeros_like(outer)
    kernel_gradient, padded_gradient = np.zeros_like(kernel), np.zeros_like(padded)
    for i, j in np.ndindex(kernel.shape[:2]):
        window = np.s_[:, i : i + rows, j : j + columns]
        y += padded[window] @ kernel[i, j]
        kernel_gradient[i, j] = np.einsum("bhwc,bhwd->cd", padded[window], outer)
        padded_gradient[window] += outer @ kernel[i, j].T
    (above, _), (left, _) = padding
    x_gradient = padded_gradient[:, above : above + x.shape[1], left : left + x.shape[2]]
    return y, x_gradient, kernel_gradient


def check(function, x, kernel, outer, expected):
    @jax.jit
    def value_and_gradients(x, kernel, outer):
        y, backward = jax.vjp(function, x, kernel)
        return y, *backward(outer)

    for actual, desired in zip(value_and_gradients(x, kernel, outer), expected, strict=True):
        np.testing.assert_allclose(actual, desired, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_values_and_gradients(x64, convolutions, case):
    size, (height, width), padding, channels, features = case
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *size, channels))
    kernel = random.normal(size=(height, width, channels, features))
    rows, columns = (
        length + sum(ends) - extent + 1
        for length, ends, extent in zip(size, padding, kernel.shape, strict=False)
    )
    outer = random.normal(size=(2, rows, columns, features))
    check(
        lambda x, kernel: convolutions.plain(x, kernel, padding),
        x,
        kernel,
        outer,
        sums(x, kernel, padding, outer),
    )


@pytest.mark.parametrize(("size", "at_once"), [((1, 1), 100), ((4, 3), 1), ((4, 3), 24)])
def test_values_and_gradients_of_doubled_pictures(x64, convolutions, size, at_once, monkeypatch):
    monkeypatch.setattr(winograd, "PIXELS_AT_ONCE", at_once)
    random = np.random.default_rng(0)
    # Of single pixels there are fewer than channels, which is a case of its own on TPU.
    x, kernel = random.normal(size=(3, *size, 4)), random.normal(size=(3, 3, 4, 5))
    outer = random.normal(size=(3, 2 * size[0], 2 * size[1], 5))
    padding = ((1, 1), (1, 1))
    repeated = x.repeat(2, axis=1).repeat(2, axis=2)
    y, repeated_gradient, kernel_gradient = sums(repeated, kernel, padding, outer)
    x_gradient = repeated_gradient.reshape(3, size[0], 2, size[1], 2, 4).sum((2, 4))
    check(
        lambda x, kernel: convolutions.doubled(x, kernel, padding),
        x,
        kernel,
        outer,
        (y, x_gradient, kernel_gradient),
    )


def test_two_columns_of_wide_pictures_are_folded_on_tpu_up_to_twice_as_many_channels():
    def folded(width, channels, features):
        x, kernel = np.zeros((1, 1, width, channels)), np.zeros((3, 3, channels, features))
        return tpu_convolution.columns_to_fold(x, kernel, ((1, 1), (1, 1)))

    assert [folded(128, 64, 64), folded(256, 64, 128), folded(256, 128, 64)] == [2, 2, 2]
    assert [folded(128, 64, 128), folded(256, 128, 128), folded(256, 64, 256)] == [1, 1, 1]


def test_gradient_in_bfloat16_sums_in_float32(convolutions):
    """Ones times ones over more pixels than bfloat16 can count."""
    x, kernel = jnp.ones((1, 64, 64, 1), jnp.bfloat16), jnp.ones((1, 1, 1, 1), jnp.bfloat16)
    _, backward = jax.vjp(lambda k: convolutions.plain(x, k, ((0, 0), (0, 0))), kernel)
    assert float(backward(x)[0].item()) == 64 * 64


@pytest.mark.parametrize("form", ["plain", "doubled"])
def test_forms_for_accelerators_are_xlas_own_convolution(convolutions, form):
    """They and their gradients are the convolution and its transposes, with no product or loop."""

    def loss(x, kernel):
        return jnp.sum(getattr(convolutions, form)(x, kernel, ((1, 1), (1, 1))) ** 2)

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))
    text = gradients.lower(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 4))).as_text()
    if convolutions is convolution.ONE_CPU:
        assert "stablehlo.dot_general" in text
    elif convolutions is convolution.TPU:
        assert "stablehlo.dot_general" not in text
        assert text.count("stablehlo.convolution") == (6 if form == "doubled" else 3)
    else:
        assert "stablehlo.dot_general" not in text
        assert text.count("stablehlo.convolution") == 3


def test_forms_are_chosen_by_the_devices():
    cpu, gpu, tpu = (types.SimpleNamespace(platform=name) for name in ("cpu", "gpu", "tpu"))
    assert convolution.choose_convolutions([cpu]) is convolution.ONE_CPU
    assert convolution.choose_convolutions([tpu, tpu]) is convolution.TPU
    for devices in ([gpu], [gpu, gpu], [cpu, cpu], jax.devices()):
        assert convolution.choose_convolutions(devices) is convolution.ANY_DEVICE
