"""A browser without a window, whose camera plays a film."""

import contextlib
import shutil
import subprocess

import imageio_ffmpeg
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


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
