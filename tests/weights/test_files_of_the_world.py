"""Checkpoints as people have them: saved on a GPU, in half precision, as modules, by variants."""

import zipfile

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import reference
from config_helpers import with_fields
from flax import nnx
from scipy import ndimage
from torch_files import import_torch, push, stream_file, zip_file

from fomm_jax.errors import InputError
from fomm_jax.models.build import abstract_model
from fomm_jax.ops.convolution import ANY_DEVICE
from fomm_jax.ops.geometry import antialias_kernel
from fomm_jax.weights.load import load_pretrained
from fomm_jax.weights.safetensors_file import write_safetensors
from fomm_jax.weights.torch.config_fields import scale_field
from fomm_jax.weights.torch.describe import describe_weights
from fomm_jax.weights.torch.from_original import load_networks, load_train_state, read_original
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.to_original import to_checkpoint, to_state_dicts
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import make_optimizers

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
CONFIG, CHECKPOINT = RECORDING.config, RECORDING.checkpoint
NETWORKS = ("kp_detector", "generator", "discriminator")
DOWN = {"kp_detector": "down.weight", "generator": "dense_motion_network.down.weight"}
SIGMA = 1.5
TAPS = np.exp(-(np.arange(-6, 7) ** 2) / (2 * SIGMA**2))
TAPS /= TAPS.sum()


def of_the_community(taps=TAPS):
    """Return the recorded networks with the filters of a copy of the original for 512x512."""
    kernel = np.tile(np.outer(taps, taps).astype(np.float32), (3, 1, 1, 1))
    return {name: dict(CHECKPOINT[name]) | {DOWN[name]: kernel} for name in DOWN}


def with_sigma(config=CONFIG, sigma=SIGMA):
    return with_fields(config, compat__antialias_sigma=sigma)


def shrink(pictures, stride):
    """Filter pictures (b, h, w, c) by 13 taps along each side, then take every so many-th pixel."""
    for axis in (1, 2):
        pictures = ndimage.correlate1d(pictures, TAPS, axis, mode="constant")
    return pictures[:, ::stride, ::stride].astype(np.float32)


def as_used(model, config):
    """Return a model whose forms of convolution suit any device."""
    return nnx.merge(
        nnx.graphdef(abstract_model(config, ANY_DEVICE, with_discriminator=False)),
        nnx.state(model, lambda path, _: path[0] != "discriminator"),
    )


def test_filters_of_the_community_are_those_of_an_independent_computation():
    """A model at full scale gets the pictures that these filters shrink by scipy."""
    config = with_sigma()
    checkpoint = of_the_community()
    model = as_used(load_networks(config, checkpoint), config)
    full_scale = with_fields(
        CONFIG,
        model__kp_detector__scale_factor=1.0,
        model__generator__dense_motion__scale_factor=1.0,
    )
    without = {
        name: {key: tensor for key, tensor in checkpoint[name].items() if key != DOWN[name]}
        for name in DOWN
    }
    on_small = as_used(load_networks(full_scale, without), full_scale)
    source, driving = RECORDING.pairs(0, np.float32)
    small = [shrink(pictures.astype(np.float64), 2) for pictures in (source, driving)]
    points = [model.detect(jnp.asarray(each), train=False) for each in (source, driving)]
    expected = [on_small.detect(jnp.asarray(each), train=False) for each in small]
    usual = load_networks(CONFIG, {name: CHECKPOINT[name] for name in DOWN})
    others = as_used(usual, CONFIG).detect(jnp.asarray(source), train=False)
    assert np.abs(others.value - points[0].value).max() > 1e-3  # the filters matter
    for actual, wanted in zip(points, expected, strict=True):
        np.testing.assert_allclose(actual.value, wanted.value, atol=1e-5)
        np.testing.assert_allclose(actual.jacobian, wanted.jacobian, atol=1e-5)
    motion = model.flow(jnp.asarray(source), *points, train=False)
    wanted = on_small.flow(jnp.asarray(small[0]), *points, train=False)
    np.testing.assert_allclose(motion.deformation, wanted.deformation, atol=1e-5)
    np.testing.assert_allclose(motion.mask, wanted.mask, atol=1e-5)


