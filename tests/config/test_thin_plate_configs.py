"""The configurations of thin-plate spline models, and the YAML files of their original."""

import dataclasses

import pytest
from config_helpers import config_of, with_fields

from configs import from_yaml
from fomm_jax.config.avd_stage import avd_stage
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.validation import check_config
from fomm_jax.errors import InputError

# The values in which the original's four YAML files differ: (num_repeats, batch_size), bg,
# (dropout_startp, dropout_maxp, bg_start), and of train_avd_params (num_epochs, num_repeats,
# checkpoint_freq, epoch_milestones).
ORIGINAL_FACTS = {
    "vox_256": ((75, 28), True, (0.1, 0.3, 10), (200, 300, 50, (140, 180))),
    "taichi_256": ((150, 28), True, (0.0, 0.7, 0), (100, 150, 10, (70, 90))),
    "mgif_256": ((50, 28), False, (0.2, 0.5, 0), (100, 50, 10, (70, 90))),
    "ted_384": ((150, 12), True, (0.0, 0.5, 0), (30, 500, 10, (20, 25))),
}
# What the four share, as the original writes it.
YAML = """
dataset_params:
  root_dir: {root_dir}
  frame_shape: null
  id_sampling: {id_sampling}
  augmentation_params:
    flip_param: {{horizontal_flip: True, time_flip: True}}
    {augmentation}
model_params:
  common_params: {{num_tps: 10, num_channels: 3, bg: {bg}, multi_mask: True}}
  generator_params: {{block_expansion: 64, max_features: 512, num_down_blocks: 3}}
  dense_motion_params:
    {{block_expansion: 64, max_features: 1024, num_blocks: 5, scale_factor: 0.25}}
  avd_network_params: {{id_bottle_size: 128, pose_bottle_size: 128}}
train_params:
  {{num_epochs: 100, num_repeats: {repeats}, epoch_milestones: [70, 90], lr_generator: 2.0e-4,
   batch_size: {batch}, scales: [1, 0.5, 0.25, 0.125], dataloader_workers: 12, checkpoint_freq: 50,
   dropout_epoch: 35, dropout_maxp: {maxp}, dropout_startp: {startp}, dropout_inc_epoch: 10,
   bg_start: {bg_start},
   transform_params: {{sigma_affine: 0.05, sigma_tps: 0.005, points_tps: 5}},
   loss_weights:
     {{perceptual: [10, 10, 10, 10, 10], equivariance_value: 10, warp_loss: 10, bg: 10}}}}
train_avd_params:
  {{num_epochs: {avd[0]}, num_repeats: {avd[1]}, batch_size: 256, dataloader_workers: 24,
   checkpoint_freq: {avd[2]}, epoch_milestones: {milestones}, lr: 1.0e-3, lambda_shift: 1,
   lambda_affine: 1, random_scale: 0.25}}
visualizer_params: {{kp_size: 5, draw_border: True, colormap: gist_rainbow}}
"""
JITTER = "jitter_param: {brightness: 0.1, contrast: 0.1, saturation: 0.1, hue: 0.1}"
MGIF = """crop_param: {size: [256, 256]}
    resize_param: {ratio: [0.9, 1.1]}
    jitter_param: {hue: 0.5}"""


def write_yaml(folder, name):
    (repeats, batch), bg, (startp, maxp, bg_start), avd = ORIGINAL_FACTS[name]
    text = YAML.format(
        root_dir=config_of(f"tpsmm_{name}").dataset.root_dir,
        id_sampling=name != "mgif_256",
        augmentation=MGIF if name == "mgif_256" else JITTER,
        bg=bg,
        repeats=repeats,
        batch=batch,
        maxp=maxp,
        startp=startp,
        bg_start=bg_start,
        avd=avd,
        milestones=list(avd[3]),
    )
    path = folder / "model.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ORIGINAL_FACTS)
def test_models_have_the_values_of_the_original(name, tmp_path):
    ours = config_of(f"tpsmm_{name}")
    original = from_config_dict(from_yaml.get_config(write_yaml(tmp_path, name)))
    # The original has no such fields, or takes frames of any size.
    dataset = dataclasses.replace(
        original.dataset,
        frame_shape=ours.dataset.frame_shape,
        pairs_list=ours.dataset.pairs_list,
    )
    assert dataclasses.replace(original, dataset=dataset, animate=ours.animate) == ours


def test_the_model_is_recognised_by_its_keys(tmp_path):
    config = from_config_dict(from_yaml.get_config(write_yaml(tmp_path, "vox_256")))
    assert config.model.name == "thin-plate"
    assert config.train.loss_weights.equivariance_jacobian == 0
    assert config.animate.normalization == config_of("tpsmm_vox_256").animate.normalization
    assert config.animate.normalization.adapt_movement_scale
    assert config.dataset.frame_shape == (256, 256, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model__thin_plate__generator__num_down_blocks": 2}, "num_down_blocks: expected 3"),
        (
            {
                "model__thin_plate__dense_motion__scale_factor": 1 / 3,
                "dataset__frame_shape": (48, 48, 3),
            },
            "scale_factor: expected one of",
        ),
        ({"model__thin_plate__dense_motion__num_blocks": 1}, "num_blocks: expected at least 2"),
        ({"train__loss_weights__generator_gan": 1.0}, "generator_gan: expected 0"),
        ({"train__loss_weights__equivariance_jacobian": 1.0}, "equivariance_jacobian: expected 0"),
        ({"model__thin_plate__multi_mask": False}, "warp_loss: expected 0"),
        ({"dataset__frame_shape": (36, 36, 3)}, "height 36"),
        ({"train__batch_size": 1}, "train.batch_size: expected at least 2, .* in the ResNets"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        check_config(with_fields(config_of("tpsmm_tiny"), **fields))


def test_the_first_order_model_has_no_losses_of_the_other_model():
    with pytest.raises(InputError, match="warp_loss: expected 0"):
        check_config(with_fields(config_of("tiny"), train__loss_weights__warp_loss=1.0))


def test_the_stage_of_the_avd_network_has_a_course_of_its_own():
    config = config_of("tpsmm_vox_256")
    stage = avd_stage(config, finished_model="W")
    train = stage.train
    assert (train.stage, train.init_from, train.batch_size) == ("avd", "W", 256)
    assert (train.num_epochs, train.num_repeats, train.checkpoint_freq) == (200, 300, 50)
    assert train.epoch_milestones == (140, 180)
    assert not any(train.loss_weights.perceptual)
    assert dataclasses.replace(stage, train=config.train) == config


def test_the_avd_network_needs_pairs_to_normalise_by():
    config = with_fields(config_of("tpsmm_tiny"), train_avd__batch_size=1)
    with pytest.raises(InputError, match=r"train_avd.batch_size: expected at least 2, .* the AVD"):
        avd_stage(config, finished_model="W")


def test_the_first_order_model_has_no_avd_network():
    with pytest.raises(InputError, match=r"train.stage: expected 'motion'"):
        avd_stage(config_of("tiny"), finished_model="W")
