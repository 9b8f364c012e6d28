"""YAML files of the original are read as the original reads them."""

from operator import attrgetter

import pytest
import yaml
from config_helpers import config_of

from configs import from_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.errors import InputError

# A file with only those keys that the original needs.
SHORT_YAML = """
dataset_params: {root_dir: videos}
model_params:
  common_params: {num_kp: 4, num_channels: 3}
  kp_detector_params: {temperature: 1, block_expansion: 8, max_features: 32, num_blocks: 3}
  generator_params:
    {block_expansion: 16, max_features: 64, num_down_blocks: 1, num_bottleneck_blocks: 2,
     dense_motion_params: {block_expansion: 8, max_features: 32, num_blocks: 3}}
  discriminator_params: {scales: [1]}
train_params:
  {num_epochs: 3, num_repeats: 2, epoch_milestones: [], lr_generator: 1, lr_discriminator: 0.5,
   lr_kp_detector: 0, batch_size: 6, scales: [1, 0.5], checkpoint_freq: 9,
   transform_params: {sigma_affine: 0.1},
   loss_weights: {generator_gan: 0, discriminator_gan: 1, feature_matching: [1, 2, 3, 4],
                  perceptual: [5, 6, 7, 8, 9], equivariance_value: 2, equivariance_jacobian: 0}}
"""


@pytest.fixture
def write_yaml(tmp_path):
    def write(content: str) -> str:
        path = tmp_path / "model.yaml"
        path.write_text(content)
        return str(path)

    return write


def test_keys_that_are_left_out_have_the_defaults_of_the_originals_constructors(write_yaml):
    config = from_config_dict(from_yaml.get_config(write_yaml(SHORT_YAML)))
    expected = {
        "dataset.frame_shape": (256, 256, 3),
        "dataset.id_sampling": False,
        "dataset.pairs_list": None,
        "dataset.random_seed": 0,
        "dataset.augmentation.time_flip": False,
        "dataset.augmentation.horizontal_flip": False,
        "dataset.augmentation.rotation_degrees": None,
        "dataset.augmentation.resize_ratio": None,
        "dataset.augmentation.crop_size": None,
        "dataset.augmentation.brightness": 0.0,
        "dataset.augmentation.contrast": 0.0,
        "dataset.augmentation.saturation": 0.0,
        "dataset.augmentation.hue": 0.0,
        "model.num_kp": 4,
        "model.estimate_jacobian": False,  # the default of `Config` is True
        "model.kp_detector.temperature": 1.0,
        "model.kp_detector.scale_factor": 1.0,
        "model.kp_detector.single_jacobian_map": False,
        "model.kp_detector.pad": 0,
        "model.generator.estimate_occlusion_map": False,
        "model.generator.block_expansion": 16,
        "model.generator.dense_motion.block_expansion": 8,
        "model.generator.dense_motion.scale_factor": 1.0,
        "model.generator.dense_motion.kp_variance": 0.01,
        "model.discriminator.block_expansion": 64,
        "model.discriminator.num_blocks": 4,
        "model.discriminator.max_features": 512,
        "model.discriminator.sn": False,
        "model.discriminator.use_kp": False,
        "model.discriminator.kp_variance": 0.01,
        "train.lr_generator": 1.0,
        "train.lr_discriminator": 0.5,
        "train.lr_kp_detector": 0.0,
        "train.scales": (1.0, 0.5),
        "train.transform.sigma_affine": 0.1,
        "train.transform.sigma_tps": 0.0,
        "train.transform.points_tps": 0,  # affine
        "train.loss_weights.feature_matching": (1.0, 2.0, 3.0, 4.0),
        "train.loss_weights.perceptual": (5.0, 6.0, 7.0, 8.0, 9.0),
        "visualize.kp_size": 5,
        "visualize.draw_border": False,
        "visualize.colormap": "gist_rainbow",
        "compat.align_corners": False,
    }
    assert {field: attrgetter(field)(config) for field in expected} == expected