def test_filters_of_the_community_are_written_back(tmp_path):
    checkpoint = of_the_community()
    states = to_state_dicts(with_sigma(), nnx.state(load_networks(with_sigma(), checkpoint)))
    for name, key in DOWN.items():
        np.testing.assert_allclose(states[name][key], checkpoint[name][key], rtol=1e-6)
        assert states[name][key].dtype == np.float32


def test_the_switch_is_asked_for_and_named(tmp_path):
    path = tmp_path / "vox-512.pth.tar"
    write_torch_file(path, of_the_community())
    with pytest.raises(InputError) as caught:
        load_pretrained(path, CONFIG)
    assert str(caught.value).startswith(
        f"{path}: config.model.kp_detector.scale_factor is 0.5, where the checkpoint fits 0.25"
        " (or any, with config.compat.antialias_sigma=1.5): kp_detector.down.weight has shape"
        " (3, 1, 13, 13)"
    )
    load_pretrained(path, with_sigma())
    lines = list(describe_weights(path, {"usual": CONFIG, "community": with_sigma()}))
    assert lines[1] == "configurations that fit: community"
    assert (
        "models of the community at 512x512 have such filters, too: config.compat.antialias_sigma"
        " = 1.5 with scale_factor = 0.125"
    ) in lines


def test_other_filters_name_their_sigma_or_are_refused():
    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 0.7**2))
    checkpoint = of_the_community(taps=taps / taps.sum())
    with pytest.raises(InputError, match=r"fits any, with config\.compat\.antialias_sigma=0\.7: "):
        load_networks(CONFIG, checkpoint)
    load_networks(with_sigma(sigma=0.7), checkpoint)
    with pytest.raises(InputError, match=r"scale_factor is 0\.5, where .*antialias_sigma=0\.7"):
        load_networks(with_sigma(), checkpoint)
    for wrong in (np.ones(13) / 13, np.zeros(13), TAPS[3:-3], np.full(13, np.nan)):
        with pytest.raises(InputError, match=r"kp_detector\.down\.weight is no Gaussian filter"):
            load_networks(with_sigma(), of_the_community(taps=wrong))


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8, 16, 32])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_scales_are_read_from_filters_in_any_precision(scale, dtype):
    state = {}
    if scale > 1:
        state["down.weight"] = antialias_kernel(1 / scale)[None, None].astype(dtype)
    assert scale_field(state, "kp_detector", "scale", "down.weight").value == 1 / scale


