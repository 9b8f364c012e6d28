"""The page on a comparison shows the frames of both sides, and where they differ."""

import base64
import dataclasses
import html
import io
import re

import numpy as np
import pytest
import reference
from PIL import Image

from fomm_jax.buckets import to_path
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.parity.compare import write_reports
from fomm_jax.parity.recorded import compare_recording
from fomm_jax.parity.results import ComparedFrames, Comparison
from fomm_jax.parity.results_page import write_results_page


def pictures_of(page):
    """Return the contact sheets (h, w, 3) by caption."""
    figures = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', page)
    return {
        html.unescape(caption): np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data, caption in figures
    }


def made_up_frames(prediction, **changes):
    """Put a prediction beside even pictures: source 0.2, driving 0.4, original 0.5."""
    source, driving, original = (np.full(prediction.shape, level) for level in (0.2, 0.4, 0.5))
    frames = ComparedFrames("prediction", source, driving, original, prediction)
    return dataclasses.replace(frames, **changes)


def write_page(folder, *frames):
    """Return the text of the page on some frames."""
    write_results_page({"set": Comparison([], frames)}, folder)
    return (folder / "comparison.html").read_text()


def test_a_sheet_shows_where_the_difference_is(tmp_path):
    prediction = np.full((2, 64, 64, 3), 0.5)
    prediction[1, :32] += 0.005
    page = write_page(tmp_path, made_up_frames(prediction))
    ((caption, sheet),) = pictures_of(page).items()
    assert "difference between the last two times 200" in caption
    # Pictures are doubled in size, with white between them.
    assert sheet.shape == (2 * 128, 5 * 128 + 4 * 4, 3)
    columns = [sheet[:, i * 132 : i * 132 + 128].astype(float) for i in range(5)]
    for column, level in zip(columns, (0.2, 0.4, 0.5, 0.5), strict=False):
        np.testing.assert_allclose(column, 255 * level, atol=3)
    upper = slice(128, 128 + 64)
    np.testing.assert_allclose(columns[4][upper], 255, atol=3)
    np.testing.assert_allclose(np.delete(columns[4], upper, axis=0), 0, atol=3)


def test_values_that_are_not_finite_are_white_and_other_sizes_are_left_out(tmp_path):
    prediction = np.full((1, 128, 128, 3), 0.5)
    prediction[:, :64] = np.nan
    broken = made_up_frames(prediction, array="broken")
    smaller = made_up_frames(prediction, array="smaller", original=np.zeros((1, 64, 64, 3)))
    same = made_up_frames(np.full((1, 128, 128, 3), 0.5), array="same")
    page = write_page(tmp_path, broken, smaller, same)
    sheets = {caption.partition(":")[0]: sheet for caption, sheet in pictures_of(page).items()}
    assert sheets.keys() == {"broken", "same"}
    np.testing.assert_allclose(sheets["broken"][:60, -128:], 255, atol=3)
    np.testing.assert_allclose(sheets["broken"][70:, -128:], 0, atol=3)
    np.testing.assert_allclose(sheets["same"][:, -128:], 0, atol=3)


def test_a_clip_has_a_film_of_all_its_frames(tmp_path):
    levels = np.linspace(0.1, 0.9, 7)
    prediction = np.full((7, 128, 128, 3), levels.reshape(-1, 1, 1, 1))
    page = write_page(tmp_path, made_up_frames(prediction, array="way/prediction", is_clip=True))
    (caption,) = pictures_of(page)
    assert caption.endswith("frames 0, 2, 4, 6")
    (film,) = re.findall(r'href="([^"]+\.mp4)"', page)
    shown = [frame[:, 3 * 132 : 3 * 132 + 128].mean() for frame in iterate_frames(tmp_path / film)]
    np.testing.assert_allclose(shown, 255 * levels, atol=3)


def test_the_recorded_clip_and_its_films(tmp_path):
    folder = reference.SHARED / "animation"
    if not folder.is_dir():
        pytest.skip(f"{reference.SHARED} is not there")
    comparison = compare_recording(folder, None)
    with np.load(folder / "arrays.npz") as archive:
        for frames in comparison.frames:
            np.testing.assert_array_equal(frames.driving, archive["driving"])
            np.testing.assert_array_equal(frames.source[5], archive["source"])
            np.testing.assert_array_equal(frames.original, archive[frames.array])
            np.testing.assert_allclose(frames.ours, frames.original, rtol=0, atol=1e-4)
    write_results_page({"animation": comparison}, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    films = re.findall(r'href="([^"]+\.mp4)"', page)
    assert len(set(films)) == len(pictures_of(page)) == 4
    assert [len(list(iterate_frames(tmp_path / film))) for film in films] == [12] * 4
    assert len(page) < 2e6


def test_reports_in_a_bucket_are_those_on_a_disk(bucket, tmp_path):
    frames = np.random.default_rng(0).random((3, 64, 64, 3))
    comparisons = {"set": Comparison([], [made_up_frames(frames, is_clip=True)])}
    for folder in (tmp_path, to_path(bucket) / "comparison"):
        write_reports(comparisons, folder)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:3] == ["comparison.html", "comparison.json", "comparison.md"]
    assert names[3].endswith(".mp4")
    for name in names:
        content = (to_path(bucket) / "comparison" / name).read_bytes()
        assert content == (tmp_path / name).read_bytes(), name
