"""The mode `compare`: its comparisons, exit status, reports and error messages."""

import dataclasses
import json
import re
import shutil
import sys

import numpy as np
import pytest
import reference
from absl.testing import flagsaver

import main
from fomm_jax.config.schema import CompatConfig
from fomm_jax.errors import InputError
from fomm_jax.parity.compare import compare_live, write_reports
from fomm_jax.parity.first_order.forward import compile_evaluation
from fomm_jax.parity.recorded import compare_recording
from fomm_jax.parity.recordings import as_floats, find_recordings
from fomm_jax.parity.tolerances import LOSS_TOLERANCE
from fomm_jax.reporting import html_page
from fomm_jax.weights import load

TINY = reference.IN_REPOSITORY / "tiny_zero_order"
LOSSES = ("perceptual", "equivariance_value")  # those that the recording has


@pytest.fixture
def recording(tmp_path):
    """A recording that has the evaluation only: its folder and its arrays."""
    folder = tmp_path / "set"
    shutil.copytree(TINY, folder)
    with np.load(TINY / "arrays.npz") as archive:
        arrays = {name: archive[name] for name in archive if name.startswith(("inputs/", "eval/"))}
    np.savez(folder / "arrays.npz", **arrays)
    return folder, arrays


def run_main(reference_folder, workdir, *more):
    command = "--mode=compare", f"--reference={reference_folder}", f"--workdir={workdir}", *more
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_info:
        main.main(main.parse_flags(["main.py", *command]))
    return exit_info.value.code


def test_an_array_over_its_tolerance_is_named_and_sets_the_exit_status(recording, tmp_path, capsys):
    folder, arrays = recording
    assert run_main(tmp_path, tmp_path) == 0  # a folder of recordings
    written = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    (comparison,) = written.values()
    rows = comparison["rows"]
    assert {row["array"] for row in rows} == {name for name in arrays if name.startswith("eval/")}
    assert {row["verdict"] for row in rows} == {"ok"}

    arrays["eval/prediction"] = arrays["eval/prediction"] + 0.01
    np.savez(folder / "arrays.npz", **arrays)
    assert run_main(folder, tmp_path) == 1
    assert "1 over, 0 without a tolerance; over: eval/prediction" in capsys.readouterr().out
    for suffix in ("md", "html"):
        assert "OVER" in (tmp_path / "comparison" / f"comparison.{suffix}").read_text()


def test_incomplete_and_damaged_recordings_are_refused(recording, tmp_path):
    folder, arrays = recording
    with pytest.raises(InputError, match=r"empty: expected a recording"):
        find_recordings(tmp_path / "empty")
    (folder / "checkpoint.pth.tar").unlink()
    with pytest.raises(InputError, match=r"checkpoint: .*set has neither checkpoint\.pth"):
        compare_recording(folder, None)
    del arrays["inputs/source"]
    np.savez(folder / "arrays.npz", **arrays)
    with pytest.raises(InputError, match=r"arrays\.npz: has no array inputs/source"):
        compare_recording(folder, TINY / "checkpoint.pth.tar")
    (folder / "arrays.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"arrays\.npz: is not a whole and readable"):
        compare_recording(folder, TINY / "checkpoint.pth.tar")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("eval/mask", "has no array eval/mask"),
        ("eval/", "has nothing to compare"),
        ("float64/step_0/losses/perceptual", "has no array float64/step_0/losses/perceptual"),
    ],
)
def test_a_missing_array_is_reported(recording, missing, message):
    folder, arrays = recording
    if missing.startswith("float64/"):
        with np.load(TINY / "arrays.npz") as archive:
            arrays |= {name: archive[name] for name in archive if name.startswith("float64/")}
    others = {name: array for name, array in arrays.items() if not name.startswith(missing)}
    np.savez(folder / "arrays.npz", **others)
    with pytest.raises(InputError, match=message) as error:
        compare_recording(folder, None)
    assert str(folder) in str(error.value)


def test_a_file_of_another_architecture_is_named(recording):
    folder, _ = recording
    other = reference.IN_REPOSITORY / "tiny_first_order" / "checkpoint.pth.tar"
    shutil.copy(other, folder)
    with pytest.raises(InputError, match=r"set/checkpoint\.pth\.tar: config\.model\.num_kp is 2"):
        compare_recording(folder, None)
    with pytest.raises(InputError, match=r"checkpoint: expected none, .*set has one of its own"):
        compare_recording(folder, other)


def test_a_checkpoint_that_is_not_needed_is_refused_by_its_flag(recording, tmp_path, capsys):
    folder, _ = recording
    status = run_main(folder, tmp_path, f"--checkpoint={folder / 'checkpoint.pth.tar'}")
    assert status == 2
    assert ": --checkpoint: expected none, because " in capsys.readouterr().err


