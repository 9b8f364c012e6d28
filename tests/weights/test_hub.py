"""Models go to the Hugging Face Hub and come from it; a server on this machine stands for it."""

import pathlib
import re
import sys

import numpy as np
import pytest
import reference
import yaml
from config_helpers import config_of, with_fields
from flax import nnx
from hub_server import TOKEN, Repository, serving_hub, take_for_the_hub

from fomm_jax.animation.animator import Animator
from fomm_jax.config.parsing import to_json
from fomm_jax.errors import InputError
from fomm_jax.models.build import build_model
from fomm_jax.weights.find_checkpoint import check_is_model, check_is_state
from fomm_jax.weights.hub import Address, local_path, parse_address
from fomm_jax.weights.load import load_config, load_pretrained
from fomm_jax.weights.model_card import RULES, write_card
from fomm_jax.weights.publish import without_paths
from fomm_jax.weights.safetensors_file import write_safetensors
from fomm_jax.weights.save import save_weights
from fomm_jax.weights.torch.from_original import load_networks
from fomm_jax.weights.torch.networks_file import read_config

constants = pytest.importorskip(
    "huggingface_hub.constants", reason="the package huggingface_hub is not installed"
)

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_zero_order")
CONFIG = RECORDING.config
NAME = "somebody/a-model"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that huggingface_hub takes for the real one, and an empty cache."""
    with serving_hub() as server:
        take_for_the_hub(server.url, tmp_path / "cache", monkeypatch)
        yield server


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """The bytes of a file with the recorded model, which carries its configuration."""
    path = tmp_path_factory.mktemp("hub") / "model.safetensors"
    save_weights(path, load_networks(CONFIG, RECORDING.checkpoint), CONFIG)
    return path.read_bytes()


def put(hub, **files):
    """Put files into the repository, as a commit of its main branch, and return its name."""
    repository = hub.repositories.setdefault(NAME, Repository())
    return repository.commit({name.replace("__", "."): data for name, data in files.items()})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf:org/name", Address("org/name", None)),
        ("hf:org/name@v1.0", Address("org/name", "v1.0")),
        ("hf:a-b/c_d.e@refs/pr/1", Address("a-b/c_d.e", "refs/pr/1")),
    ],
)
def test_addresses_are_read(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["hf:", "hf:name", "hf:a/b/c", "hf:a/b@", "hf://a/b", "hf:a /b"])
def test_other_addresses_are_refused(text):
    with pytest.raises(InputError, match=r"is no model on the hub; expected hf:ORGANISATION/NAME"):
        local_path(text)


def test_a_model_is_fetched_and_animates(hub, model_file):
    put(hub, model__safetensors=model_file, README__md=b"# A model")
    frames = np.moveaxis(RECORDING.arrays["inputs/driving"], 1, -1)[:2]
    animator = Animator.from_pretrained(NAME, batch_size=2)
    assert animator.config == CONFIG
    original = Animator.from_checkpoint(RECORDING.checkpoint_path, CONFIG, batch_size=2)
    np.testing.assert_array_equal(
        list(animator.animate(frames[1], frames)), list(original.animate(frames[1], frames))
    )
    assert not any("README" in request for request in hub.requests)


def test_revisions_are_told_apart(hub, model_file, tmp_path):
    other = with_fields(CONFIG, train__seed=7)
    save_weights(tmp_path / "a.safetensors", load_networks(CONFIG, RECORDING.checkpoint), other)
    first = put(hub, model__safetensors=model_file)
    put(hub, model__safetensors=(tmp_path / "a.safetensors").read_bytes())
    hub.repositories[NAME].refs["v1"] = first
    assert load_config(f"hf:{NAME}") == other
    for revision in ("v1", first):
        assert load_config(f"hf:{NAME}@{revision}") == CONFIG


def test_the_configuration_may_lie_beside_the_weights(hub, tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {
        f"{network}.{key}": tensor
        for network in ("generator", "kp_detector")
        for key, tensor in RECORDING.checkpoint[network].items()
    }
    write_safetensors(path, tensors, {})
    put(hub, model__safetensors=path.read_bytes(), config__json=to_json(CONFIG).encode())
    assert load_config(f"hf:{NAME}") == CONFIG
    assert nnx.state(load_pretrained(f"hf:{NAME}", CONFIG).generator)
    put(hub, config__json=b'{"architectures": ["Bert"]}')
    with pytest.raises(InputError, match=r"config\.json: config\.architectures: no such field"):
        load_config(f"hf:{NAME}")


def test_without_a_network_the_cache_serves(hub, model_file, monkeypatch):
    put(hub, model__safetensors=model_file)
    path = local_path(f"hf:{NAME}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    count = len(hub.requests)
    assert load_config(f"hf:{NAME}") == CONFIG
    assert len(hub.requests) == count
    with pytest.raises(InputError) as caught:
        local_path("hf:somebody/another")
    assert str(caught.value) == (
        "hf:somebody/another: is not in the cache of this computer, and cannot be fetched:"
        " HF_HUB_OFFLINE is set"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.status = 503
    assert local_path(f"hf:{NAME}") == path
    with pytest.raises(InputError, match=r"not in the cache .*: the hub answers 503$"):
        local_path("hf:somebody/another")


def test_no_network_is_told_in_one_line(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError) as caught:
        Animator.from_pretrained(NAME)
    assert re.fullmatch(
        rf"hf:{NAME}: is not in the cache of this computer, and cannot be fetched:"
        r" the hub does not answer: [^\n]*",
        str(caught.value),
    )


def test_what_is_not_there_is_told_in_one_line(hub, model_file):
    put(hub, README__md=b"# A model")
    for address, words in (
        ("hf:somebody/nothing", "there is no such repository, or it is private; expected"),
        (f"hf:{NAME}@v9", "there is no such revision; expected a branch, a tag or a commit"),
        (f"hf:{NAME}", "has no model.safetensors; expected a model that `push_to_hub` has sent"),
    ):
        with pytest.raises(InputError) as caught:
            check_is_model(address)
        assert str(caught.value).startswith(f"{address}: {words}")
        assert "\n" not in str(caught.value)
    hub.repositories[NAME].gated = True
    with pytest.raises(InputError, match="access to it is granted on request; ask on its page"):
        local_path(f"hf:{NAME}")


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=rf"^hf:{NAME}: needs .* `pip install fomm_jax\[hub\]`$"):
        local_path(f"hf:{NAME}")


def test_a_run_cannot_be_continued_from_the_hub():
    with pytest.raises(InputError, match=r"no state of training .* or config\.train\.init_from"):
        check_is_state(f"hf:{NAME}")


# huggingface_hub sends large files by an argument that its client of HTTP gives up.
@pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")
@pytest.mark.parametrize("name", ["tiny", pytest.param("tpsmm_tiny", marks=pytest.mark.slow)])
def test_a_model_is_sent_with_its_card_and_without_paths(hub, name, tmp_path, monkeypatch):
    config = with_fields(
        config_of(name), dataset__root_dir="/home/me/secret", train__init_from="/home/me/W"
    )
    animator = Animator(build_model(config, rngs=nnx.Rngs(0)), config)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    animator.push_to_hub(NAME, trained_on="Drawn figures.", licence="cc0-1.0", private=True)
    files = hub.repositories[NAME].commits[hub.repositories[NAME].refs["main"]]
    assert sorted(files) == ["README.md", "config.json", "model.safetensors"]
    assert not any(b"/home/me" in content for content in files.values())
    assert hub.repositories[NAME].private
    again = Animator.from_pretrained(NAME)
    assert again.config == without_paths(config) != config
    assert again.fingerprint == animator.fingerprint
    _, head, text = files["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "cc0-1.0"
    assert "Drawn figures." in text
    animator.push_to_hub(NAME, trained_on="Again.", licence="cc0-1.0")  # a second commit
    assert len(hub.repositories[NAME].commits) == 2


def test_sending_needs_a_login(hub, monkeypatch):
    animator = Animator.demo()
    for status, words in ((None, "permission is refused; expected a login"), (500, "answers 500")):
        hub.status = status
        with pytest.raises(InputError, match=rf"^hf:{NAME}: .*{words}"):
            animator.push_to_hub(NAME, trained_on="Figures.", licence="mit")
    with pytest.raises(InputError, match="expected ORGANISATION/NAME without a revision"):
        animator.push_to_hub(f"{NAME}@v1", trained_on="Figures.", licence="mit")
    assert not hub.repositories


def test_the_card_says_what_the_model_may_be_used_for():
    page = pathlib.Path(__file__).parents[2] / "docs" / "responsible_use.md"
    rules = " ".join(page.read_text().split())
    for rule in RULES[:2]:
        assert rule.removesuffix(".") in rules
    config = with_fields(config_of("vox_256"), train__num_steps=1200)
    card = write_card("somebody/vox", config, "VoxCeleb, by me.\n", "other")
    for words in (
        *RULES,
        "# vox\n",
        "The licence of the weights is other.",
        "    fomm-jax animate --checkpoint=hf:somebody/vox --source=",
        'Animator.from_pretrained("somebody/vox")',
        "frames\nof 256 x 256 pixels",
        "VoxCeleb, by me.\n",
        "| length, as configured | 1200 steps |",
        "| learning rates drop by 10 after the epochs | 60, 90 |",
    ):
        assert words in card


def test_the_file_on_the_hub_is_whole(hub, model_file, tmp_path):
    put(hub, model__safetensors=model_file[:-5])
    with pytest.raises(InputError, match="is not a whole safetensors file"):
        read_config(local_path(f"hf:{NAME}"))
