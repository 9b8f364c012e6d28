"""The page of web/, which animates pictures in a browser without a server."""

import base64
import functools
import http.server
import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from browser_with_camera import browser_with_camera, needs_browser, opened_page
from exported_frames import assert_same_frames
from PIL import Image

from fomm_jax.animation.animator import Animator
from fomm_jax.errors import InputError
from web.build import VERSION, build

ROOT = Path(__file__).parents[2]
TARBALL = ROOT / "build" / f"onnxruntime-web-{VERSION}.tgz"
needs_runtime = pytest.mark.skipif(
    not TARBALL.exists(),
    reason=f"`npm pack onnxruntime-web@{VERSION} --pack-destination=build` was not run",
)

# Runs the page's own model on its own samples; returns what it saw and what it painted.
PAINT = """async () => {
  const { loadModel } = await import("./model.js");
  const model = await loadModel();
  const [picture, video] = ["picture", "video"].map((id) => document.getElementById(id));
  const colours = () =>
    Array.from(model.context.getImageData(0, 0, model.width, model.height).data);
  // The server of the test serves whole files alone, in which a video cannot be sought.
  const file = await (await fetch(video.src)).blob();
  await new Promise((resolve) => {
    video.onloadeddata = resolve;
    video.src = URL.createObjectURL(file);
  });
  const source = await model.encode(picture);
  const seen = [colours()];
  const driving = [];
  for (const seconds of [0.01, 1.01]) {
    await new Promise((resolve) => { video.onseeked = resolve; video.currentTime = seconds; });
    driving.push(await model.detect("driving", model.tensor(video)));
    seen.push(colours());
  }
  const first = Object.entries(driving[0]);
  const initial = Object.fromEntries(first.map(([k, v]) => [k.replace("driving", "initial"), v]));
  model.context.drawImage(await model.paint(source, initial, driving[1]), 0, 0);
  return [...seen, colours()];
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the command builds."""
    site = tmp_path_factory.mktemp("web") / "site"
    command = [sys.executable, "-m", "web.build", f"--onnxruntime_web={TARBALL}"]
    subprocess.run([*command, f"--output={site}"], check=True, cwd=ROOT)
    return site


@pytest.fixture(scope="module")
def url(site):
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Write nothing to the terminal."""

    handler = functools.partial(Silent, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(site):
    with browser_with_camera(site / "samples" / "motion_2.mp4") as browser:
        yield browser


@pytest.fixture
def page(browser, url):
    with opened_page(browser, url, viewport={"width": 390, "height": 800}) as page:
        page.get_by_text("Ready. The model runs on the").wait_for()
        yield page


def wait_for_another_picture(page, before):
    """Wait until the animation differs visibly from some pixels, and return its own."""
    for _ in range(900):
        url = page.evaluate("document.getElementById('animation').toDataURL()")
        with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
            pixels = np.array(image.convert("RGB"), int)
        if np.abs(pixels - before).mean() > 1:
            return pixels
        page.wait_for_timeout(100)
    raise AssertionError("the animation stands still")


@needs_browser
@needs_runtime
def test_the_browser_paints_what_the_animator_does(page):
    animator = Animator.demo()
    size = animator.config.dataset.frame_shape[0]
    pictures = np.array(page.evaluate(PAINT), np.uint8).reshape(4, size, size, 4)[..., :3]
    source, initial, driving, painted = pictures
    expected = list(animator.animate(source, [initial, driving]))
    assert_same_frames(painted[None], expected[1:])
    assert np.abs(painted.astype(int) - expected[0]).mean() > 5  # it moved


@needs_browser
@needs_runtime
def test_a_video_and_the_camera_drive_the_picture(page):
    blank = np.zeros((384, 384, 3), int)
    page.get_by_role("button", name="Start", exact=True).click()
    first = wait_for_another_picture(page, blank)
    wait_for_another_picture(page, first)
    # White letters on a black box, in the lower left corner.
    corner = first[-30:, :100]
    assert np.mean(corner < 30) > 0.5
    assert np.mean(corner > 225) > 0.05
    page.get_by_role("button", name="Use my camera").click()
    page.wait_for_function("document.getElementById('video').srcObject !== null")
    camera = wait_for_another_picture(page, first)
    wait_for_another_picture(page, camera)
    page.get_by_text("pictures a second, on the processor").wait_for()
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(500)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save recording").click()
    assert saved.value.suggested_filename == "generated.webm"
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_another_tarball_is_refused(tmp_path):
    tarball = tmp_path / "onnxruntime-web.tgz"
    tarball.write_bytes(b"another one")
    with pytest.raises(InputError, match=r"onnxruntime-web\.tgz: has another checksum than"):
        build(tmp_path / "site", tarball, animator=None)
    assert list(tmp_path.iterdir()) == [tarball]
