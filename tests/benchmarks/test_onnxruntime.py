"""The benchmark of exported animations: its line of JSON, and that both exports do the same."""

import json

import numpy as np
import pytest
from commands import SHALLOW_MODEL

from benchmarks.animate import random_frames
from benchmarks.command_line import parse_options

onnxruntime = pytest.importorskip("benchmarks.onnxruntime", reason="no onnxruntime")

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")
COMMAND = ["--config=configs/tiny.py", "--batch=2", "--steps=2", *SHALLOW_MODEL]


def test_one_line_of_json(capsys):
    onnxruntime.main(COMMAND)
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    seconds = report["seconds_per_frame"]
    assert seconds.keys() == {"ours", "parts", "whole"}
    assert min(seconds.values()) > 0
    assert report["ratio"] > 0
    assert (report["batch"], report["steps"]) == (2, 2)


def test_the_parts_and_the_whole_give_the_same_frames():
    _, config = parse_options("", "", COMMAND)
    steps = onnxruntime.exported_steps(config, *random_frames(config, 2))
    (parts,), (whole,) = steps["parts"](), steps["whole"]()
    assert parts.shape == (2, *config.dataset.frame_shape)
    np.testing.assert_allclose(parts.astype(int), whole, rtol=0, atol=1)
