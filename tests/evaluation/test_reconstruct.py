"""The report on a reconstruction, for frames and an evaluator with metrics known in advance."""

import base64
import csv
import dataclasses
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from fomm_jax.animation.animator import AnimatedFrame
from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.evaluation.films import FilmOutputs
from fomm_jax.evaluation.metrics import COUNTS, METRICS
from fomm_jax.evaluation.reconstruct import reconstruct
from fomm_jax.evaluation.reconstruction_report import average_frames
from fomm_jax.models.first_order.keypoints import Keypoints

SIZE = 16


class Levels:
    """A video whose frames have one grey level each."""

    fps = 10.0
    times = None

    def __init__(self, name, levels):
        self.name, self.levels = name, levels

    def __iter__(self):
        return (np.full((SIZE, SIZE, 3), level, np.uint8) for level in self.levels)


class OffByFour:
    """Stands in for an `Animator`: predictions are 4 levels brighter than the real frames.

    One keypoint of the generated frames moves by the square of the level; the others rest.
    """

    def compare(self, source, frames, normalization):
        for driving in frames:
            yield AnimatedFrame(driving, driving + np.uint8(4), np.zeros((3, 2)), 0.0155)

    def detect(self, frames):
        for frame in frames:
            x = ((frame.mean() - 4) / 10) ** 2
            yield Keypoints(np.array([[x, 0], [0, 0], [0, 0]]))

    def points(self, motion):
        return motion.value


class LevelEvaluator:
    """Detects two keypoints at the coordinates of the frame's level, and nobody in some frames."""

    name = "levels 1.0"

    def keypoints(self, frame):
        level = float(frame[0, 0, 0])
        if level in (14, 200):  # one generated frame (of the real 10), and one real frame
            return None
        return np.array([[level, level], [np.nan if level == 24 else level, 0]])

    def identity(self, frame):
        level = float(frame[0, 0, 0])
        return None if level in (200, 204) else np.array([level / 8, 0, 0])


def gif_outputs(folder):
    return FilmOutputs(folder=folder, suffix=".gif", visualize=VisualizeConfig(), marking=None)


