"""YAML is read without its traps: as people mean it, or refused by the name of the key."""

import os

import pytest

from configs import from_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.strict_yaml import read_yaml
from fomm_jax.errors import InputError


@pytest.fixture
def read(tmp_path):
    def read(text, keys=("a", "b")):
        path = tmp_path / "file.yaml"
        path.write_text(text)
        return read_yaml(path, keys)

    return read


@pytest.fixture
def refused(read, tmp_path):
    """Return the message without the path with which it has to begin."""

    def refused(text):
        with pytest.raises(InputError) as caught:
            read(text)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'file.yaml'}: ")
        assert "\n" not in message
        return message.removeprefix(f"{tmp_path / 'file.yaml'}: ")

    return refused


@pytest.mark.parametrize("text", ["2e-4", "2E-4", "+2e-4", "2.e-4", "2.0e-4", ".2e-3", "0.0002"])
def test_a_number_with_an_exponent_is_a_number(read, text):
    (value,) = read(f"a: [{text}]")["a"]
    assert type(value) is float
    assert value == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        ("00.5", 0.5),
        ("0x10", 16),
        ("'010'", "010"),
        ("!!str 010", "010"),
        ("'1:30'", "1:30"),
        ("2e-4x", "2e-4x"),
        ("yes", True),
        ("~", None),
        ("C:/data", "C:/data"),
    ],
)
def test_values_that_mean_one_thing_are_read_as_before(read, text, value):
    actual = read(f"a: {text}")["a"]
    assert (type(actual), actual) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 8),
        ("-010", -8),
        ("1:30", 90),
        ("12:30:45", 45045),
        ("1:30.5", 90.5),
        ("0_7", 7),
        ("0b100", 4),
        ("1_000", 1000),
        ("1_000.5", 1000.5),
        ("0x1_0", 16),
    ],
)
def test_numbers_that_versions_of_yaml_read_differently_are_refused(refused, text, value):
    assert refused(f"a:\n  b: [1, {text}]").startswith(f"a.b[1]: {text} is {value} in old versions")


def test_a_key_that_is_given_twice_is_refused(refused):
    assert refused("a:\n  x: 1\n  b: 2\n  x: 1\n") == (
        "a.x: given twice, in lines 2 and 4; expected it once"
    )
    assert refused("a: {x: 1}\nb: 3\na: {y: 1}\n").startswith("a: given twice, in lines 1 and 3")
    assert refused("a: {on: 1, on: 2}").startswith("a.on: given twice")
    assert refused("a: [{x: 1}, {x: 1, 'x': 2}]").startswith("a[1].x: given twice")


def test_merged_mappings_give_way_to_own_keys(read):
    text = """
    base: &base {x: 1, y: 2}
    other: &other {y: 5, z: 6}
    a: {<<: *base, y: 3}
    b:
      <<: [*base, *other]
    """
    assert read(text) == {"a": {"x": 1, "y": 3}, "b": {"x": 1, "y": 2, "z": 6}}


def test_only_anchors_may_have_other_keys_at_the_top(read):
    assert read("rates: &rates {lr: 1}\na: *rates\nc: 1\n") == {"a": {"lr": 1}, "c": 1}
    assert read("a: &a {x: 1}\nb: *a\n") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]", "a[0]: holds itself"),
        ("a: 1\n---\nb: 2", "not YAML: expected a single document"),
        ("a:\n\t- 1", "not YAML: while scanning"),
        ("? [1, 2]\n: 3", "line 1: expected a key of text"),
        ("a: !!python/tuple [1]", "a: has the tag tag:yaml.org,2002:python/tuple; expected a pl"),
        ("a: !!python/name:os.system ''", "not YAML: could not determine a constructor"),
        ("a: {b: 2001-99-99}", "a.b: the text '2001-99-99' is no timestamp of YAML's"),
        ("a: {b: !!bool maybe}", "a.b: the text 'maybe' is no bool of YAML's"),
        ("a: !!int ''", "a: the text '' is no int of YAML's"),
        ("a: !!timestamp soon", "a: the text 'soon' is no timestamp of YAML's"),
        ("a: {<<: 3}", "a.<<: expected a section, got 3"),
        ("b: &b 3\na: {x: 1, <<: *b}", "a.<<: expected a section, got 3"),
        ("a: {<<: [{x: 1}, text]}", "a.<<: expected a section, got the text 'text'"),
        ("[" * 5000, "not YAML: "),
    ],
)
def test_what_has_no_value_is_refused_in_one_line(refused, text, words):
    assert refused(text).startswith(words)


def test_aliases_of_aliases_take_no_time(read):
    """Each line holds the line before nine times: 9^30 items if each were read anew."""
    lines = [
        "a0: &a0 [1]",
        *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 31)),
    ]
    assert len(read("\n".join([*lines, "a: *a30"]))["a"]) == 9


# The files of ../shared/faults/training, and what is said about them, after the path.
REFUSED = {
    "duplicate_key": "train_params.batch_size: given twice, in lines 44 and 45; expected it once",
    "octal": "train_params.batch_size: 010 is 8 in old versions of YAML",
    "sexagesimal": "train_params.num_epochs: 1:30 is 90 in old versions of YAML",
    "number_for_list": "train_params.epoch_milestones: expected a list of whole numbers, such as"
    " [60, 90], got 60",
    "frame_shape_text": "dataset_params.frame_shape: expected a list of 3 whole numbers, such as"
    " [256, 256, 3], got the text '32,32,3'",
}


@pytest.mark.parametrize(("name", "message"), REFUSED.items(), ids=REFUSED)
def test_traps_that_people_fell_into(shared, name, message):
    path = shared / "faults" / "training" / f"{name}.yaml"
    with pytest.raises(InputError) as caught:
        from_yaml.get_config(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("name", ["exponent_without_point", "anchor_holder"])
def test_files_that_mean_the_same_are_read_the_same(shared, name):
    folder = shared / "faults" / "training"
    good, other = (
        from_config_dict(from_yaml.get_config(str(folder / f"{stem}.yaml")))
        for stem in ("good", name)
    )
    assert other == good


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: is a pipe or a device, expected a YAML file in a"):
        read_yaml(tmp_path / "pipe", ())
