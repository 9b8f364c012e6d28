"""Checkpoints of the original are converted both ways, bit for bit."""

import jax
import numpy as np
import pytest
import reference
from flax import nnx

from fomm_jax.config.parsing import parse, to_config_dict
from fomm_jax.errors import InputError
from fomm_jax.parity.trainer import by_torch_key
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.find_checkpoint import find_checkpoint
from fomm_jax.weights.restore import restore_epoch, restore_state
from fomm_jax.weights.torch.first_order import NETWORKS
from fomm_jax.weights.torch.from_original import load_networks, load_train_state
from fomm_jax.weights.torch.names import ANTIALIAS_KERNEL, variable_keys
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import abstract_state, make_optimizers

ADVERSARIAL = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")


def changed(network, **changes):
    """Return the adversarial checkpoint with changed tensors in a network; None removes one."""
    state = dict(ADVERSARIAL.checkpoint[network]) | changes
    state = {key: array for key, array in state.items() if array is not None}
    return dict(ADVERSARIAL.checkpoint) | {network: state}


def test_every_tensor_gets_to_its_place():
    networks = load_networks(ADVERSARIAL.config, ADVERSARIAL.checkpoint)
    arrays = by_torch_key(nnx.state(networks), ADVERSARIAL.config)
    expected = {
        f"{network}/{key}": array
        for network in NETWORKS
        for key, array in ADVERSARIAL.checkpoint[network].items()
        if not ANTIALIAS_KERNEL.search(key)
    }
    assert arrays.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(arrays[key], array, err_msg=key)


def test_a_missing_key_is_named():
    checkpoint = changed("generator", **{"final.weight": None})
    with pytest.raises(InputError, match=r"generator\.final\.weight of shape \(.*\) is missing$"):
        load_networks(ADVERSARIAL.config, checkpoint)


def test_unknown_keys_are_named():
    checkpoint = changed("kp_detector", extra=np.zeros(3), further=np.zeros(3))
    with pytest.raises(InputError, match=r"no kp_detector\.extra; .* no kp_detector\.further$"):
        load_networks(ADVERSARIAL.config, checkpoint)


def test_a_wrong_shape_is_named_with_both():
    weight = ADVERSARIAL.checkpoint["generator"]["final.weight"]
    checkpoint = changed("generator", **{"final.weight": weight[:, :-1]})
    with pytest.raises(
        InputError, match=r": generator\.final\.weight has .*\(3, 3, 7, 7\).*\(3, 4, 7, 7\)$"
    ):
        load_networks(ADVERSARIAL.config, checkpoint)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("num_kp", 7, r"is 7, .* fits 3: kp_detector.kp.weight has shape \(3, .* for \(7, "),
        ("estimate_jacobian", False, "is False, .* fits True: kp_detector.jacobian.weight has"),
        ("kp_detector.num_blocks", 3, r"is 3, .* fits 2: kp_detector\.predictor\.encoder"),
        ("kp_detector.max_features", 16, "is 16, .* fits 8: kp_detector.predictor.encoder"),
        ("kp_detector.scale_factor", 1.0, r"is 1.0, .* fits 0.5: kp_detector.down.weight has"),
        ("generator.block_expansion", 8, r"is 8, .* fits 4: generator.first.conv.weight"),
        ("generator.num_bottleneck_blocks", 2, r"is 2, .* fits 1: generator.bottleneck.r0"),
        ("generator.estimate_occlusion_map", False, "is False, .* fits True: .*occlusion.weight"),
        ("generator.dense_motion.num_blocks", 1, "is 1, .* fits 2: generator.dense_motion_network"),
        ("discriminator.use_kp", False, r"is False, .* fits True: discriminator.discs.1.down_bl"),
        ("discriminator.sn", False, r"is False, .* fits True: .* the config asks for \(none\)"),
        ("discriminator.scales", (1.0,), r"is \(1.0,\), .* fits \(1.0, 0.5\): .*discs.0-5"),
    ],
)
def test_another_architecture_is_refused_by_its_field(field, value, words):
    """The message has the field, its value, the value that fits, and both shapes."""
    values = to_config_dict(ADVERSARIAL.config)
    values.model.update_from_flattened_dict({field: value})
    with pytest.raises(InputError, match=rf"^config\.model\.{field} {words}"):
        load_networks(parse(values.to_dict()), ADVERSARIAL.checkpoint)


def test_a_bound_of_channels_that_no_block_reaches_may_be_larger():
    def with_bound(bound):
        values = to_config_dict(ADVERSARIAL.config)
        values.model.generator.max_features = bound
        return parse(values.to_dict())

    optimizers = make_optimizers(ADVERSARIAL.config, 1)
    abstract = abstract_state(with_bound(16), optimizers)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), abstract)
    checkpoint = to_checkpoint(with_bound(16), state, 0)
    load_networks(with_bound(1024), checkpoint)
    with pytest.raises(InputError, match=r"generator.max_features is 8, .* fits at least 16"):
        load_networks(with_bound(8), checkpoint)