VIDEOS = [Levels("id0#a.mp4", (0, 10, 20, 30)), Levels("b.png", (200, 100))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "reconstruction"
    reconstruct(
        OffByFour(),
        VIDEOS,
        gif_outputs(folder),
        evaluator=LevelEvaluator(),
        curves={"perceptual": {1: 2.0, 2: 1.0}, "pairs_per_second": {1: 9.0}},
    )
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_metrics_over_all_frames(report):
    assert (report["videos"], report["frames"]) == (2, 6)
    assert report["l1"] == pytest.approx(0.0155)
    assert report["psnr"] == pytest.approx(20 * np.log10(255 / 4))
    real = np.array([0, 10, 20, 30, 200, 100])
    constant = (0.01 * 255) ** 2  # SSIM of frames without structure depends only on it
    ssim = (2 * real * (real + 4) + constant) / (real**2 + (real + 4) ** 2 + constant)
    assert report["ssim"] == pytest.approx(ssim.mean())
    # The second differences of 0, 1, 4, 9 are 2 and 2; one keypoint in three moves.
    assert report["jitter"] == pytest.approx(2 / 3)
    assert report["jitter_real"] == 0
    # Four frames have distances: (4, 4) and (4, 0), in one of them only the first.
    assert report["akd_per_coordinate"] == pytest.approx((3 + 4 + 3 + 3) / 4)
    both = (np.sqrt(32) + 4) / 2
    assert report["akd_distance"] == pytest.approx((3 * both + np.sqrt(32)) / 4)
    assert report["mkr"] == pytest.approx((0 + 1 + 0.5 + 0 + 0) / 5)
    assert report["aed_distance"] == pytest.approx(0.5)
    assert report["aed_squared_distance"] == pytest.approx(0.25)


def test_names_that_are_not_utf_8_are_shown_by_their_bytes(tmp_path):
    reconstruct(OffByFour(), [Levels("M\udcfcller.png", (0, 10))], gif_outputs(tmp_path))
    report = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert report["per_video"][0]["video"] == r"M\xfcller.png"
    assert r"M\xfcller.png,2," in (tmp_path / "metrics.csv").read_text(encoding="utf-8")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert r'<a href="M%FCller.gif">M\xfcller.png</a>' in page
    assert (tmp_path / "M\udcfcller.gif").is_file()


def test_undetected_frames_are_counted(report):
    first, second = report["per_video"]
    names = list(COUNTS)
    assert [first[name] for name in names] == [0, 1, 0, 0]
    assert [second[name] for name in names] == [1, 0, 1, 1]
    assert [report[name] for name in names] == [1, 1, 1, 1]


def test_a_video_has_its_own_means(report):
    first, second = report["per_video"]
    assert (first["video"], first["frames"], second["frames"]) == ("id0#a.mp4", 4, 2)
    assert first["mkr"] == pytest.approx(1.5 / 4)
    assert second["mkr"] == 0
    assert second["jitter"] is None  # two frames have no second difference
    assert second["aed_distance"] == pytest.approx(0.5)


def test_csv_has_the_same_rows_and_names_the_evaluator(folder, report):
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, expected in zip(rows, report["per_video"], strict=True):
        assert row.pop("evaluator") == "levels 1.0"
        shown = {name: "" if value is None else str(value) for name, value in expected.items()}
        assert row == shown


def test_page_shows_metrics_films_and_losses(folder, report):
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "Evaluator: levels 1.0. Values of AKD, MKR and AED are comparable only if" in page
    assert 'href="id0%23a.gif"' in page
    assert (folder / "id0#a.gif").is_file()
    assert f"{report['psnr']:.4g}" in page
    for name in METRICS:
        assert (name in page) == (name in report)
    assert "id0#a.mp4, frames 0, 1, 2, 3" in page
    assert page.count("<img") == 3  # two contact sheets, one plot
    assert all(sentence in page for sentence in report["left_out"])


def test_contact_sheets_have_the_real_frames_above_the_generated_ones(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    first, second = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    for data, levels in ((first, (0, 10, 20, 30)), (second, (200, 100))):
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
        row = np.repeat(levels, SIZE)[None, :, None]
        expected = np.broadcast_to(np.repeat([row, row + 4], SIZE, axis=1), (2, SIZE, row.size, 3))
        np.testing.assert_allclose(sheet, expected.reshape(2 * SIZE, row.size, 3), atol=1)


def page_with(curves, folder):
    reconstruct(OffByFour(), VIDEOS[:1], gif_outputs(folder), curves=curves)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_scalars_that_are_not_losses_are_not_plotted(tmp_path):
    loss = {"perceptual": {1: 2.0, 2: 1.0}}
    others = {"gradient_norm": {1: 900.0, 2: 300.0}, "pairs_per_second": {1: 9.0, 2: 9.0}}
    assert page_with(loss | others, tmp_path) == page_with(loss, tmp_path)
    assert page_with(others, tmp_path) == page_with({}, tmp_path) != page_with(loss, tmp_path)


def test_without_an_evaluator_its_metrics_are_left_out(tmp_path):
    report = reconstruct(OffByFour(), VIDEOS, gif_outputs(tmp_path))
    assert report.evaluator is None
    assert not {"akd_distance", "mkr", "aed_distance", *COUNTS} & report.to_json().keys()
    assert any("reconstruct.evaluator is not set" in sentence for sentence in report.left_out)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 2


def test_a_metric_that_no_frame_defines_is_none():
    assert average_frames([{"mkr": [], "l1": [1.0, 2.0]}, {"mkr": [], "l1": [6.0]}]) == {
        "l1": 3.0, "mkr": None
    }  # fmt: skip


class Broken(OffByFour):
    """Stands in for an `Animator` whose second frame is not a number in one of its values."""

    def __init__(self, field):
        self.field = field

    def compare(self, source, frames, normalization):
        for number, frame in enumerate(super().compare(source, frames, normalization)):
            value = getattr(frame, self.field) * np.nan
            yield dataclasses.replace(frame, **{self.field: value}) if number == 1 else frame


@pytest.mark.parametrize("field", ["l1", "driving_points"])
def test_a_model_that_returns_nan_is_refused_and_nothing_is_written(tmp_path, field):
    with pytest.raises(InputError, match=r"^id0#a\.mp4, frame 1: the model returns NaN"):
        reconstruct(Broken(field), VIDEOS, gif_outputs(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class NoVector(LevelEvaluator):
    """Detects identities that are not numbers."""

    def identity(self, frame):
        return np.full(3, np.nan)


def test_metrics_that_are_not_finite_are_null_in_json(tmp_path):
    reconstruct(OffByFour(), VIDEOS, gif_outputs(tmp_path), evaluator=NoVector())
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert report["aed_distance"] is None
    assert report["per_video"][0]["aed_distance"] is None
    assert report["l1"] == pytest.approx(0.0155)


def test_a_loss_that_is_not_a_number_is_not_left_out():
    assert np.isnan(average_frames([{"l1": [1.0, float("nan")]}])["l1"])