def test_the_original_needs_torch(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fomm_jax.parity.")]:
        if name.rpartition(".")[2] in ("original", "live", "torch_networks"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    config = reference.Recording(TINY).config
    with pytest.raises(InputError, match=r"needs torch: `pip install fomm_jax\[torch\]`"):
        compare_live(tmp_path, config, str(TINY / "checkpoint.pth.tar"), None, None)


def test_curves_show_the_recorded_losses(recording, tmp_path, monkeypatch):
    folder, arrays = recording
    with np.load(TINY / "arrays.npz") as archive:
        steps = {name: archive[name] for name in archive if name.startswith("float64/")}
    changed = "float64/step_1/losses/equivariance_value"
    steps[changed] = steps[changed] * (1 + 1e-5)  # the recording is wrong in this loss
    inputs = {name: array for name, array in arrays.items() if name.startswith("inputs/")}
    np.savez(folder / "arrays.npz", **inputs, **steps)
    comparison = compare_recording(folder, None)

    plots = []
    monkeypatch.setattr(html_page, "plot", lambda curves, *_, **__: plots.append(curves) or "")
    write_reports({"set": comparison}, tmp_path)
    sums, differences = plots
    recorded = {
        i: sum(steps[f"float64/step_{i}/losses/{name}"] for name in LOSSES) for i in range(5)
    }
    assert sums["float64: original"] == pytest.approx(recorded, rel=1e-12)
    assert sums["float64: ours"] == pytest.approx(recorded, rel=2e-6)
    assert sums["float64: ours"] != sums["float64: original"]
    assert differences["float64"].pop(1) == pytest.approx(1e-5, rel=1e-3)
    assert all(0 < difference < 1e-9 for difference in differences["float64"].values())
    assert differences["tolerance"] == dict.fromkeys(range(5), LOSS_TOLERANCE)
    assert [array.array for array in comparison.arrays if array.verdict == "OVER"] == [changed]


def test_live_times_and_differences(tmp_path, monkeypatch, capsys):
    """Our networks stand in for the original; with `align_corners` they are off by 0.01."""
    pytest.importorskip("torch")
    from fomm_jax.parity import live
    from fomm_jax.parity.first_order import original

    recorded = reference.Recording(TINY)
    reads = []

    def evaluate(networks, source, driving, align_corners):
        config = dataclasses.replace(recorded.config, compat=CompatConfig(align_corners))
        run = compile_evaluation(config, load.load_pretrained(*weights, config))
        arrays = run(*(as_floats(frames, np.float32) for frames in (source, driving)))
        return arrays | {"prediction": arrays["prediction"] + np.float32(0.01 * align_corners)}

    def read(path):
        reads.append(path)
        return load.read_original(path)

    weights = [str(TINY / "checkpoint.pth.tar")]
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "generator.py").touch()
    monkeypatch.setattr(original, "make_networks", lambda clone, config: None)
    monkeypatch.setattr(original, "load_weights", lambda networks, weights: None)
    monkeypatch.setattr(original, "evaluate", evaluate)
    monkeypatch.setattr(live, "read_original", read)
    monkeypatch.setattr(live, "TIMED_RUNS", 1)
    monkeypatch.setattr("os.getloadavg", lambda: (1.25, 9.0, 9.0))
    comparisons = compare_live(tmp_path, recorded.config, *weights, None, None)
    assert reads == weights  # once for both
    over = {
        name: [array.array for array in comparison.arrays if array.verdict == "OVER"]
        for name, comparison in comparisons.items()
    }
    assert over == {"align_corners=False": [], "align_corners=True": ["prediction"]}
    deformed = [comparison.frames[0].ours for comparison in comparisons.values()]
    assert np.abs(deformed[0] - deformed[1]).max() > 1e-3  # the switch does something

    write_reports(comparisons, tmp_path)
    written = json.loads((tmp_path / "comparison.json").read_text())
    page = (tmp_path / "comparison.html").read_text()
    texts = capsys.readouterr().out, (tmp_path / "comparison.md").read_text(), page
    for align_corners in (False, True):
        name = f"align_corners={align_corners}"
        timing = comparisons[name].timing
        assert 0 < timing.our_seconds < timing.original_seconds  # it compiles each time
        assert written[name]["timing"] == dataclasses.asdict(timing)
        assert (timing.align_corners, timing.load) == (align_corners, 1.25)
        for text in texts:
            assert f"{name}, a pair of pictures takes {timing.our_seconds:.3f} s in this" in text
            assert f"{timing.original_seconds:.3f} s in the original" in text
            assert f"was 1.2 on {timing.cores} cores" in text
    captions = re.findall(r'alt="([^"]+)"', page)
    assert len(captions) == 2
    assert "times 100" in captions[1]
