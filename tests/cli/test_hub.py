"""The programs take models on the Hugging Face Hub; a server on this machine stands for it."""

import importlib
import os

import pytest
from commands import run_main
from convert_commands import ConvertCommands
from hub_server import Repository, serving_hub, take_for_the_hub

from fomm_jax.media.read_marks import read_marks

# ml_collections reads the file of --config in a way that importlib gives up.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")
pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")

NAME = "somebody/a-model"


@pytest.fixture
def hub(weights):
    """A hub with a model for configs/tiny.py."""
    with serving_hub() as server:
        server.repositories[NAME] = Repository()
        server.repositories[NAME].commit({"model.safetensors": weights.read_bytes()})
        yield server


def test_a_picture_is_animated_by_a_model_on_the_hub(hub, bad_files, tmp_path, monkeypatch):
    take_for_the_hub(hub.url, tmp_path / "cache", monkeypatch)
    film = tmp_path / "film.mp4"
    files = f"--source={bad_files}/good.png", f"--driving={bad_files}/good.mp4", f"--output={film}"
    assert run_main("--mode=animate", f"--checkpoint=hf:{NAME}", *files) == 0
    assert NAME in str(read_marks(film))


def test_the_environment_names_the_server(hub, tmp_path):
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
    with ConvertCommands(tmp_path) as run_command:

        def inspect(address, **others):
            return run_command(f"--inspect={address}", **variables, **others)

        run = inspect(f"hf:{NAME}")
        assert (run.returncode, run.stderr) == (0, "")
        assert "carries its configuration: first-order, frames of 32 x 32 pixels" in run.stdout
        assert inspect(f"hf:{NAME}", HF_HUB_OFFLINE="1").stdout == run.stdout
        hub.repositories["somebody/empty"] = Repository()
        hub.repositories["somebody/empty"].commit({"README.md": b"# Nothing"})
        for name, words in (("nothing", "there is no such"), ("empty", "has no model.safetensors")):
            run = inspect(f"hf:somebody/{name}")
            assert (run.returncode, run.stdout) == (2, "")
            assert run.stderr.startswith(f"convert_torch_weights.py: hf:somebody/{name}: {words}")
            assert run.stderr.count("\n") == 1


def test_the_page_leaves_the_hub_within_reach(monkeypatch):
    """The library that serves it goes without the hub; models are fetched in the same process."""
    pytest.importorskip("gradio", reason="the package gradio is not installed")
    module = importlib.import_module("fomm_jax.cli.page.gradio")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    importlib.reload(module)
    assert "HF_HUB_OFFLINE" not in os.environ