def test_checkpoints_of_old_pytorch_versions_are_read():
    """They lack counters and right singular vectors, and may have the prefix of DataParallel.

    A counter that they do have is an array of one axis.
    """
    networks = load_networks(ADVERSARIAL.config, ADVERSARIAL.checkpoint)
    old = {
        network: {
            f"module.{key}": array
            for key, array in ADVERSARIAL.checkpoint[network].items()
            if not key.endswith(("num_batches_tracked", "weight_v"))
        }
        for network in NETWORKS
    }
    key = "predictor.encoder.down_blocks.0.norm.num_batches_tracked"
    old["kp_detector"][f"module.{key}"] = np.array([0])
    from_old = load_networks(ADVERSARIAL.config, old)
    expected, variables = (
        dict(nnx.to_flat_state(nnx.state(each))) for each in (networks, from_old)
    )
    for path, variable in expected.items():
        if path[-1] == "right":
            # Half a step of power iteration: the left vector times the kernel's matrix, normalised.
            layer = path[:-1]
            matrix = np.asarray(expected[(*layer, "conv", "kernel")][...]).transpose(3, 2, 0, 1)
            vector = expected[(*layer, "left")][...] @ matrix.reshape(len(matrix), -1)
            variable = vector / np.linalg.norm(vector)
        np.testing.assert_allclose(variables[path][...], variable[...], rtol=1e-6, atol=1e-7)


def test_a_missing_discriminator_is_random():
    checkpoint = {name: ADVERSARIAL.checkpoint[name] for name in ("generator", "kp_detector")}
    first = load_networks(ADVERSARIAL.config, checkpoint)
    kernels = [
        leaf
        for leaf in jax.tree.leaves(nnx.state(first.discriminator, nnx.Param))
        if leaf.ndim == 4
    ]
    assert all(np.std(kernel) > 0 for kernel in kernels)
    with pytest.raises(InputError, match="has no kp_detector"):
        load_networks(ADVERSARIAL.config, {"generator": checkpoint["generator"]})


def checkpoint_files():
    shared = sorted(reference.SHARED.glob("small/*/*.pth.tar"))
    return [*sorted(reference.IN_REPOSITORY.glob("*/*.pth.tar")), *shared]


def assert_same_tensors(tensors, expected):
    """Assert that the keys and their order are the same, and the tensors bit for bit."""
    assert list(tensors) == list(expected)
    for key, tensor in expected.items():
        assert (tensors[key].dtype, tensors[key].shape) == (tensor.dtype, tensor.shape), key
        assert tensors[key].tobytes() == tensor.tobytes(), key


@pytest.mark.parametrize(
    "path", checkpoint_files(), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_converting_both_ways_keeps_every_bit(path, tmp_path):
    config = reference.Recording(path.parent).config
    optimizers = make_optimizers(config, 1)
    checkpoint = read_torch_file(path)
    state = load_train_state(config, checkpoint, optimizers)
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(int(state.step), state, checkpoint["epoch"])
    folder = find_checkpoint(tmp_path)
    abstract = jax.eval_shape(lambda: state)
    restored = restore_state(folder, abstract)
    write_torch_file(
        tmp_path / "back.pth.tar", to_checkpoint(config, restored, restore_epoch(folder))
    )
    back = read_torch_file(tmp_path / "back.pth.tar")
    assert back["epoch"] == checkpoint["epoch"]
    for network in NETWORKS:
        assert_same_tensors(back[network], checkpoint[network])
        adam = checkpoint.get(f"optimizer_{network}")
        if adam is None:
            assert back[f"optimizer_{network}"]["state"] == {}
            continue
        adam_back = back[f"optimizer_{network}"]
        assert adam_back["state"].keys() == adam["state"].keys()
        for number, moments in adam["state"].items():
            assert_same_tensors(adam_back["state"][number], moments)
        for group, expected in zip(adam_back["param_groups"], adam["param_groups"], strict=True):
            for field in ("lr", "betas", "eps", "weight_decay", "amsgrad", "params"):
                assert group[field] == expected[field], field


def test_moments_that_do_not_fit_are_refused():
    recording = ADVERSARIAL
    optimizers = make_optimizers(recording.config, 1)
    state = load_train_state(recording.config, recording.checkpoint, optimizers)
    checkpoint = to_checkpoint(recording.config, state, 0)
    moment = {"step": np.float32(1), "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}
    adam = checkpoint["optimizer_generator"]
    adam["state"] = {number: moment for number in adam["param_groups"][0]["params"]}
    with pytest.raises(InputError, match=r"^optimizer_generator: exp_avg of .* has shape \(3,\)"):
        load_train_state(recording.config, checkpoint, optimizers)
    del adam["state"][0]
    with pytest.raises(InputError, match=r"^optimizer_generator: .* moments of \d+ parameters"):
        load_train_state(recording.config, checkpoint, optimizers)


@pytest.mark.parametrize("count", [-1, 2**31])
def test_a_number_of_steps_beyond_32_bits_is_refused(count):
    config = ADVERSARIAL.config
    optimizers = make_optimizers(config, 1)
    state = load_train_state(config, ADVERSARIAL.checkpoint, optimizers)
    checkpoint = to_checkpoint(config, state, 0)
    adam = checkpoint["optimizer_kp_detector"]
    params = nnx.State({"kp_detector": state.params["kp_detector"]})
    adam["state"] = {
        number: {"step": count, **dict.fromkeys(("exp_avg", "exp_avg_sq"), moment)}
        for number, moment in enumerate(
            checkpoint["kp_detector"][key] for _, _, key in variable_keys(params, config)
        )
    }
    with pytest.raises(InputError, match=rf"^optimizer_kp_detector: has counted {count} steps; "):
        load_train_state(config, checkpoint, optimizers)


def test_weights_keep_their_precision(x64):
    model = ADVERSARIAL.model(np.float64)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))}
    assert dtypes == {np.dtype(np.float64)}
