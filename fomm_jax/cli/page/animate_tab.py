"""The tab that animates a picture by a video."""

import dataclasses
import functools
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fomm_jax.cli.page.gradio import gradio as gr
from fomm_jax.cli.page.studio import Studio
from fomm_jax.cli.page.terminal_command import terminal_command
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.rendering.animate_files import animate_files
from fomm_jax.rendering.job import AnimationJob, Pipes
from fomm_jax.rendering.options import AnimationOptions

MAX_SECONDS = 120  # of a driving video; --mode=animate takes any
INPUT_HEIGHT, RESULT_HEIGHT, EXAMPLE_HEIGHT = 260, 430, 165  # pixels
EVERY_FACE = "every face"  # is no crop: the faces are animated in the whole picture
CROPS = [
    ("whatever suits the model", "auto"),
    ("the middle", "centre"),
    ("a face", "face"),
    ("every face", EVERY_FACE),
    ("all of it", "none"),
]
# What the page calls the values of `AnimationOptions.motion_transfer`.
POSES = [("the picture's own pose", "relative"), ("the pose in the video", "absolute")]
POSE_BY_NETWORK = ("the pose in the video, in the picture's own proportions", "avd")
ALONE, IN_PICTURE, SIDE_BY_SIDE = "just the result", "in the whole picture", "all side by side"

# Where the page is narrow, the result lies below the button.
SHOW_RESULT = """() => document.querySelector('#result').scrollIntoView(
  {block: 'nearest', behavior: 'smooth'})"""

# The driving video plays, stands and jumps with the result.
FOLLOW_RESULT = """() => {
  const result = document.querySelector('#result video');
  const driving = document.querySelector('#video video');
  if (!result || !driving) return;
  driving.muted = true;
  const follow = () => {
    driving.currentTime = result.currentTime;
    if (result.paused) driving.pause(); else driving.play();
  };
  for (const name of ['play', 'pause', 'seeked']) result['on' + name] = follow;
  follow();
}"""


@dataclasses.dataclass(frozen=True)
class _Inputs:
    """The fields of the tab that a user fills in."""

    picture: gr.Image
    video: gr.Video
    view: gr.Radio
    motion: gr.Dropdown
    motion_transfer: gr.Radio
    adapt_scale: gr.Checkbox
    best_frame: gr.Checkbox
    smooth: gr.Checkbox
    crop: gr.Radio

    def components(self) -> set[Any]:
        """Return all fields, as Gradio takes them."""
        return {getattr(self, field.name) for field in dataclasses.fields(self)}


def add_animate_tab(studio: Studio) -> None:
    """Add the fields, the buttons and what they do."""
    examples = None
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            if studio.examples.pairs:
                gr.Markdown("Nothing at hand? Click a head to see it move.")
                examples = gr.Gallery(
                    [picture for picture, _ in studio.examples.pairs],
                    show_label=False,
                    elem_id="examples",
                    columns=len(studio.examples.pairs),
                    height=EXAMPLE_HEIGHT,
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                )
            with gr.Row(elem_id="inputs"):
                picture, video = _add_picture_and_video()
            button = gr.Button("Animate", variant="primary")
        with gr.Column(scale=3, min_width=320):
            result = gr.Video(
                label="Result",
                elem_id="result",
                height=RESULT_HEIGHT,
                interactive=False,
                autoplay=True,
                loop=True,
            )
            inputs = _add_choices(picture, video, studio)
            with gr.Accordion("The same from a terminal", open=False):
                command = gr.Code(
                    "Animate something first.",
                    language="shell",
                    elem_id="command",
                    show_label=False,
                    interactive=False,
                    wrap_lines=True,
                    show_line_numbers=False,
                    lines=1,
                )
    work = _Work(_make_handler(studio, inputs), inputs.components(), [result, command])
    work.follow(button.click)
    if examples is not None:
        pairs = studio.examples.pairs

        def choose(event: gr.SelectData) -> tuple[str, str, str]:
            return *pairs[event.index], ""

        chosen = examples.select(choose, None, [inputs.picture, inputs.video, inputs.motion])
        work.follow(chosen.success)
    result.change(None, js=FOLLOW_RESULT)
    result.play(None, js=FOLLOW_RESULT)


@dataclasses.dataclass(frozen=True)
class _Work:
    """What the button and the examples do."""

    animate: Callable[..., tuple[str, str]]
    inputs: set[Any]
    outputs: list[Any]

    def follow(self, event: Callable[..., Any]) -> None:
        """Animate after an event of Gradio."""
        event(
            self.animate,
            self.inputs,
            self.outputs,
            concurrency_limit=1,
            concurrency_id="film",
        )
        event(None, js=SHOW_RESULT)


