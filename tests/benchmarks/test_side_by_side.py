"""Runs of several models side by side: tables, curves and frames."""

import json

import numpy as np
import pytest

from benchmarks import side_by_side
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.reporting.events import EventWriter


def strip_of(levels):
    """Frames of 16x16 side by side, each of one level of grey."""
    return np.concatenate([np.full((16, 16, 3), level, np.uint8) for level in levels], axis=1)


def write_run(folder, losses, level):
    with EventWriter(folder) as writer:
        for step, loss in losses.items():
            writer.add_scalars(step, {"perceptual": loss})
    write_picture(folder / "reconstruction" / "png" / "waving.png", strip_of([level] * 15))
    metrics = {"l1": 0.03125, "jitter": 0.5}
    (folder / "reconstruction" / "metrics.json").write_text(json.dumps(metrics))


def test_tables_and_pictures(tmp_path, capsys):
    write_run(tmp_path / "one", {100: 9.0, 250: 5.0, 500: 3.0, 600: 1.0}, level=100)
    write_run(tmp_path / "other", {250: 8.0}, level=200)
    write_picture(tmp_path / "test" / "waving.png", strip_of(range(0, 150, 10)))
    runs = [f"--run={tmp_path / name}" for name in ("one", "other")]
    output = tmp_path / "docs" / "two"
    side_by_side.main([*runs, f"--videos={tmp_path / 'test'}", f"--output={output}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| steps | one | other |"
    assert lines[2:4] == ["| 0–249 | 7.0 | 8.0 |", "| 250–499 | 3.0 |  |"]
    assert lines[7] == "| one | 0.0312 |  |  |  |  | 0.5000 |  |"
    sheet = read_picture(f"{output}_frames.png")[8::32, 8::32, 0]
    np.testing.assert_array_equal(sheet[0], [0, 20, 40, 60, 80, 100, 120, 140])
    np.testing.assert_array_equal(sheet[1:, 0], [100, 200])
    assert read_picture(f"{output}_loss.png").std() > 10


def test_run_without_a_curve_ends_in_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        side_by_side.main([f"--run={tmp_path / 'empty'}", f"--videos={tmp_path}", "--output=x"])
    assert "--run: empty has no curve of the perceptual loss" in capsys.readouterr().err
