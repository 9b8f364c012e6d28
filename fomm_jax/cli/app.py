"""A page in the browser that animates pictures, served on this machine alone."""

import os
import pathlib
import socket
import sys
import tempfile
from collections.abc import Callable

from fomm_jax.animation.animator import Animator
from fomm_jax.cli.examples import Examples, draw_examples
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.media.video_reader import count_frames, probe_video
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.animate_files import Pipes, animate_files
from fomm_jax.rendering.options import AnimationOptions

# Read by Gradio as it is imported: nothing is told to anybody.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

try:
    import gradio as gr
except ImportError as error:
    raise InputError(
        "--mode=app: needs the package gradio; expected `pip install 'fomm_jax[app]'`"
    ) from error

HOST = "127.0.0.1"  # this machine alone can open the page
MAX_UPLOAD = "200mb"
MAX_SECONDS = 120  # of a driving video; --mode=animate takes any
ABOUT = """
# Animate a picture

The figure in the picture gets the motion of the one in the video. All of it happens on this
computer: nothing is sent anywhere, and uploads are deleted when the server ends. The result is
marked as generated. Animate people only with their consent.
"""
DEMO = """
The small model that comes with the project knows drawn figures alone; start the page with
`--checkpoint` for another one.
"""


def run(
    config: Config | None, checkpoint: str | None, marking: Marking | None, port: int | None
) -> None:
    """Serve the page until Ctrl-C.

    Args:
      config: of the model; None where the checkpoint carries it.
      checkpoint: None is the demo model.
      marking: of the films; None is none.
      port: of localhost; None is the first free one from 7860 on.

    Raises:
      InputError: there is no model, or the port is taken.
    """
    if port is not None:
        _check_port(port)
    if checkpoint is not None:
        animator = Animator.from_checkpoint(checkpoint, config)
    else:
        animator = Animator.demo()
    with tempfile.TemporaryDirectory(prefix="fomm_jax-app-") as name:
        folder = pathlib.Path(name)
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
        # Drawn figures are what the demo model knows; there are no such for others.
        examples = draw_examples(folder / "examples") if checkpoint is None else Examples([], {})
        page = build_page(animator, examples, folder / "results", marking)
        page.launch(
            server_name=HOST,
            server_port=port,
            max_file_size=MAX_UPLOAD,
            allowed_paths=[str(folder)],
            share=False,
            footer_links=[],
            # The default theme fetches its fonts from Google.
            theme=gr.themes.Default(font="system-ui", font_mono="monospace"),
        )


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"--port: {port} cannot be used; expected a free one") from error


def build_page(
    animator: Animator, examples: Examples, results: pathlib.Path, marking: Marking | None
) -> gr.Blocks:
    """The page, not yet served.

    Args:
      animator: what animates.
      examples: pairs to click, and motions to choose; may be empty.
      results: a folder for what is made.
      marking: of the films; None is none.
    """
    with gr.Blocks(title="fomm_jax", analytics_enabled=False) as page:
        gr.Markdown(ABOUT + (DEMO if examples.pairs else ""))
        with gr.Row():
            with gr.Column():
                picture = gr.Image(
                    type="filepath",
                    label="Picture",
                    elem_id="picture",
                    sources=["upload", "webcam"],
                )
                video = gr.Video(
                    label="Video whose motion it gets",
                    elem_id="video",
                    sources=["upload", "webcam"],
                )
                motion = gr.Dropdown(
                    [("none: the video above", ""), *examples.motions.items()],
                    value="",
                    label="Or a built-in motion",
                    visible=bool(examples.motions),
                )
                with gr.Accordion("Options", open=False):
                    relative = gr.Checkbox(
                        True,
                        label="Relative motion",
                        info="Moves as the video does from its first frame on, whatever the pose.",
                    )
                    adapt_scale = gr.Checkbox(
                        False,
                        label="Adapt the scale",
                        info="Movements grow or shrink with the size of who moves.",
                    )
                    best_frame = gr.Checkbox(
                        False,
                        label="Find the best frame",
                        info="Motion is relative to the frame that is most like the picture.",
                    )
                    smooth = gr.Checkbox(
                        False, label="Smooth", info="Takes the trembling out of the motion."
                    )
                    crop = gr.Radio(
                        [
                            ("chosen for the model", "auto"),
                            ("the middle", "centre"),
                            ("around a face", "face"),
                            ("the whole picture", "none"),
                        ],
                        value="auto",
                        label="Part of the picture that is animated",
                    )
                    view = gr.Radio(
                        ["the animation", "in the whole picture", "side by side"],
                        value="the animation",
                        label="Show",
                    )
                animate = gr.Button("Animate", variant="primary")
            result = gr.Video(label="Animation", elem_id="result", interactive=False, autoplay=True)
        if examples.pairs:
            gr.Examples(
                [*map(list, examples.pairs)],
                [picture, video],
                label="Examples: click one, then Animate",
            )
        animate.click(
            make_handler(animator, results, marking),
            [picture, video, motion, relative, adapt_scale, best_frame, smooth, crop, view],
            result,
            concurrency_limit=1,
        )
    return page


def make_handler(
    animator: Animator, results: pathlib.Path, marking: Marking | None
) -> Callable[..., str]:
    """What the button calls; errors are raised as `gr.Error`, which the page shows."""

    def animate(
        picture: str | None,
        video: str | None,
        motion: str,
        relative: bool,
        adapt_scale: bool,
        best_frame: bool,
        smooth: bool,
        crop: str,
        view: str,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008  # Gradio's way
    ) -> str:
        del progress  # it shows tqdm's bars by being there
        driving = motion or video
        if picture is None or driving is None:
            missing = "a picture" if picture is None else "a video"
            raise gr.Error(f"Choose {missing} first.", print_exception=False)
        options = AnimationOptions(
            crop=crop,  # type: ignore[arg-type]  # one of the radio's
            paste_back=view == "in the whole picture",
            side_by_side=view == "side by side",
            relative=relative,
            adapt_scale=adapt_scale,
            best_frame="auto" if best_frame else None,
            smooth=smooth,
        )
        results.mkdir(parents=True, exist_ok=True)
        output = pathlib.Path(tempfile.mkdtemp(dir=results)) / "animation.mp4"
        try:
            info = probe_video(driving)
            seconds = (info.num_frames or count_frames(driving)) / info.fps
            if seconds > MAX_SECONDS:
                raise InputError(
                    f"{driving}: is {seconds:.0f} seconds long; expected at most {MAX_SECONDS}"
                )
            pipes = Pipes(sys.stdin.buffer, sys.stdout.buffer)  # which no upload is
            animate_files(
                animator, [picture], [driving], [], str(output), options, pipes, marking=marking
            )
        except InputError as error:
            message = str(error)
            for path in (picture, driving):  # the user knows the names alone
                message = message.replace(path, pathlib.Path(path).name)
            raise gr.Error(message, print_exception=False) from error
        return str(output)

    return animate
