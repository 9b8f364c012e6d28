"""The mode compare: what it measures, how it judges, and what it writes."""

import base64
import dataclasses
import html
import io
import json
import re
import shutil
import sys

import jax
import numpy as np
import pytest
import reference
from absl.testing import flagsaver
from PIL import Image

import main
from fomm_jax.config.schema import CompatConfig
from fomm_jax.errors import InputError
from fomm_jax.media.video_reader import iterate_frames
from fomm_jax.parity import recordings
from fomm_jax.parity.compare import compare_live, write_reports
from fomm_jax.parity.findings import Findings, Frames, StepLosses, compare
from fomm_jax.parity.recorded import LOSS_TOLERANCE, compare_recording, find_recordings
from fomm_jax.parity.report import format_table
from fomm_jax.reporting import html_page
from fomm_jax.weights import load

TINY = reference.IN_REPOSITORY / "tiny_zero_order"
LOSSES = ("perceptual", "equivariance_value")  # that are recorded of it


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
    (findings,) = written.values()
    rows = findings["rows"]
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
        compare_recording(folder, None)
    del arrays["inputs/source"]
    np.savez(folder / "arrays.npz", **arrays)
    with pytest.raises(InputError, match=r"arrays\.npz: has no array inputs/source"):
        compare_recording(folder, TINY / "checkpoint.pth.tar")
    (folder / "arrays.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"arrays\.npz: is not a whole and readable"):
        compare_recording(folder, TINY / "checkpoint.pth.tar")


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("eval/mask", "has no array eval/mask"),
        ("eval/", "has nothing to compare"),
        ("float64/step_0/losses/perceptual", "has no array float64/step_0/losses/perceptual"),
    ],
)
def test_what_was_not_recorded_is_not_passed_over(recording, lacking, message, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 1)  # as in test_parity.py
    folder, arrays = recording
    if lacking.startswith("float64/"):
        with np.load(TINY / "arrays.npz") as archive:
            arrays |= {name: archive[name] for name in archive if name.startswith("float64/")}
    left = {name: array for name, array in arrays.items() if not name.startswith(lacking)}
    np.savez(folder / "arrays.npz", **left)
    with pytest.raises(InputError, match=message) as error:
        compare_recording(folder, None)
    assert str(folder) in str(error.value)


def test_a_file_of_another_architecture_is_named(recording):
    folder, _ = recording
    other = reference.IN_REPOSITORY / "tiny_first_order" / "checkpoint.pth.tar"
    shutil.copy(other, folder)
    with pytest.raises(InputError, match=r"set/checkpoint\.pth\.tar: config\.model\.num_kp is 2"):
        compare_recording(folder, None)
    with pytest.raises(InputError, match=r"--checkpoint: .*set carries its own"):
        compare_recording(folder, other)


