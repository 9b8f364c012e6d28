"""The mode compare: what it measures, how it judges, and what it writes."""

import json
import shutil
import sys

import jax
import numpy as np
import pytest
import reference
from absl.testing import flagsaver

import main
from fomm_jax.compare import compare_live
from fomm_jax.comparison import compare
from fomm_jax.comparison_report import format_table
from fomm_jax.errors import InputError
from fomm_jax.recorded_comparison import compare_recording, find_recordings

TINY = reference.IN_REPOSITORY / "tiny_zero_order"


def test_differences_and_verdicts():
    theirs = np.array([1.0, -4.0, 2.0])
    row = compare("a", theirs + np.array([0, 0.002, 0]), theirs, 1e-3)
    assert (row.absolute, row.relative) == pytest.approx((0.002, 0.0005))
    assert row.verdict == "OVER"
    assert (
        compare("a", theirs + np.array([0, 0.002, 0]), theirs, 1e-3, is_relative=True).verdict
        == "ok"
    )
    assert compare("a", theirs + 9, theirs, None).verdict == "shown"
    assert compare("a", np.zeros(3), np.zeros(3), 1e-9, is_relative=True).verdict == "ok"
    assert compare("a", np.full(3, 1e-12), np.zeros(3), 1e-9, is_relative=True).verdict == "OVER"


@pytest.mark.parametrize("ours", [np.zeros(2), np.array([1, np.nan, 2]), np.array([1, np.inf, 2])])
def test_other_shapes_and_values_that_are_not_finite_are_over(ours):
    assert compare("a", ours, np.array([1.0, 0.0, 2.0]), 1e9).verdict == "OVER"


def test_the_table_has_a_line_for_each_array():
    rows = [
        compare("one", np.ones(1), np.ones(1), 1e-4),
        compare("two", np.ones(1), np.zeros(1), None),
    ]
    header, first, second = format_table(rows).splitlines()
    assert header.split() == ["array", "largest", "difference", "relative", "tolerance", "verdict"]
    assert first.split() == ["one", "0.0e+00", "0.0e+00", "1e-04", "ok"]
    assert second.split() == ["two", "1.0e+00", "inf", "shown"]


@pytest.fixture
def recording(tmp_path):
    """A recording of the evaluation alone."""
    folder = tmp_path / "set"
    shutil.copytree(TINY, folder)
    with np.load(TINY / "arrays.npz") as archive:
        arrays = {name: archive[name] for name in archive if name.startswith(("inputs/", "eval/"))}
    np.savez(folder / "arrays.npz", **arrays)
    return folder, arrays


def run_main(reference_folder, workdir):
    command = "--mode=compare", f"--reference={reference_folder}", f"--workdir={workdir}"
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as leaving:
        main.main(main.parse_flags(["main.py", *command]))
    return leaving.value.code


def test_an_array_that_is_off_is_named_and_told_by_the_status(recording, tmp_path, capsys):
    folder, arrays = recording
    assert run_main(tmp_path, tmp_path) == 0  # a folder of recordings
    written = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    (rows,) = written.values()
    assert {row["array"] for row in rows} == {name for name in arrays if name.startswith("eval/")}
    assert {row["verdict"] for row in rows} == {"ok"}

    arrays["eval/prediction"] = arrays["eval/prediction"] + 0.01
    np.savez(folder / "arrays.npz", **arrays)
    assert run_main(folder, tmp_path) == 1
    assert "1 over, 0 shown without one; over: eval/prediction" in capsys.readouterr().out
    for suffix in ("md", "html"):
        assert "OVER" in (tmp_path / "comparison" / f"comparison.{suffix}").read_text()


def test_what_is_no_recording_is_refused(recording, tmp_path):
    folder, arrays = recording
    with pytest.raises(InputError, match=r"empty is neither a recording"):
        find_recordings(tmp_path / "empty")
    (folder / "checkpoint.pth.tar").unlink()
    with pytest.raises(InputError, match=r"carries no checkpoint\.pth\.tar; expected --checkpoint"):
        list(compare_recording(folder, None))
    del arrays["inputs/source"]
    np.savez(folder / "arrays.npz", **arrays)
    with pytest.raises(InputError, match=r"arrays\.npz: has no array inputs/source"):
        list(compare_recording(folder, TINY / "checkpoint.pth.tar"))
    (folder / "arrays.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"arrays\.npz: cannot be read"):
        list(compare_recording(folder, TINY / "checkpoint.pth.tar"))


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("eval/mask", "has no array eval/mask"),
        ("eval/", "has nothing to compare"),
        ("float64/step_0/losses/perceptual", "has no array float64/step_0/losses/perceptual"),
    ],
)
def test_what_was_not_recorded_is_not_passed_over(recording, lacking, message, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda backend: 1)  # as in test_parity.py
    folder, arrays = recording
    if lacking.startswith("float64/"):
        with np.load(TINY / "arrays.npz") as archive:
            arrays |= {name: archive[name] for name in archive if name.startswith("float64/")}
    left = {name: array for name, array in arrays.items() if not name.startswith(lacking)}
    np.savez(folder / "arrays.npz", **left)
    with pytest.raises(InputError, match=message) as error:
        list(compare_recording(folder, None))
    assert str(folder) in str(error.value)


def test_a_file_of_another_architecture_is_named(recording):
    folder, _ = recording
    other = reference.IN_REPOSITORY / "tiny_first_order" / "checkpoint.pth.tar"
    shutil.copy(other, folder)
    with pytest.raises(InputError, match=r"set/checkpoint\.pth\.tar: config\.model\.num_kp is 2"):
        list(compare_recording(folder, None))
    with pytest.raises(InputError, match=r"--checkpoint: .*set carries its own"):
        list(compare_recording(folder, other))


def test_the_original_needs_torch(tmp_path, monkeypatch):
    for name in ("fomm_jax.original", "fomm_jax.live_comparison"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    config = reference.Recording(TINY).config
    with pytest.raises(InputError, match=r"needs torch: `pip install fomm_jax\[torch\]`"):
        compare_live(tmp_path, config, str(TINY / "checkpoint.pth.tar"), None, None)
