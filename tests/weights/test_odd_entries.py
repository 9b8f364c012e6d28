"""Checkpoints of the original whose entries are unusual: read, left out with a line, or named."""

import argparse
import collections
import datetime
import fractions
import pathlib
import pickle
import warnings

import jax
import numpy as np
import pytest
import reference
from flax import nnx
from torch_files import zip_file

from fomm_jax.errors import InputError
from fomm_jax.weights.find_checkpoint import find_checkpoint
from fomm_jax.weights.load import load_pretrained
from fomm_jax.weights.restore import restore_epoch
from fomm_jax.weights.torch.convert import convert_from_torch, convert_perceptual, convert_to_torch
from fomm_jax.weights.torch.describe import describe_weights
from fomm_jax.weights.torch.from_original import (
    load_networks,
    load_train_state,
    read_epoch,
    read_original,
)
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import make_optimizers

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
CONFIG = RECORDING.config
WHOLE = RECORDING.checkpoint
KERNEL = "dense_motion_network.hourglass.encoder.down_blocks.0.conv.weight"


@pytest.mark.parametrize(
    "epoch", [3, np.array(3), np.array([3]), np.array(3.0), "3", 3.0, np.array(3, np.uint8)]
)
def test_an_epoch_is_read_in_every_form_of_a_number(epoch):
    assert read_epoch({"epoch": epoch}) == 3
    assert read_epoch({}) == 0


@pytest.mark.parametrize(
    "epoch",
    [None, -1, "-1", "three", 2.5, True, 10**20, np.array(-1), np.arange(3), float("nan"), [3]],
)
def test_another_epoch_is_refused_before_anything_is_written(epoch, tmp_path):
    with pytest.raises(InputError, match=r"^epoch: expected a whole number from 0 on, got "):
        read_epoch({"epoch": epoch})
    path = tmp_path / "file.pth.tar"
    write_torch_file(path, dict(WHOLE) | {"epoch": epoch})
    with pytest.raises(InputError, match=rf"^{path}: epoch: .*"):
        convert_from_torch(CONFIG, str(path), str(tmp_path / "W"))
    assert not (tmp_path / "W").exists()


def test_an_epoch_that_is_a_tensor_is_converted(tmp_path):
    path = tmp_path / "epoch_tensor.pth.tar"
    write_torch_file(path, dict(WHOLE) | {"epoch": np.array(3)})
    convert_from_torch(CONFIG, str(path), str(tmp_path / "W"))
    assert restore_epoch(find_checkpoint(tmp_path / "W")) == 3


def test_further_entries_are_left_out_with_a_line(tmp_path, capsys):
    path = tmp_path / "file.pth.tar"
    others = {"iteration": 7, "bg_predictor": {"weight": np.zeros(2, np.float32)}}
    write_torch_file(path, dict(WHOLE) | others)
    checkpoint = read_original(path)
    assert checkpoint.keys() == WHOLE.keys()
    line = f"warning: {path}: left out bg_predictor, iteration, which the model has no place for"
    assert capsys.readouterr().err.splitlines() == [line]
    load_pretrained(path, CONFIG)


def test_further_entries_of_any_class_are_left_out(tmp_path, capsys):
    """Programs store their flags, schedules and best scores, which are objects of many classes."""
    entries = {
        "args": argparse.Namespace(lr=1, path=pathlib.Path("x")),
        "best": np.float64(0.5),
        "schedule": {"milestones": collections.Counter({60: 1}), "when": datetime.date(2020, 1, 2)},
        "objects": [fractions.Fraction(1, 3), {1, 2}, bytearray(b"x"), 1 + 2j],
        "generator": {"final.bias": [1]},
        "kp_detector": {},
    }
    for protocol in (2, 4):
        path = zip_file(tmp_path / f"{protocol}.pth.tar", pickle.dumps(entries, protocol))
        checkpoint = read_original(path)
        assert checkpoint == {"generator": {"final.bias": [1]}, "kp_detector": {}}
        assert "left out args, best, objects, schedule, which" in capsys.readouterr().err
    entries["generator"]["final.bias"] = fractions.Fraction(1, 3)
    path = zip_file(tmp_path / "file.pth.tar", pickle.dumps(entries, 2))
    with pytest.raises(InputError, match=r"asks for 'fractions\.Fraction', but only tensors"):
        read_original(path)