def _add_picture_and_video() -> tuple[gr.Image, gr.Video]:
    sources: list[Any] = ["upload", "webcam"]
    picture = gr.Image(
        type="filepath",
        label="Picture",
        elem_id="picture",
        sources=sources,
        height=INPUT_HEIGHT,
        placeholder="Drop or click",
        buttons=[],
    )
    video = gr.Video(
        label="Video", elem_id="video", sources=sources, height=INPUT_HEIGHT, buttons=[]
    )
    return picture, video


def _add_choices(picture: gr.Image, video: gr.Video, studio: Studio) -> _Inputs:
    """Add the options, of which those that few people need are folded."""
    view = gr.Radio([ALONE, IN_PICTURE, SIDE_BY_SIDE], value=ALONE, label="Show")
    with gr.Accordion("More choices", open=False):
        motion = gr.Dropdown(
            [("the video above", ""), *studio.examples.motions.items()],
            value="",
            label="Move it by",
            visible=bool(studio.examples.motions),
        )
        return _Inputs(
            picture=picture,
            video=video,
            view=view,
            motion=motion,
            motion_transfer=gr.Radio(
                [*POSES, *([POSE_BY_NETWORK] if _can_retarget(studio) else [])],
                value="relative",
                label="Start from",
            ),
            adapt_scale=gr.Checkbox(
                False,
                label="Fit the size of the movements",
                info="A larger figure makes larger movements, a smaller one smaller.",
            ),
            best_frame=gr.Checkbox(
                False,
                label="Find the moment of the video that is most like the picture",
                info="The movement is counted from there, and not from the video's beginning.",
            ),
            smooth=gr.Checkbox(
                False, label="Calm the movement", info="Takes the trembling out of it."
            ),
            crop=gr.Radio(
                CROPS,
                value="auto",
                label="Part of the picture that moves",
                info="Every face moves in the whole picture.",
            ),
        )


def _can_retarget(studio: Studio) -> bool:
    """Tell whether the model has a network for `POSE_BY_NETWORK`."""
    try:
        studio.animator.check_transfer(NormalizationConfig(use_avd=True))
    except InputError:
        return False
    return True


def _make_handler(studio: Studio, inputs: _Inputs) -> Callable[..., tuple[str, str]]:
    """Return the function that the button calls; the page shows the errors that it raises."""

    def animate(
        values: dict[Any, Any],
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio's way
    ) -> tuple[str, str]:
        picture, driving = values[inputs.picture], values[inputs.motion] or values[inputs.video]
        if picture is None or driving is None:
            missing = "a picture" if picture is None else "a video"
            raise gr.Error(f"Choose {missing} first.", print_exception=False)
        every_face = values[inputs.crop] == EVERY_FACE
        options = AnimationOptions(
            crop="auto" if every_face else values[inputs.crop],
            faces="all" if every_face else None,
            paste_back=values[inputs.view] == IN_PICTURE,
            side_by_side=values[inputs.view] == SIDE_BY_SIDE and not every_face,
            motion_transfer=values[inputs.motion_transfer],
            adapt_scale=values[inputs.adapt_scale],
            best_frame="auto" if values[inputs.best_frame] else None,
            smooth=values[inputs.smooth],
        )
        studio.results.mkdir(parents=True, exist_ok=True)
        output = pathlib.Path(tempfile.mkdtemp(dir=studio.results)) / "animation.mp4"
        job = AnimationJob(
            sources=[picture],
            drivings=[driving],
            output=str(output),
            options=options,
            marking=studio.marking,
            pipes=Pipes(),  # uploads are files
            progress=functools.partial(_tell_time_left, progress),
        )
        try:
            _check_length(driving)
            animate_files(studio.animator, job)
        except InputError as error:
            message = str(error)
            for path in (picture, driving):  # the user only knows the names
                message = message.replace(path, pathlib.Path(path).name)
            raise gr.Error(message, print_exception=False) from error
        return str(output), terminal_command(studio.checkpoint, picture, driving, options)

    return animate


def _tell_time_left(
    progress: gr.Progress, frames: Iterable[Any], name: str, total: int | None
) -> Iterator[Any]:
    """Pass frames on, and show on the page how long the rest will take."""
    del name  # of a file, which the user knows
    begin = time.monotonic()
    for number, frame in enumerate(frames, 1):
        yield frame
        if total is not None:
            seconds = (time.monotonic() - begin) * max(total - number, 0) / number
            text = f"about {seconds:.0f} s left" if number > 1 else "getting ready"
            progress((number, total), text, unit="frames")


def _check_length(video: str) -> None:
    seconds = probe_video(video).seconds
    if seconds > MAX_SECONDS:
        raise InputError(f"{video}: is {seconds:.0f} seconds long; expected at most {MAX_SECONDS}")
