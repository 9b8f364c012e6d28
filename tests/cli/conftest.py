"""Data, models and checks for the tests that run main.py."""

import numpy as np
import pytest
from commands import TINY, run_main
from films import write_silent_film
from flax import nnx

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.media.pictures import write_picture
from fomm_jax.models.build import build_model
from fomm_jax.weights.save import save_weights
from input_pipeline.figures.scenes import write_dataset

SIZE = 32  # height and width of the frames of configs/tiny.py


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """A dataset of 8 figures to train on and 2 to test with, 5 frames each."""
    folder = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(folder, SIZE, num_videos=10, num_frames=5, seed=0)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of untrained weights for configs/tiny.py."""
    path = tmp_path_factory.mktemp("model") / "weights.safetensors"
    config = from_config_dict(tiny.get_config())
    save_weights(path, build_model(config, rngs=nnx.Rngs(0)), config)
    return path


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    """A folder of files, some of which cannot be used."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "pairs.csv").write_text("source,driving\n0000.png,gone.png\n")
    (folder / "model.yaml").write_text("dataset_params:\n  root_dir: data\n")
    (folder / "syntax.py").write_text("def get_config():\n    return (\n")
    (folder / "fails.py").write_text("def get_config():\n    return {}['missing']\n")
    (folder / "typo.py").write_text(
        "from ml_collections import ConfigDict\n\n\n"
        "def get_config():\n    return ConfigDict({'train': {'num_step': 3}})\n"
    )
    (folder / "without.py").write_text("config = 3\n")
    (folder / "dict.py").write_text("def get_config():\n    return {'train': {}}\n")
    (folder / "nothing.py").write_text("def get_config():\n    pass\n")
    write_picture(folder / "good.png", np.zeros((SIZE, SIZE, 3), np.uint8))
    write_silent_film(folder / "good.mp4", SIZE, SIZE)
    for part in ("train", "test"):
        (folder / "cut" / part).mkdir(parents=True)
        (folder / "cut" / part / "a.mp4").write_bytes((folder / "good.mp4").read_bytes())
    whole = (folder / "good.mp4").read_bytes()
    (folder / "cut" / "test" / "b.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture
def refuse(bad_files, capsys):
    """Run main.py on bad input, and return the line that says what is wrong.

    The command must end with status 2 and that line alone, and write nothing but event files.
    """

    def run(arguments):
        before = sorted(bad_files.rglob("*"))
        if not any(argument.startswith("--config=") for argument in arguments):
            arguments = [*TINY, *arguments]
        assert run_main(f"--workdir={bad_files / 'work'}", *arguments) == 2
        *others, last = capsys.readouterr().err.splitlines()
        assert last.startswith("main.py: ")
        # A progress bar that stood still may come before it, and what is about to be trained on.
        assert all(
            "/s" in line or "s/" in line or "0%" in line or "videos to train on" in line or not line
            for line in others
        )
        assert "Traceback" not in "".join([*others, last])
        new = set(bad_files.rglob("*")) - set(before)
        assert not [path for path in new if path.is_file() and "events" not in path.name]
        return last

    return run
