"""Models and perceptual networks in safetensors files, and conversions from and to them."""

import json
import struct

import numpy as np
import pytest
import reference
import thin_plate_reference
from flax import nnx
from torch_files import import_torch

from fomm_jax.animation.animator import Animator
from fomm_jax.config.parsing import from_json
from fomm_jax.errors import InputError
from fomm_jax.weights.load import load_config, load_pretrained
from fomm_jax.weights.safetensors_file import read_safetensors, write_safetensors
from fomm_jax.weights.save import save_weights
from fomm_jax.weights.torch.convert import (
    convert_from_torch,
    convert_to_safetensors,
    convert_to_torch,
)
from fomm_jax.weights.torch.from_original import load_networks
from fomm_jax.weights.torch.reader import read_torch_file

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
CONFIG, CHECKPOINT = RECORDING.config, RECORDING.checkpoint
NETWORKS = ("kp_detector", "generator", "discriminator")


def parse(path):
    """Return the tensors and metadata of a file, read by nothing but its specification."""
    content = memoryview(path.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(bytes(content[8 : 8 + length]))
    texts = header.pop("__metadata__", {})
    dtypes = {"F32": "<f4", "I64": "<i8"}
    return {
        name: np.frombuffer(content[8 + length :][slice(*tensor["data_offsets"])], "u1")
        .view(dtypes[tensor["dtype"]])
        .reshape(tensor["shape"])
        for name, tensor in header.items()
    }, texts


def assert_same_weights(model, expected):
    """Assert that all arrays of two models are equal."""
    arrays, expected = (dict(nnx.to_flat_state(nnx.state(each))) for each in (model, expected))
    assert arrays.keys() == expected.keys()
    for key, variable in expected.items():
        np.testing.assert_array_equal(arrays[key][...], variable[...], str(key), strict=True)


def assert_same_networks(states, expected):
    for network in NETWORKS:
        assert list(states[network]) == list(expected[network])
        for key, tensor in expected[network].items():
            np.testing.assert_array_equal(states[network][key], tensor, err_msg=key, strict=True)


@pytest.mark.parametrize("recording", [RECORDING, thin_plate_reference.tiny()], ids=["fomm", "tps"])
def test_a_file_holds_what_pytorchs_state_dicts_hold(recording, tmp_path):
    config, checkpoint = recording.config, recording.checkpoint
    model = load_networks(config, checkpoint)
    path = tmp_path / "new" / "model.safetensors"
    save_weights(path, model, config)
    tensors, texts = parse(path)
    expected = {
        f"{name}.{key}": tensor
        for name in nnx.state(model)
        for key, tensor in checkpoint[name].items()
    }
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensors[name], tensor, err_msg=name, strict=True)
    assert from_json(texts["config"]) == load_config(path) == config
    assert_same_weights(load_pretrained(path, config), model)
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_pytorch_reads_a_file(tmp_path):
    torch = import_torch()
    from safetensors.torch import load_file

    save_weights(tmp_path / "model.safetensors", load_networks(CONFIG, CHECKPOINT), CONFIG)
    tensors = load_file(tmp_path / "model.safetensors")
    kernel = CHECKPOINT["generator"]["final.weight"]
    assert torch.equal(tensors["generator.final.weight"], torch.tensor(kernel))


def test_an_animator_needs_the_file_alone(tmp_path):
    frames = np.moveaxis(RECORDING.arrays["inputs/driving"], 1, -1)[:3]
    animator = Animator.from_checkpoint(RECORDING.checkpoint_path, CONFIG, batch_size=3)
    animator.save(tmp_path / "model.safetensors")
    again = Animator.from_checkpoint(tmp_path / "model.safetensors", batch_size=3)
    assert (again.config, again.fingerprint) == (animator.config, animator.fingerprint)
    expected = list(animator.animate(frames[2], frames))
    np.testing.assert_array_equal(list(again.animate(frames[2], frames)), expected)
    assert not any(
        name.startswith("disc") for name in read_safetensors(tmp_path / "model.safetensors")
    )


def test_conversions_keep_every_bit(tmp_path):
    """From PyTorch's file through safetensors and a checkpoint of ours, and back."""
    file, folder, again = (tmp_path / name for name in ("a.safetensors", "W", "b.safetensors"))
    lines = convert_to_safetensors(CONFIG, str(RECORDING.checkpoint_path), str(file))
    assert lines == [f"wrote {file}"]
    absent, wrote = convert_from_torch(load_config(file), str(file), str(folder))
    assert "has no optimizer_discriminator, optimizer_generator, optimizer_kp_detector" in absent
    assert wrote == f"wrote {folder}/checkpoints/0"
    assert convert_to_safetensors(load_config(folder), str(folder), str(again))
    assert file.read_bytes() == again.read_bytes()
    back = tmp_path / "back.pth.tar"
    assert convert_to_torch(load_config(again), str(again), str(back)) == [f"wrote {back}"]
    states = read_torch_file(back)
    assert states.keys() == set(NETWORKS)
    assert_same_networks(states, CHECKPOINT)
    with pytest.raises(InputError, match=rf"^{again}: exists already"):
        convert_to_safetensors(CONFIG, str(folder), str(again))


def test_a_file_that_others_made_needs_a_configuration(tmp_path):
    """They join the names by dots, too, and may have the prefix of DataParallel."""
    path = tmp_path / "vox.safetensors"
    tensors = {
        f"{network}.module.{key}": tensor
        for network in ("generator", "kp_detector")
        for key, tensor in CHECKPOINT[network].items()
    }
    write_safetensors(path, tensors | {"epoch": np.array(3)}, {"format": "pt"})
    with pytest.raises(InputError, match=rf"^{path}: carries no configuration; expected"):
        Animator.from_checkpoint(path)
    model = load_pretrained(path, CONFIG)
    assert_same_weights(model.generator, load_networks(CONFIG, CHECKPOINT).generator)
