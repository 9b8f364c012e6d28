"""The convolution and both of its gradients, against sums written out in numpy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax import convolution

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
    "pointwise": ((3, 4), (1, 1), ((0, 0), (0, 0)), 3, 2),
}


@pytest.fixture(params=["a CPU", "simulated devices"], autouse=True)
def devices(request, monkeypatch):
    """Both ways to the gradient on CPU; the tests' eight devices alone would take one."""
    if request.param == "a CPU":
        monkeypatch.setattr(jax, "device_count", lambda: 1)
    return request.param


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_values_and_gradients(x64, case):
    """y = Σ over taps of x, shifted, times the tap; both gradients are its transposes."""
    size, (height, width), padding, channels, features = case
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *size, channels))
    kernel = random.normal(size=(height, width, channels, features))
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    outer = random.normal(size=(2, rows, columns, features))

    expected = np.zeros((2, rows, columns, features))
    kernel_gradient, padded_gradient = np.zeros_like(kernel), np.zeros_like(padded)
    for i, j in itertools.product(range(height), range(width)):
        window = np.s_[:, i : i + rows, j : j + columns]
        expected += padded[window] @ kernel[i, j]
        kernel_gradient[i, j] = np.einsum("bhwc,bhwd->cd", padded[window], outer)
        padded_gradient[window] += outer @ kernel[i, j].T
    (above, _), (left, _) = padding
    x_gradient = padded_gradient[:, above : above + size[0], left : left + size[1]]

    found, backward = jax.vjp(
        lambda x, kernel: convolution.convolve(x, kernel, padding),
        jnp.asarray(x),
        jnp.asarray(kernel),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    for ours, theirs in zip(
        backward(jnp.asarray(outer)), (x_gradient, kernel_gradient), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_accelerators_run_xlas_own_gradient(devices):
    """Lowered for a GPU, the step has the convolution's transposes and no loop over taps."""

    def loss(x, kernel):
        return jnp.sum(convolution.convolve(x, kernel, ((1, 1), (1, 1))))

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
    arguments = jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 4))
    lowered = {
        platform: gradient.trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "tpu")
    }
    assert ("stablehlo.while" in lowered["cpu"]) == (devices == "a CPU")
    for platform in ("cuda", "tpu"):
        assert "stablehlo.while" not in lowered[platform]
        assert lowered[platform].count("stablehlo.convolution") == 2
