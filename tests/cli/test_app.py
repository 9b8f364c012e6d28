"""The page of --mode=app, operated in a browser without a window."""

import io
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser_with_camera import browser_with_camera, needs_browser, opened_page
from commands import run_main
from PIL import Image

from fomm_jax.cli.page.examples import draw_examples
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import SourceType

gradio = pytest.importorskip("gradio", reason="the extra `app` is not installed")

ROOT = Path(__file__).parents[2]
PHOTO = ROOT.parent / "shared" / "data" / "media" / "source_portrait_720x1280.jpg"


@pytest.fixture(scope="module")
def url():
    """The address of a page with the demo model."""
    command = [sys.executable, "main.py", "--mode=app"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield address[0]
                break
        else:
            pytest.fail(f"the server ended with {server.wait()}")
        server.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser whose camera plays a film of a drawn figure over and over."""
    ((_, motion),) = draw_examples(tmp_path_factory.mktemp("camera"), 1).pairs
    with browser_with_camera(Path(motion)) as browser:
        yield browser


@pytest.fixture(params=[(1280, 800)])
def page(url, browser, request):
    width, height = request.param
    screen = {"width": width, "height": height}
    with opened_page(browser, url, accept_downloads=True, viewport=screen) as page:
        page.get_by_role("button", name="Animate", exact=True).wait_for()
        yield page


def animate(page):
    page.get_by_role("button", name="Animate", exact=True).click()


@needs_browser
def test_an_example_is_animated_and_saved(page, tmp_path):
    page.locator("#examples button").nth(1).click()
    page.locator("#picture img[src*='head_2']").wait_for()
    page.locator("#video video[src*='motion_2']").wait_for()
    page.locator("#result video[src*='animation.mp4']").wait_for()
    with page.expect_download() as saved:
        page.locator("#result a[download]").click()
    saved.value.save_as(tmp_path / "film.mp4")
    frames = np.stack([*iterate_frames(tmp_path / "film.mp4")]).astype(int)
    assert frames.shape == (48, 128, 128, 3)
    assert np.abs(frames - frames[0]).mean(axis=(1, 2, 3)).max() > 3  # it moves
    marks = read_marks(tmp_path / "film.mp4")
    assert marks.terms.keys() == {"comment", "XMP"}
    assert marks.source_type is SourceType.CREATED
    page.get_by_text("The same from a terminal").click()
    command = "python main.py --mode=animate --source=head_2.png --driving=motion_2.mp4"
    page.get_by_text(command).wait_for()
    assert seconds_apart(page) < 0.2
    page.evaluate("document.querySelector('#result video').pause()")
    page.wait_for_function("document.querySelector('#video video').paused")
    page.evaluate("document.querySelector('#result video').currentTime = 1.5")
    page.wait_for_function(
        "Math.abs(document.querySelector('#video video').currentTime - 1.5) < 0.01"
    )


def seconds_apart(page):
    """Return how far the driving video is from the result."""
    return page.evaluate(
        "Math.abs(document.querySelector('#result video').currentTime"
        " - document.querySelector('#video video').currentTime)"
    )


@needs_browser
@pytest.mark.parametrize("page", [(1280, 800), (390, 844)], indirect=True)
def test_everything_that_matters_is_in_view(page):
    screen = page.viewport_size

    def box(selector):
        box = page.locator(selector).bounding_box()
        return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]

    button = box("button.primary >> nth=0")
    picture, video, result = box("#picture"), box("#video"), box("#result")
    for left, _, right, bottom in (box("#examples"), picture, video, button):
        assert left >= 0
        assert right <= screen["width"]
        assert bottom <= screen["height"]
    assert picture[1] == video[1], "side by side"
    assert picture[2] < video[0]
    if screen["width"] > 600:
        assert result[3] <= screen["height"]
        assert (result[2] - result[0]) > 2 * (picture[2] - picture[0])
    page.locator("#examples button").nth(0).click()
    page.wait_for_timeout(1500)
    top = page.locator("#result").bounding_box()["y"]
    assert top + 200 < screen["height"], "the page shows where the result will be"


@needs_browser
def test_the_camera_moves_a_picture(page):
    page.get_by_role("tab", name="With your camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#camera button.capture-button").click()
    shown = page.locator("#live_result img")
    shown.wait_for()

    def picture():
        image = Image.open(io.BytesIO(shown.screenshot()))
        return np.asarray(image.convert("RGB")).astype(int)

    first = picture()
    for _ in range(40):
        if np.abs(picture()[:300] - first[:300]).mean() > 3:
            break
        page.wait_for_timeout(500)
    else:
        pytest.fail("the picture does not move")
    label = first[-40:, :120]
    assert label.max() > 220, "the label is there"


@needs_browser
def test_errors_are_shown_on_the_page(page, tmp_path):
    animate(page)
    page.get_by_text("Choose a picture first.").wait_for()
    write_picture(tmp_path / "picture.png", np.full((80, 60, 3), 99, np.uint8))
    page.locator("input[type=file]").first.set_input_files(tmp_path / "picture.png")
    page.locator("#picture img[src*='picture']").wait_for()
    animate(page)
    page.get_by_text("Choose a video first.").wait_for()
    with VideoWriter(tmp_path / "long.mp4", FilmFormat(32, 32, fps=1)) as writer:
        for _ in range(130):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    page.locator("input[type=file]").nth(1).set_input_files(tmp_path / "long.mp4")
    page.locator("#video video[src*='long']").wait_for()
    animate(page)
    page.get_by_text("long.mp4: is 130 seconds long; expected at most 120").wait_for()


@needs_browser
@pytest.mark.skipif(not PHOTO.exists(), reason="../shared/data is not there")
def test_every_face_of_a_photo_moves(page, tmp_path):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    with VideoWriter(tmp_path / "dark.mp4", FilmFormat(32, 32, fps=5)) as writer:
        for level in (0, 40, 80):
            writer.write(np.full((32, 32, 3), level, np.uint8))
    for number, path in enumerate((PHOTO, tmp_path / "dark.mp4")):
        page.locator("input[type=file]").nth(number).set_input_files(path)
    page.locator("#video video[src*='dark']").wait_for()
    page.get_by_text("More choices").click()
    page.get_by_label("every face").check()
    animate(page)
    page.locator("#result video[src*='animation.mp4']").wait_for()
    page.get_by_text("The same from a terminal").click()
    page.get_by_text("--faces=all").wait_for()
    size = "document.querySelector('#result video').videoHeight"
    page.wait_for_function(f"{size} == {read_picture(PHOTO).shape[0] // 2 * 2}")


def test_a_port_that_is_taken_is_refused(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run_main("--mode=app", f"--port={port}") == 2
    assert f"--port: {port} cannot be used" in capsys.readouterr().err.splitlines()[-1]
