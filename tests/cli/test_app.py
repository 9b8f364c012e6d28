"""The page of --mode=app, operated in a browser without a window."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fomm_jax.media.pictures import write_picture
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import SourceType

gradio = pytest.importorskip("gradio", reason="the extra `app` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
TIMEOUT = 90_000  # milliseconds for anything


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


@pytest.fixture
def page(url):
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(TIMEOUT)
        elsewhere = []
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((url, "data:", "blob:"))
                else elsewhere.append(request.url)
            ),
        )
        page.goto(url)
        yield page
        assert not elsewhere, "the page requests nothing from other servers"
        browser.close()


def animate(page):
    page.get_by_role("button", name="Animate", exact=True).click()


@needs_browser
def test_an_example_is_animated_and_saved(page, tmp_path):
    page.locator("table tbody tr").nth(1).click()
    page.locator("#picture img[src*='figure_2']").wait_for()
    page.locator("#video video[src*='motion_2']").wait_for()
    animate(page)
    page.locator("#result video[src*='animation.mp4']").wait_for()
    with page.expect_download() as saved:
        page.locator("#result a[download]").click()
    saved.value.save_as(tmp_path / "film.mp4")
    frames = np.stack([*iterate_frames(tmp_path / "film.mp4")]).astype(int)
    assert frames.shape == (48, 64, 64, 3)
    assert np.abs(frames - frames[0]).mean(axis=(1, 2, 3)).max() > 3  # it moves
    marks = read_marks(tmp_path / "film.mp4")
    assert marks.terms.keys() == {"comment", "XMP"}
    assert marks.source_type is SourceType.CREATED


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


def test_a_port_that_is_taken_is_refused(url):
    port = url.rsplit(":", 1)[1]
    command = [sys.executable, "main.py", "--mode=app", f"--port={port}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert f"--port: {port} cannot be used" in ended.stderr.splitlines()[-1]
