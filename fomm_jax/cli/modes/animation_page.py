"""The page of --mode=app: what it shows, and what its button does."""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

from fomm_jax.animation.animator import Animator
from fomm_jax.cli.modes.examples import Examples
from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.animate_files import animate_files
from fomm_jax.rendering.job import AnimationJob, Pipes
from fomm_jax.rendering.options import AnimationOptions

# Gradio reads these when it is imported; with them it contacts no server.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

try:
    import gradio as gr
    from gradio.blocks import Block
except ImportError as error:
    raise InputError(
        "--mode=app: needs the package gradio; expected `pip install 'fomm_jax[app]'`"
    ) from error

MAX_UPLOAD = "200mb"
MAX_SECONDS = 120  # of a driving video; --mode=animate takes any
ABOUT = """
# Animate a picture

The figure in the picture moves like the figure in the video. Everything happens on this computer:
nothing is sent anywhere, and uploads are deleted when the server ends. The result is marked as
generated. Animate people only with their consent.
"""
ABOUT_DEMO = """
The small model that comes with the project only knows drawn figures. To use another model, start
the page with `--checkpoint`.
"""
CROPS = [
    ("chosen for the model", "auto"),
    ("the middle", "centre"),
    ("around a face", "face"),
    ("the whole picture", "none"),
]
ALONE, IN_PICTURE, SIDE_BY_SIDE = "the animation", "in the whole picture", "side by side"


@dataclasses.dataclass(frozen=True)
class _Inputs:
    """The fields of the page that a user fills in."""

    picture: gr.Image
    video: gr.Video
    motion: gr.Dropdown
    relative: gr.Checkbox
    adapt_scale: gr.Checkbox
    best_frame: gr.Checkbox
    smooth: gr.Checkbox
    crop: gr.Radio
    view: gr.Radio

    def components(self) -> set[Block]:
        """Return all fields, as Gradio takes them."""
        return {getattr(self, field.name) for field in dataclasses.fields(self)}


def build_page(
    animator: Animator, examples: Examples, results: pathlib.Path, marking: Marking | None
) -> gr.Blocks:
    """Build the page.

    Args:
      animator: the model that animates.
      examples: pairs to click and motions to choose; may be empty.
      results: the folder for the films.
      marking: marks of the films; None: they carry no marks.
    """
    with gr.Blocks(title="fomm_jax", analytics_enabled=False) as page:
        gr.Markdown(ABOUT + (ABOUT_DEMO if examples.pairs else ""))
        with gr.Row():
            with gr.Column():
                inputs = _add_inputs(examples)
                button = gr.Button("Animate", variant="primary")
            result = gr.Video(label="Animation", elem_id="result", interactive=False, autoplay=True)
        if examples.pairs:
            gr.Examples(
                [*map(list, examples.pairs)],
                [inputs.picture, inputs.video],
                label="Examples: click one, then Animate",
            )
        button.click(
            _make_handler(animator, inputs, results, marking),
            inputs.components(),
            result,
            concurrency_limit=1,
        )
    return page


def _add_inputs(examples: Examples) -> _Inputs:
    """Add the fields for picture, video and options to the page."""
    picture = gr.Image(
        type="filepath", label="Picture", elem_id="picture", sources=["upload", "webcam"]
    )
    video = gr.Video(label="Video that moves it", elem_id="video", sources=["upload", "webcam"])
    motion = gr.Dropdown(
        [("none: the video above", ""), *examples.motions.items()],
        value="",
        label="Or a built-in motion",
        visible=bool(examples.motions),
    )
    with gr.Accordion("Options", open=False):
        return _Inputs(
            picture=picture,
            video=video,
            motion=motion,
            relative=gr.Checkbox(
                True,
                label="Relative motion",
                info="The figure starts in its own pose and moves as the video does from there.",
            ),
            adapt_scale=gr.Checkbox(
                False,
                label="Adapt the scale",
                info="A larger figure makes larger movements, and a smaller one smaller.",
            ),
            best_frame=gr.Checkbox(
                False,
                label="Find the best frame",
                info="Motion is relative to the frame of the video that is most like the picture.",
            ),
            smooth=gr.Checkbox(
                False, label="Smooth", info="Takes the trembling out of the motion."
            ),
            crop=gr.Radio(CROPS, value="auto", label="Part of the picture to animate"),
            view=gr.Radio([ALONE, IN_PICTURE, SIDE_BY_SIDE], value=ALONE, label="Show"),
        )


def _make_handler(
    animator: Animator, inputs: _Inputs, results: pathlib.Path, marking: Marking | None
) -> Callable[..., str]:
    """Return the function that the button calls; the page shows the errors that it raises."""

    def animate(
        values: dict[Block, Any],
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008  # Gradio's way
    ) -> str:
        del progress  # as a parameter it already makes Gradio show tqdm's bars
        picture, driving = values[inputs.picture], values[inputs.motion] or values[inputs.video]
        if picture is None or driving is None:
            missing = "a picture" if picture is None else "a video"
            raise gr.Error(f"Choose {missing} first.", print_exception=False)
        options = AnimationOptions(
            crop=values[inputs.crop],
            paste_back=values[inputs.view] == IN_PICTURE,
            side_by_side=values[inputs.view] == SIDE_BY_SIDE,
            relative=values[inputs.relative],
            adapt_scale=values[inputs.adapt_scale],
            best_frame="auto" if values[inputs.best_frame] else None,
            smooth=values[inputs.smooth],
        )
        results.mkdir(parents=True, exist_ok=True)
        output = pathlib.Path(tempfile.mkdtemp(dir=results)) / "animation.mp4"
        job = AnimationJob(
            sources=[picture],
            drivings=[driving],
            output=str(output),
            options=options,
            marking=marking,
            pipes=Pipes(),  # uploads are files
        )
        try:
            _check_length(driving)
            animate_files(animator, job)
        except InputError as error:
            message = str(error)
            for path in (picture, driving):  # the user only knows the names
                message = message.replace(path, pathlib.Path(path).name)
            raise gr.Error(message, print_exception=False) from error
        return str(output)

    return animate


def _check_length(video: str) -> None:
    seconds = probe_video(video).seconds
    if seconds > MAX_SECONDS:
        raise InputError(f"{video}: is {seconds:.0f} seconds long; expected at most {MAX_SECONDS}")


def serve_page(page: gr.Blocks, host: str, port: int | None, folder: pathlib.Path) -> None:
    """Serve a page until Ctrl-C.

    Args:
      page: the page.
      host: the address to listen on.
      port: the port to listen on; None: the first free one from 7860 on.
      folder: the only folder whose files the page may show.
    """
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size=MAX_UPLOAD,
        allowed_paths=[str(folder)],
        share=False,
        footer_links=[],
        # The default theme fetches its fonts from Google.
        theme=gr.themes.Default(font="system-ui", font_mono="monospace"),
    )
