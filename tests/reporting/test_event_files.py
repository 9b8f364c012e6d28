"""Curves read back from what training wrote, also where it was killed."""

import numpy as np
import pytest

from fomm_jax.reporting.events import MetricWriter, read_curves


def test_a_resumed_run_is_one_curve(tmp_path):
    with MetricWriter(tmp_path) as killed:
        for step in (10, 20, 30):
            killed.scalars(step, {"loss": step / 8, "early": 1.0})
        killed.picture(30, "frames", np.zeros((2, 2, 3), np.uint8))
    with MetricWriter(tmp_path, first_step=21) as resumed:
        resumed.scalars(25, {"loss": 7.0})
    (tmp_path / "checkpoints").mkdir()
    assert read_curves(tmp_path) == {
        "loss": {10: 1.25, 20: 2.5, 25: 7.0},
        "early": {10: 1.0, 20: 1.0},
    }


def test_a_cut_record_ends_its_file(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.scalars(1, {"loss": 1.0})
        (path,) = tmp_path.iterdir()
        whole = path.stat().st_size
        writer.scalars(2, {"loss": 2.0})
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        assert read_curves(tmp_path) == {"loss": {1: 1.0}}
    path.write_bytes(content)
    assert read_curves(tmp_path) == {"loss": {1: 1.0, 2: 2.0}}


@pytest.mark.parametrize("folder", ["", "none"])
def test_no_event_files_no_curves(tmp_path, folder):
    assert read_curves(tmp_path / folder) == {}
