"""The notebooks run from top to bottom."""

import json
from pathlib import Path

import pytest

from fomm_jax.cli.page.examples import FPS
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.reading.probe import probe_video

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path):
    cells = json.loads(path.read_text())["cells"]
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        assert not cell["outputs"]
        compile("".join(cell["source"]), path.name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "films"),
    [("animate", ["animation/animation.mp4", "animation/from_python.mp4"]), ("train", [])],
)
def test_notebooks_run_with_the_demo_model(name, films, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # the tests' eight simulated devices
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("video/mp4" in str(output.get("data", "")) for output in outputs) >= 1
    for film in films:
        assert read_marks(tmp_path / film).source_type is not None
        assert probe_video(tmp_path / film).fps == FPS
    if name == "train":
        assert list((tmp_path / "training" / "run" / "pictures").glob("*.png"))