def test_the_original_needs_torch(tmp_path, monkeypatch):
    for name in ("fomm_jax.parity.original", "fomm_jax.parity.live"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    config = reference.Recording(TINY).config
    with pytest.raises(InputError, match=r"needs torch: `pip install fomm_jax\[torch\]`"):
        compare_live(tmp_path, config, str(TINY / "checkpoint.pth.tar"), None, None)


def pictures_of(page):
    """The contact sheets (h, w, 3) by caption."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', page)
    return {
        html.unescape(caption): np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data, caption in found
    }


def made_up_frames(ours, **changes):
    """Of 64 x 64: a source of 0.2, driving frames of 0.4, the original's of 0.5."""
    source, driving, original = (np.full(ours.shape, level) for level in (0.2, 0.4, 0.5))
    return dataclasses.replace(Frames("prediction", source, driving, original, ours), **changes)


def test_a_sheet_shows_where_the_difference_is(tmp_path):
    ours = np.full((2, 64, 64, 3), 0.5)
    ours[1, :32] += 0.005
    write_reports({"set": Findings([], [made_up_frames(ours)])}, tmp_path)
    ((caption, sheet),) = pictures_of((tmp_path / "comparison.html").read_text()).items()
    assert "difference of these two times 200" in caption
    assert sheet.shape == (2 * 128, 5 * 128 + 4 * 4, 3)  # pixels are doubled, and parted by white
    columns = [sheet[:, i * 132 : i * 132 + 128].astype(float) for i in range(5)]
    for column, level in zip(columns, (0.2, 0.4, 0.5, 0.5), strict=False):
        np.testing.assert_allclose(column, 255 * level, atol=3)
    upper = slice(128, 128 + 64)
    np.testing.assert_allclose(columns[4][upper], 255, atol=3)
    np.testing.assert_allclose(np.delete(columns[4], upper, axis=0), 0, atol=3)


def test_what_no_picture_can_show_does_no_harm(tmp_path):
    ours = np.full((1, 128, 128, 3), 0.5)
    ours[:, :64] = np.nan
    broken = made_up_frames(ours, array="broken")
    smaller = made_up_frames(ours, array="smaller", original=np.zeros((1, 64, 64, 3)))
    same = made_up_frames(np.full((1, 128, 128, 3), 0.5), array="same")
    write_reports({"set": Findings([], [broken, smaller, same])}, tmp_path)
    sheets = {
        caption.partition(";")[0]: sheet
        for caption, sheet in pictures_of((tmp_path / "comparison.html").read_text()).items()
    }
    assert sheets.keys() == {"broken", "same"}
    np.testing.assert_allclose(sheets["broken"][:60, -128:], 255, atol=3)
    np.testing.assert_allclose(sheets["broken"][70:, -128:], 0, atol=3)
    np.testing.assert_allclose(sheets["same"][:, -128:], 0, atol=3)


def test_a_clip_has_a_film_of_all_its_frames(tmp_path):
    levels = np.linspace(0.1, 0.9, 7)
    ours = np.full((7, 128, 128, 3), levels.reshape(-1, 1, 1, 1))
    clip = made_up_frames(ours, array="way/prediction", is_clip=True)
    write_reports({"set": Findings([], [clip])}, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    (caption,) = pictures_of(page)
    assert caption.endswith("frames 0, 2, 4, 6")
    (film,) = re.findall(r'href="([^"]+\.mp4)"', page)
    shown = [frame[:, 3 * 132 : 3 * 132 + 128].mean() for frame in iterate_frames(tmp_path / film)]
    np.testing.assert_allclose(shown, 255 * levels, atol=3)


def test_json_has_no_number_that_json_does_not_have(tmp_path):
    rows = [compare("a", np.full(1, np.nan), np.ones(1), 1e-4)]
    losses = [StepLosses("float64", i, 2.0, np.nan, np.inf, 1e-6) for i in range(2)]
    write_reports({"set": Findings(rows, [], losses)}, tmp_path)
    written = json.loads((tmp_path / "comparison.json").read_text(), parse_constant=pytest.fail)
    assert written["set"]["rows"][0]["absolute"] is None
    assert written["set"]["rows"][0]["verdict"] == "OVER"
    assert written["set"]["losses"][1] == {
        "run": "float64", "step": 1, "original": 2.0, "ours": None, "difference": None,
        "tolerance": 1e-6,
    }  # fmt: skip


def test_curves_are_of_the_recorded_losses(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 1)  # as in test_parity.py
    folder, arrays = recording
    with np.load(TINY / "arrays.npz") as archive:
        steps = {name: archive[name] for name in archive if name.startswith("float64/")}
    # One loss is told to be another than it was.
    changed = "float64/step_1/losses/equivariance_value"
    steps[changed] = steps[changed] * (1 + 1e-5)
    inputs = {name: array for name, array in arrays.items() if name.startswith("inputs/")}
    np.savez(folder / "arrays.npz", **inputs, **steps)
    findings = compare_recording(folder, None)

    plots = []
    monkeypatch.setattr(html_page, "plot", lambda curves, *_, **__: plots.append(curves) or "")
    write_reports({"set": findings}, tmp_path)
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
    assert [row.array for row in findings.rows if row.verdict == "OVER"] == [changed]


def test_the_recorded_clip_and_its_films(tmp_path):
    folder = reference.SHARED / "animation"
    if not folder.is_dir():
        pytest.skip(f"{reference.SHARED} is not there")
    findings = compare_recording(folder, None)
    with np.load(folder / "arrays.npz") as archive:
        for frames in findings.frames:
            np.testing.assert_array_equal(frames.driving, archive["driving"])
            np.testing.assert_array_equal(frames.source[5], archive["source"])
            np.testing.assert_array_equal(frames.original, archive[frames.array])
            np.testing.assert_allclose(frames.ours, frames.original, rtol=0, atol=1e-4)
    write_reports({"animation": findings}, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    films = re.findall(r'href="([^"]+\.mp4)"', page)
    assert len(set(films)) == len(pictures_of(page)) == 4
    assert [len(list(iterate_frames(tmp_path / film))) for film in films] == [12] * 4
    assert len(page) < 2e6


def test_live_times_and_differences(tmp_path, monkeypatch, capsys):
    """The original is played by our networks, 0.01 off with `align_corners`."""
    pytest.importorskip("torch")
    from fomm_jax.parity import live, original

    recorded = reference.Recording(TINY)
    reads = []

    def evaluate(networks, source, driving, align_corners):
        config = dataclasses.replace(recorded.config, compat=CompatConfig(align_corners))
        ours = recordings.evaluator(config, load.load_pretrained(*weights, config))
        found = ours(*(recordings.as_floats(frames, np.float32) for frames in (source, driving)))
        return found | {"prediction": found["prediction"] + np.float32(0.01 * align_corners)}

    def read(path):
        reads.append(path)
        return load.read_original(path)

    weights = [str(TINY / "checkpoint.pth.tar")]
    monkeypatch.setattr(original, "make_networks", lambda clone, config: None)
    monkeypatch.setattr(original, "load_weights", lambda networks, weights: None)
    monkeypatch.setattr(original, "evaluate", evaluate)
    monkeypatch.setattr(live, "read_original", read)
    monkeypatch.setattr(live, "TIMED_RUNS", 1)
    monkeypatch.setattr("os.getloadavg", lambda: (1.25, 9.0, 9.0))
    found = compare_live(tmp_path, recorded.config, *weights, None, None)
    assert reads == weights  # once for both
    verdicts = {
        name: [row.array for row in findings.rows if row.verdict == "OVER"]
        for name, findings in found.items()
    }
    assert verdicts == {"align_corners=False": [], "align_corners=True": ["prediction"]}
    deformed = [findings.frames[0].ours for findings in found.values()]
    assert np.abs(deformed[0] - deformed[1]).max() > 1e-3  # the switch does something

    write_reports(found, tmp_path)
    written = json.loads((tmp_path / "comparison.json").read_text())
    page = (tmp_path / "comparison.html").read_text()
    texts = capsys.readouterr().out, (tmp_path / "comparison.md").read_text(), page
    for align_corners in (False, True):
        name = f"align_corners={align_corners}"
        timing = found[name].timing
        assert 0 < timing.our_seconds < timing.original_seconds  # it compiles each time
        assert written[name]["timing"] == dataclasses.asdict(timing)
        assert (timing.align_corners, timing.load) == (align_corners, 1.25)
        for text in texts:
            assert f"{name} took ours {timing.our_seconds:.3f} s" in text
            assert f"the original {timing.original_seconds:.3f} s" in text
            assert f"was 1.2 on {timing.cores} cores" in text
    captions = list(pictures_of(page))
    assert len(captions) == 2
    assert "times 100" in captions[1]