def on_a_gpu(path):
    """Rewrite a file as if its tensors had been saved on the first GPU."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries.items():
            if entry.filename.endswith("data.pkl"):
                assert content.count(push("cpu")) > 100
                content = content.replace(push("cpu"), push("cuda:0"))
            archive.writestr(entry.filename, content)


def assert_same_weights(model, expected):
    leaves, expected = (jax.tree.leaves(nnx.state(each)) for each in (model, expected))
    for a, b in zip(leaves, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_a_checkpoint_from_a_gpu_by_dataparallel_loads(tmp_path):
    path = tmp_path / "vox.pth.tar"
    states = {n: {f"module.{k}": t for k, t in CHECKPOINT[n].items()} for n in NETWORKS}
    write_torch_file(path, states | {"epoch": 7})
    on_a_gpu(path)
    assert_same_weights(load_pretrained(path, CONFIG), load_networks(CONFIG, CHECKPOINT))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("suffix", [".pth.tar", ".safetensors"])
def test_half_precision_becomes_float32(dtype, suffix, tmp_path):
    half = {
        name: {
            k: t.astype(dtype) if t.dtype.kind == "f" else t for k, t in CHECKPOINT[name].items()
        }
        for name in NETWORKS
    }
    rounded = {
        name: {
            key: tensor.astype(CHECKPOINT[name][key].dtype) for key, tensor in half[name].items()
        }
        for name in NETWORKS
    }
    path = tmp_path / f"half{suffix}"
    if suffix == ".pth.tar":
        write_torch_file(path, half)
    else:
        write_safetensors(path, {f"{n}.{k}": t for n in NETWORKS for k, t in half[n].items()}, {})
    model = load_pretrained(path, CONFIG)
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))} == {
        np.dtype(np.float32)
    }
    assert_same_weights(model, load_networks(CONFIG, rounded))
    tensor = to_state_dicts(CONFIG, nnx.state(model))["generator"]["final.weight"]
    np.testing.assert_array_equal(tensor, rounded["generator"]["final.weight"], strict=True)


def test_moments_in_half_precision_become_float32():
    optimizers = make_optimizers(CONFIG, 1)
    checkpoint = to_checkpoint(CONFIG, load_train_state(CONFIG, CHECKPOINT, optimizers), 0)
    keys = [key for key in CHECKPOINT["kp_detector"] if key.endswith(("weight", "bias"))]
    keys.remove("down.weight")
    moments = {
        number: {
            "step": np.float32(1),
            "exp_avg": CHECKPOINT["kp_detector"][key].astype(np.float16),
            "exp_avg_sq": np.abs(CHECKPOINT["kp_detector"][key]).astype(np.float16),
        }
        for number, key in enumerate(keys)
    }
    checkpoint["optimizer_kp_detector"]["state"] = moments
    state = load_train_state(CONFIG, checkpoint, optimizers)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(state.optimizers["kp_detector"])}
    assert dtypes == {np.dtype(np.float32), np.dtype(np.int32)}
    assert state.step == 1


ADVICE = (
    r"only tensors, .* \(nothing in the file was run\); expected state dicts: if you trust the file"
    r" and it holds a whole module, load it in PyTorch, .* save module\.state_dict\(\) by "
    r"torch\.save$"
)


def test_a_whole_module_of_pytorch_is_refused_with_what_to_do(tmp_path):
    torch = import_torch()
    module = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 7)))
    path = tmp_path / "module.pth.tar"
    for is_zip in (True, False):
        for tree in (module, {"generator": module, "kp_detector": module, "epoch": 3}):
            torch.save(tree, path, _use_new_zipfile_serialization=is_zip)
            for read in (read_original, read_torch_file):
                with pytest.raises(
                    InputError, match=rf"^{path}: asks for 'torch\.nn\.[^']*'.*{ADVICE}"
                ):
                    read(path)


@pytest.mark.parametrize("make", [zip_file, stream_file])
def test_a_whole_module_runs_nothing(tmp_path, make, monkeypatch):
    """The class of the module would be imported from the folder in which PyTorch runs."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "generator.py").write_text("open('marker', 'w').close()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    module = b"cmodules.generator\nOcclusionAwareGenerator\n)\x81}" + push("training") + b"\x88sb"
    path = make(tmp_path / "module.pth", b"\x80\x02" + module + b".")
    for read in (read_original, read_torch_file):
        with pytest.raises(InputError, match=rf"'modules\.generator\.Occl\w+', but {ADVICE}"):
            read(path)
    assert not (tmp_path / "marker").exists()


def test_no_advice_to_load_what_attacks(tmp_path):
    path = zip_file(tmp_path / "a.pth", b"\x80\x02cposix\nsystem\n(" + push("true") + b"tR.")
    with pytest.raises(InputError, match=r"asks for 'posix\.system', .* was run\)$"):
        read_torch_file(path)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["generator"], "with generator and kp_detector; it has generator"),
        (["state_dict", "arch"], "with generator and kp_detector; it has state_dict, arch"),
        (
            ["inpainting_network", "kp_detector", "avd_network"],
            "with dense_motion_network and inpainting_network and kp_detector; it has inpainting_n",
        ),
    ],
)
def test_what_a_checkpoint_lacks_is_told(entries, words, tmp_path):
    path = tmp_path / "file.pth.tar"
    write_torch_file(path, {entry: {"a": np.ones(2, np.float32)} for entry in entries})
    with pytest.raises(InputError, match=words):
        read_original(path)
