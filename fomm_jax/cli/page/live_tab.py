"""The tab that animates a picture by the browser's camera, while it happens."""

import base64
import dataclasses

import imageio.v3 as imageio
import numpy as np

from fomm_jax.cli.page.animate_tab import INPUT_HEIGHT, RESULT_HEIGHT
from fomm_jax.cli.page.gradio import gradio as gr
from fomm_jax.cli.page.studio import Studio
from fomm_jax.errors import InputError
from fomm_jax.live.camera_framing import CameraFraming
from fomm_jax.live.controls import Controls
from fomm_jax.live.puppet import Puppet
from fomm_jax.live.session import Stage, animate_frame
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.source import open_source

EVERY = 0.05  # seconds between frames of the camera, if the model is that fast
ABOUT = (
    "Choose a picture, start the camera, take the pose of the picture, and press"
    " **This is my neutral pose**. Each picture of the result says that it is generated."
)


@dataclasses.dataclass(frozen=True)
class _Visit:
    """What is remembered between the frames of one visitor."""

    picture: str  # the path of the picture
    stage: Stage
    calibrations: int = 0


def add_live_tab(studio: Studio) -> None:
    """Add picture, camera, result and what they do."""
    gr.Markdown(ABOUT)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            with gr.Row(elem_id="inputs"):
                picture = gr.Image(
                    studio.examples.pairs[0][0] if studio.examples.pairs else None,
                    type="filepath",
                    label="Picture",
                    elem_id="live_picture",
                    sources=["upload"],
                    height=INPUT_HEIGHT,
                    placeholder="Drop or click",
                    buttons=[],
                )
                camera = gr.Image(
                    label="Camera",
                    elem_id="camera",
                    sources=["webcam"],
                    streaming=True,
                    height=INPUT_HEIGHT,
                    buttons=[],
                )
            calibrate = gr.Button("This is my neutral pose", variant="primary")
        with gr.Column(scale=3, min_width=320):
            # Gradio would write each picture of a gr.Image to the disk.
            result = gr.HTML(_as_html(None), elem_id="live_result")
    visit = gr.State(None)

    def show(
        frame: np.ndarray | None, path: str | None, before: _Visit | None
    ) -> tuple[str, _Visit | None]:
        if frame is None or path is None:
            return _as_html(None), before
        now = before if before and before.picture == path else _begin(studio, path)
        picture, _ = animate_frame(now.stage, frame, Controls(calibrations=now.calibrations))
        return _as_html(picture), now

    camera.stream(
        show,
        [camera, picture, visit],
        [result, visit],
        stream_every=EVERY,
        concurrency_limit=1,
        show_progress="hidden",
    )
    calibrate.click(_calibrate, visit, visit)


def _begin(studio: Studio, path: str) -> _Visit:
    animator = studio.animator
    options = AnimationOptions().for_model(animator.config.animate)
    try:
        source = open_source(animator, path, options)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
    normalization = animator.config.animate.normalization
    size = animator.config.dataset.frame_shape[:2]
    puppet = Puppet(animator, normalization, smooth=False)
    return _Visit(path, Stage([source], puppet, CameraFraming(size, follow=None)))


def _as_html(picture: np.ndarray | None) -> str:
    """Return the picture as a part of a page; None: an empty place of its size."""
    if picture is None:
        return f'<div style="height: {RESULT_HEIGHT}px">The result appears here.</div>'
    data = base64.b64encode(imageio.imwrite("<bytes>", picture, extension=".jpg")).decode()
    style = f"height: {RESULT_HEIGHT}px; max-width: 100%; object-fit: contain; margin: auto"
    return f'<img alt="Result" style="{style}" src="data:image/jpeg;base64,{data}">'


def _calibrate(visit: _Visit | None) -> _Visit | None:
    return visit and dataclasses.replace(visit, calibrations=visit.calibrations + 1)
