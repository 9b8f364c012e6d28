"""Conversion between `Config`, `ConfigDict` and the command line."""

import dataclasses
import re
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from absl import flags
from config_helpers import CONFIGS, MODELS, config_of, fields_of, with_fields
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import config_flags

from fomm_jax.config.parsing import EXPECTED, from_config_dict, parse, to_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_of_models(name):
    config = config_of(name)
    assert from_config_dict(to_config_dict(config)) == config


def any_value(hint: Any) -> st.SearchStrategy:
    """Return a strategy for the values of a type; text is never empty, since "" stands for None."""
    if dataclasses.is_dataclass(hint):
        fields = {name: any_value(field) for name, field in get_type_hints(hint).items()}
        return st.builds(hint, **fields)
    inner = get_args(hint)
    if NoneType in inner:
        return st.none() | any_value(inner[0])
    if Ellipsis in inner:
        return st.lists(any_value(inner[0]), max_size=6).map(tuple)
    if inner:
        return st.tuples(*map(any_value, inner))
    return {
        bool: st.booleans(),
        int: st.integers(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(min_size=1, max_size=8),
    }[hint]


@settings(deadline=None)
@given(any_value(Config))
def test_round_trip_of_any_values(config):
    assert parse(to_config_dict(config).to_dict()) == config


@settings(deadline=None)  # the first example imports matplotlib
@given(any_value(Config), st.sampled_from([field for field, _ in fields_of(Config)]))
def test_any_value_is_accepted_unchanged_or_refused_in_one_line(values, field):
    config = with_fields(config_of("tiny"), **{field.replace(".", "__"): attrgetter(field)(values)})
    try:
        accepted = from_config_dict(to_config_dict(config))
    except InputError as error:
        refusal = str(error)
    else:
        refusal = None
        assert accepted == config
    assert refusal is None or re.fullmatch(r"config\.[\w.]+: .+", refusal)


def test_ints_and_lists_stand_for_floats_and_tuples():
    config = parse(
        {
            "train": {"lr_generator": 1, "scales": [1, 0.5]},
            "dataset": {"augmentation": {"crop_size": [4, 5]}},
        }
    )
    assert config.train.lr_generator == 1.0
    assert type(config.train.lr_generator) is float
    assert config.train.scales == (1.0, 0.5)
    assert [type(scale) for scale in config.train.scales] == [float, float]
    assert config.dataset.augmentation.crop_size == (4, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trian": {}}, "config.trian: no such field; the nearest known one is config.train"),
        (
            {"train": {"batchsize": 4}},
            "config.train.batchsize: no such field; the nearest known one is"
            " config.train.batch_size",
        ),
        ({"train": 3}, "config.train: expected a section, got 3"),
        (
            {"train": {"batch_size": 4.0}},
            "config.train.batch_size: expected a whole number, such as 10, got 4.0",
        ),
        (
            {"train": {"batch_size": True}},
            "config.train.batch_size: expected a whole number, such as 10, got True",
        ),
        (
            {"train": {"lr_generator": "2e-4"}},
            "config.train.lr_generator: expected a number, such as 0.5, got the text '2e-4'",
        ),
        (
            {"train": {"lr_generator": float("nan")}},
            "config.train.lr_generator: expected a finite number, got nan",
        ),
        (
            {"train": {"lr_generator": 10**400}},
            "config.train.lr_generator: expected a finite number, got inf",
        ),
        (
            {"train": {"scales": 1.0}},
            "config.train.scales: expected a list of numbers, such as [1, 0.5], got 1.0",
        ),
        (
            {"train": {"scales": (1, "a")}},
            "config.train.scales[1]: expected a number, such as 0.5, got the text 'a'",
        ),
        (
            {"dataset": {"frame_shape": (8, 8)}},
            "config.dataset.frame_shape: expected a list of 3 whole numbers, such as"
            " [256, 256, 3], got (8, 8)",
        ),
        (
            {"dataset": {"pairs_list": 1}},
            "config.dataset.pairs_list: expected text, such as 'videos', got 1",
        ),
        (
            {"compat": {"align_corners": 1}},
            "config.compat.align_corners: expected True or False, got 1",
        ),
    ],
)
def test_unknown_fields_and_wrong_types_are_refused(values, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse(values)


def test_every_type_of_a_field_has_words():
    def plain_types(section):
        for hint in get_type_hints(section).values():
            if dataclasses.is_dataclass(hint):
                yield from plain_types(hint)
            else:
                yield get_args(hint)[0] if NoneType in get_args(hint) else hint

    assert set(plain_types(Config)) <= set(EXPECTED)


def test_values_of_numpy_stand_for_those_of_python():
    config = parse(
        {
            "train": {
                "batch_size": np.int64(4),
                "lr_generator": np.float32(0.5),
                "scales": np.array([1.0, 0.5]),
                "remat": np.bool_(True),
            },
            "dataset": {"frame_shape": (np.int32(8), 8, np.uint8(3))},
        }
    )
    assert (config.train.batch_size, type(config.train.batch_size)) == (4, int)
    assert (config.train.lr_generator, type(config.train.lr_generator)) == (0.5, float)
    assert config.train.scales == (1.0, 0.5)
    assert config.train.remat is True
    assert [type(side) for side in config.dataset.frame_shape] == [int, int, int]


# ml_collections loads configuration files by a method that Python will remove.
@pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")
def test_overrides_on_the_command_line(monkeypatch):
    monkeypatch.syspath_prepend(CONFIGS.parent)
    arguments = [
        "main.py",
        f"--config={CONFIGS / 'mgif_256.py'}",
        "--config.train.lr_generator=1",
        "--config.train.lr_kp_detector=0",
        "--config.train.scales=(1, 0.5)",
        "--config.train.epoch_milestones=(3,)",
        "--config.train.loss_weights.perceptual=(1,2,3,4,5)",
        "--config.dataset.pairs_list=pairs.csv",
        "--config.dataset.augmentation.rotation_degrees=(-10, 10)",
        "--config.dataset.augmentation.crop_size=()",
        "--config.dataset.augmentation.resize_ratio=()",
        "--noconfig.model.discriminator.sn",
    ]
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=arguments)
    values(arguments)
    config = from_config_dict(values.config)
    assert config == with_fields(
        config_of("mgif_256"),
        train__lr_generator=1.0,
        train__lr_kp_detector=0.0,
        train__scales=(1.0, 0.5),
        train__epoch_milestones=(3,),
        train__loss_weights__perceptual=(1.0, 2.0, 3.0, 4.0, 5.0),
        dataset__pairs_list="pairs.csv",
        dataset__augmentation__rotation_degrees=(-10.0, 10.0),
        dataset__augmentation__crop_size=None,
        dataset__augmentation__resize_ratio=None,
        model__discriminator__sn=False,
    )


def test_numbers_of_numpy_fit_fields_that_may_be_none():
    values = {
        "dataset": {"augmentation": {"crop_size": np.array([64, 32])}},
        "reconstruct": {"num_videos": np.int64(5)},
    }
    config = parse(values)
    assert config.dataset.augmentation.crop_size == (64, 32)
    assert config.reconstruct.num_videos == 5
    assert type(config.reconstruct.num_videos) is int