def test_a_file_without_the_networks_says_what_it_has(tmp_path):
    path = tmp_path / "file.pth"
    write_torch_file(path, {"state_dict": {}, "arch": "vgg"})
    with pytest.raises(
        InputError, match=r"with generator and kp_detector; it has state_dict, arch"
    ):
        read_original(path)
    write_torch_file(path, [1, 2])
    with pytest.raises(InputError, match=r"with generator and kp_detector; it has no entries"):
        read_original(path)


@pytest.mark.parametrize(
    ("network", "key"),
    [
        ("generator", KERNEL),
        ("generator", "bottleneck.r0.norm1.running_mean"),
        ("generator", "dense_motion_network.occlusion.weight"),
        ("kp_detector", "jacobian.bias"),
        ("kp_detector", "predictor.decoder.up_blocks.1.conv.weight"),
        ("discriminator", "discs.1.down_blocks.1.conv.weight_orig"),
        ("discriminator", "discs.0-5.conv.weight_u"),
    ],
)
def test_a_missing_tensor_is_called_as_in_the_file(network, key):
    state = {name: tensor for name, tensor in WHOLE[network].items() if name != key}
    assert len(state) < len(WHOLE[network])
    with pytest.raises(InputError) as caught:
        load_networks(CONFIG, dict(WHOLE) | {network: state})
    assert f"{network}.{key} " in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"generator": None}, "the checkpoint has no generator"),
        ({"generator": [1]}, "generator: expected a state dict, got list"),
        ({"discriminator": {}}, "discriminator.discs is missing"),
        ({"kp_detector": {"kp.weight": 3}}, "kp_detector.kp.weight: expected a tensor, got 3"),
        ({"kp_detector": {"kp.weight": np.ones(3)}}, "kp_detector.kp.weight has shape (3,)"),
        ({"kp_detector": {}}, "kp_detector.kp.weight is missing"),
        ({"optimizer_generator": {"a": 1}}, "optimizer_generator: expected the state of torch's A"),
        ({"optimizer_generator": "none"}, "optimizer_generator: expected the state of torch's A"),
    ],
)
def test_entries_of_another_kind_are_named(entries, words):
    with pytest.raises(InputError) as caught:
        load_train_state(CONFIG, dict(WHOLE) | entries, make_optimizers(CONFIG, 1))
    assert str(caught.value).startswith(words)


def test_entries_that_are_none_count_as_absent():
    checkpoint = dict(WHOLE) | {"discriminator": None, "optimizer_generator": None}
    assert load_train_state(CONFIG, checkpoint, make_optimizers(CONFIG, 1)).step == 0


def test_double_precision_is_converted_quietly():
    double = {
        network: {
            key: tensor.astype(np.float64) if tensor.dtype.kind == "f" else tensor
            for key, tensor in WHOLE[network].items()
        }
        for network in ("generator", "kp_detector", "discriminator")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_networks(CONFIG, double)
    expected = load_networks(CONFIG, WHOLE)
    for a, b in zip(*(jax.tree.leaves(nnx.state(each)) for each in (model, expected)), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_a_file_of_dataparallel_is_described(tmp_path):
    path = tmp_path / "file.pth.tar"
    prefixed = {
        network: {f"module.{key}": tensor for key, tensor in WHOLE[network].items()}
        for network in ("generator", "kp_detector")
    }
    write_torch_file(path, prefixed)
    lines = list(describe_weights(str(path), {}))
    assert "  num_kp = 3" in lines
    prefixed["generator"] = {"weight": np.zeros(3, np.float32)}
    path.unlink()
    write_torch_file(path, prefixed)
    lines = list(describe_weights(str(path), {}))
    assert lines[1].startswith("no config.model fits: generator.first.conv.weight is missing")
    assert "  weight float32 (3,)" in lines


def test_nothing_is_overwritten(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    with pytest.raises(InputError, match=rf"^{precious}: exists already"):
        convert_to_torch(CONFIG, str(tmp_path / "none"), str(precious))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=rf"^{link}: exists already"):
        convert_to_torch(CONFIG, str(tmp_path / "none"), str(link))
    (tmp_path / "vgg16.npz").write_text("precious")
    with pytest.raises(InputError, match=r"vgg16\.npz: exists already"):
        convert_perceptual("vgg16", str(tmp_path / "none"), str(tmp_path / "vgg16"))
    (tmp_path / "W" / "checkpoints" / "7").mkdir(parents=True)
    with pytest.raises(InputError, match=r"W/checkpoints: has a checkpoint already"):
        convert_from_torch(CONFIG, str(tmp_path / "none"), str(tmp_path / "W"))
    assert precious.read_text() == (tmp_path / "vgg16.npz").read_text() == "precious"
