"""Models and their configurations are loaded from checkpoints, weight files and the original's."""

import dataclasses
import json
import shutil
from unittest import mock

import jax
import numpy as np
import pytest
import reference
from flax import nnx

from fomm_jax.animation.animator import Animator
from fomm_jax.config.parsing import from_json, to_json
from fomm_jax.errors import InputError
from fomm_jax.training.resume import Origin, first_state
from fomm_jax.training.step.program import Program
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.load import load_config, load_pretrained, load_state
from fomm_jax.weights.save import save_weights
from fomm_jax.weights.torch.from_original import load_train_state
from fomm_jax.weights.train_state import make_optimizers

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_zero_order")
CONFIG = RECORDING.config


@pytest.fixture(scope="module")
def networks():
    return RECORDING.model(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, networks):
    """Return a folder with a workdir, an older one whose checkpoint has no config, and a file."""
    folder = tmp_path_factory.mktemp("pretrained")
    optimizers = make_optimizers(CONFIG, 1)
    state = load_train_state(CONFIG, RECORDING.checkpoint, optimizers)
    for name, config in (("run", CONFIG), ("old", None)):
        with Checkpoints(folder / name, keep=1, config=config) as checkpoints:
            checkpoints.save(3, state, epoch=1)
    for name in ("weights.npz", "weights.safetensors"):
        save_weights(folder / name, networks, CONFIG)
    return folder


def test_a_configuration_survives_json():
    training = dataclasses.replace(CONFIG.train, epoch_milestones=(60, 90), lr_generator=1.5e-4)
    dataset = dataclasses.replace(CONFIG.dataset, pairs_list="pairs.csv", root_dir="Köpfe")
    config = dataclasses.replace(CONFIG, train=training, dataset=dataset)
    assert from_json(to_json(config)) == config
    with pytest.raises(InputError, match=r"^config: expected JSON"):
        from_json("{")
    with pytest.raises(InputError, match=r"^config\.trian: no such field"):
        from_json('{"trian": {}}')


@pytest.mark.parametrize(
    "name",
    ["run", "run/checkpoints", "run/checkpoints/3", "weights.npz", "weights.safetensors"],
)
def test_checkpoints_and_weight_files_carry_their_configuration(folder, networks, name):
    path = folder / name
    assert load_config(path) == CONFIG
    loaded = load_pretrained(path, CONFIG)
    for network in ("kp_detector", "generator"):
        expected = jax.tree.leaves(nnx.state(getattr(networks, network)))
        leaves = jax.tree.leaves(nnx.state(getattr(loaded, network)))
        assert len(leaves) == len(expected)
        for a, b in zip(leaves, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_weight_file_animates_like_the_checkpoint(folder, tmp_path):
    frames = np.moveaxis(RECORDING.arrays["inputs/driving"], 1, -1)[:3]
    from_run = Animator.from_checkpoint(folder / "run", batch_size=3)
    from_run.save(tmp_path / "new" / "model.npz")
    from_weights = Animator.from_checkpoint(tmp_path / "new" / "model.npz", batch_size=3)
    assert from_run.config == from_weights.config == CONFIG
    assert from_run.fingerprint == from_weights.fingerprint
    np.testing.assert_array_equal(
        list(from_run.animate(frames[2], frames)), list(from_weights.animate(frames[2], frames))
    )
    with pytest.raises(InputError, match=r"model: expected a name that ends in \.safetensors or"):
        from_run.save(tmp_path / "model")


@pytest.mark.parametrize("path", ["old", "checkpoint.pth.tar"])
def test_files_without_a_configuration_ask_for_one(folder, path):
    path = RECORDING.checkpoint_path if path.endswith("tar") else folder / path
    with pytest.raises(InputError, match="carries no configuration; expected") as error:
        Animator.from_checkpoint(path)
    assert str(error.value).startswith(f"{path}: ")
    assert Animator.from_checkpoint(path, CONFIG).batch_size == CONFIG.animate.batch_size


@pytest.mark.parametrize("name", ["weights.npz", "weights.safetensors"])
def test_training_from_a_weight_file_draws_the_discriminator_that_it_lacks(folder, name):
    optimizers = make_optimizers(CONFIG, 1)
    state = load_train_state(CONFIG, RECORDING.checkpoint, optimizers)
    other = jax.tree.map(lambda leaf: leaf + 1, state)
    path = str(folder / name)
    config = dataclasses.replace(CONFIG, train=dataclasses.replace(CONFIG.train, init_from=path))
    program = Program(abstract=state, initialise=lambda seed: other, train_step=None)
    origin = Origin(config, optimizers, program, begin_from=None)
    first = first_state(origin, mock.Mock(steps=[]), mock.Mock())
    for field in ("params", "statistics"):
        for network, arrays in getattr(first, field).items():
            is_drawn = network == "discriminator" and path.endswith(".npz")
            expected = getattr(other if is_drawn else state, field)[network]
            for a, b in zip(jax.tree.leaves(arrays), jax.tree.leaves(expected), strict=True):
                np.testing.assert_array_equal(a, b)
    assert set(first.params) == {"kp_detector", "generator", "discriminator"}
    with pytest.raises(
        InputError, match=r"holds no state of training .* or config\.train\.init_from"
    ):
        load_state(path, CONFIG, optimizers, state, None)


def damage(path, change):
    """Change the arrays in a weight file."""
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    with path.open("wb") as file:
        np.savez(file, **arrays)


def test_weight_files_that_cannot_be_used_are_refused(folder, tmp_path):
    path = tmp_path / "weights.npz"

    def message(content=None, change=None):
        shutil.copy(folder / "weights.npz", path)
        if content is not None:
            path.write_bytes(content)
        if change is not None:
            damage(path, change)
        with pytest.raises(InputError) as error:
            Animator.from_checkpoint(path)
        assert "\n" not in str(error.value)
        return str(error.value).removeprefix(f"{path}: ")

    whole = (folder / "weights.npz").read_bytes()
    unreadable = "is not a whole and readable .npz file"
    assert message(content=whole[:-100]).startswith("is cut short or damaged")
    assert message(content=b"").startswith("is empty; expected an .npz file")
    middle = len(whole) // 2
    assert message(content=whole[:middle] + bytes(64) + whole[middle + 64 :]) == unreadable
    assert message(change=lambda arrays: arrays.pop("config")).startswith("has no config")
    bias = "generator.final.bias"
    assert f"{bias} of shape (3,) is missing" in message(change=lambda arrays: arrays.pop(bias))
    assert f"{bias} has shape (4,), the config asks for (3,)" in message(
        change=lambda arrays: arrays.update({bias: np.zeros(4, np.float32)})
    )
    assert "the config has no generator.other" in message(
        change=lambda arrays: arrays.update({"generator.other": np.zeros(4)})
    )

    def rename_field(arrays):
        config = json.loads(str(arrays["config"]))
        config["modle"] = config.pop("model")
        arrays["config"] = np.asarray(json.dumps(config))

    assert message(change=rename_field).startswith("config.modle: no such field")
    path.unlink()
    with pytest.raises(InputError, match=r"weights\.npz: there is no such file"):
        Animator.from_checkpoint(path)