def test_empty_sections_have_the_defaults_of_the_originals_constructors(write_yaml):
    tree = yaml.safe_load(SHORT_YAML)
    tree["dataset_params"]["augmentation_params"] = {
        "resize_param": {},
        "crop_param": {"size": 64},
        "rotation_param": {"degrees": 15},
        "flip_param": {"time_flip": True},
        "jitter_param": None,
    }
    animate = {"num_pairs": 3, "format": ".gif", "normalization_params": {}}
    tree |= {"animate_params": animate, "compat": {"align_corners": True}}
    tree["reconstruction_params"] = {"num_videos": None, "format": ".mp4"}
    config = from_config_dict(from_yaml.get_config(write_yaml(yaml.safe_dump(tree))))
    augmentation = config.dataset.augmentation
    assert augmentation.resize_ratio == (3 / 4, 4 / 3)
    assert augmentation.resize_interpolation == "nearest"
    assert augmentation.crop_size == (64, 64)
    assert augmentation.rotation_degrees == (-15.0, 15.0)
    assert (augmentation.time_flip, augmentation.horizontal_flip) == (True, False)
    assert augmentation.hue == 0
    assert (config.animate.num_pairs, config.animate.format) == (3, ".gif")
    assert config.reconstruct.num_videos is None  # all of them
    assert not config.animate.normalization.adapt_movement_scale
    assert not config.animate.normalization.use_relative_movement
    assert not config.animate.normalization.use_relative_jacobian
    assert config.compat.align_corners


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "train_params.batchsize",
            4,
            "train_params.batchsize: unknown key; the nearest known one is train_params.batch_size",
        ),
        ("seed", 4, "seed: unknown key; the nearest known one is "),
        (
            "model_params.generator_params.dense_motion",
            {},
            "model_params.generator_params.dense_motion: unknown key; the nearest known one is"
            " model_params.generator_params.dense_motion_params",
        ),
        # A field of `Config` that the original does not have.
        ("train_params.seed", 4, "train_params.seed: unknown key"),
        (
            "model_params.generator_params.dense_motion_params",
            None,
            "model_params.generator_params.dense_motion_params: missing, and a model without",
        ),
        ("model_params", None, "model_params: missing"),
        ("train_params.loss_weights", None, "train_params.loss_weights: missing"),
        ("train_params", [1], "train_params: expected a section with keys, got [1]"),
        (
            "train_params.lr_generator",
            "fast",
            "train_params.lr_generator: expected a number, such as 0.5, got the text 'fast'",
        ),
        ("train_params.scales", [1, "a"], "train_params.scales[1]: expected a number, such as 0.5"),
        ("train_params.batch_size", 0, "train_params.batch_size: expected at least 1, got 0"),
        ("train_params.num_epochs", 10**20, "train_params.num_epochs: expected at most 2147483647"),
        ("train_params.lr_generator", 1e39, "train_params.lr_generator: expected at most 3.4e+38"),
        (
            "dataset_params.augmentation_params",
            {"crop_param": {"size": "big"}},
            "dataset_params.augmentation_params.crop_param.size: expected a list of 2 whole",
        ),
        (
            "model_params.kp_detector_params.temperature",
            1e-50,
            "model_params.kp_detector_params.temperature: expected more than 0 in float32",
        ),
    ],
)
def test_unknown_and_missing_keys_are_refused(write_yaml, path, value, message):
    tree = yaml.safe_load(SHORT_YAML)
    *sections, name = path.split(".")
    section = tree
    for key in sections:
        section = section[key]
    section[name] = value
    file = write_yaml(yaml.safe_dump(tree))
    with pytest.raises(InputError) as caught:
        from_yaml.get_config(file)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_file_without_a_required_key_is_refused(write_yaml):
    file = write_yaml(SHORT_YAML.replace("num_kp: 4, ", ""))
    with pytest.raises(InputError, match=r"model_params\.common_params\.num_kp: missing$"):
        from_yaml.get_config(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1", "not YAML"),
        ("\0\1", "not YAML"),
        ("date: 2001-99-99", "date: the text '2001-99-99' is no timestamp"),
        ("", "the file: expected a section with keys, got None"),
        ("just text", "the file: expected a section with keys, got the text 'just text'"),
    ],
)
def test_files_without_a_configuration_are_refused_in_one_line(write_yaml, content, message):
    file = write_yaml(content)
    with pytest.raises(InputError) as caught:
        from_yaml.get_config(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    missing = tmp_path / "none.yaml"
    with pytest.raises(InputError, match=r"none\.yaml: there is no such file, expected a YAML"):
        from_yaml.get_config(str(missing))
    with pytest.raises(InputError, match="expected a file"):
        from_yaml.get_config()


def test_the_reference_sets_load(shared):
    recordings = shared / "reference"
    files = [
        recordings / "animation" / "config.yaml",
        *(file for size in ("small", "full") for file in recordings.glob(f"{size}/*/config.yaml")),
    ]
    configs = {
        file.parent.name: from_config_dict(from_yaml.get_config(str(file))) for file in files
    }
    assert len(configs) == 9
    assert [name for name in configs if configs[name].compat.align_corners] == [
        "first_order_align_corners"
    ]
    assert not configs["zero_order"].model.estimate_jacobian
    assert configs["multiscale_kp_discriminator"].model.discriminator.scales == (1.0, 0.5)
    assert configs["multiscale_kp_discriminator"].model.discriminator.use_kp
    assert configs["no_occlusion_full_scale"].model.kp_detector.scale_factor == 1
    assert not configs["no_occlusion_full_scale"].model.generator.estimate_occlusion_map
    assert configs["spectral_norm_single_jacobian"].model.kp_detector.single_jacobian_map
    for name in ("mgif-256", "vox-adv-256"):
        config = config_of(name.replace("-", "_"))
        assert configs[name].model == config.model
        assert configs[name].train == config.train
    assert configs["animation"] == configs["first_order"]
