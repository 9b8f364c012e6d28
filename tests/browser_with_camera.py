"""A browser without a window, whose camera plays a film."""

import contextlib
import shutil
import subprocess

import imageio_ffmpeg
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TIMEOUT = 90_000  # milliseconds for anything
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@contextlib.contextmanager
def opened_page(browser, url, **options):
    """Open a page, and assert at its end that it asked no other server for anything."""
    page = browser.new_page(**options)
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
    page.close()


@contextlib.contextmanager
def browser_with_camera(film):
    """Start a browser whose camera plays a film over and over."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    frames = film.with_suffix(".y4m")
    convert = [ffmpeg, "-i", film, "-pix_fmt", "yuv420p", frames]
    subprocess.run(convert, check=True, capture_output=True)
    camera = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={frames}",
    ]
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield browser
        browser.close()
