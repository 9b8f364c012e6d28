"""Animate a picture by the person in front of a camera, while it happens."""

import contextlib
import importlib.util
import logging
import sys

from fomm_jax.animation.animator import Animator
from fomm_jax.cli import animation_flags
from fomm_jax.cli.file_patterns import expand_patterns
from fomm_jax.cli.flags import (
    DRIVING,
    MOTION,
    OUTPUT,
    SOURCE,
    model_path,
    names_as_flags,
    read_config,
)
from fomm_jax.cli.live_flags import CAMERA, LABEL
from fomm_jax.errors import InputError
from fomm_jax.live.camera import open_camera
from fomm_jax.live.camera_framing import CameraFraming, HeadFollower
from fomm_jax.live.controls import Controls, key_lines
from fomm_jax.live.newest_frame import Frames
from fomm_jax.live.puppet import Puppet
from fomm_jax.live.screens import Pipe, Screen, VirtualCamera, Window
from fomm_jax.live.session import Stage, perform
from fomm_jax.media.raw_frames import read_raw_frames
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE
from fomm_jax.rendering.source import open_source

logger = logging.getLogger(__name__)

VIRTUAL = "virtual"  # the value of --output that means a virtual camera


def run() -> None:
    """Animate until a key ends it, or the camera does.

    Raises:
      InputError: a flag is missing or does not suit this mode, or a file, camera or screen cannot
        be used.
    """
    output = _check_flags()
    checkpoint, config = model_path(), read_config()
    if checkpoint is None and config is not None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    with contextlib.ExitStack() as stack:
        stack.enter_context(animation_flags.naming_flags())
        stack.enter_context(names_as_flags({"camera"}))
        screens = [stack.enter_context(screen) for screen in _open_screens(output)]
        if output == PIPE:  # nothing else may go to standard output
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        frames = _open_camera()
        animator = (
            Animator.demo() if checkpoint is None else Animator.from_checkpoint(checkpoint, config)
        )
        if not LABEL.value:
            logger.info("--nolabel: the pictures will not say that a model made them")
        if output != PIPE:
            logger.info("%s", "\n".join(key_lines()))
        # A window works as a mirror; others see a virtual camera as they see a person.
        controls = Controls(is_mirrored=output is None)
        try:
            figures = perform(_set_stage(animator), frames, screens, controls)
        except BrokenPipeError:
            logger.info("standard output was closed; the animation ends there")
        else:
            logger.info("%d pictures: %s", figures.count, figures)


def _check_flags() -> str | None:
    """Return the output: `VIRTUAL`, `PIPE`, or None for a window alone."""
    if not SOURCE.value:
        raise InputError("--source: expected a picture to animate")
    if DRIVING.value or MOTION.value:
        raise InputError(
            "--driving, --motion: expected with --mode=animate; --mode=live has --camera"
        )
    if OUTPUT.value not in (None, VIRTUAL, PIPE):
        raise InputError(
            f"--output={OUTPUT.value}: expected virtual (a virtual camera), - (raw frames to"
            " standard output), or no --output (a window)"
        )
    animation_flags.check_only(
        {"crop", "crop_driving", "background", "paste_back", "relative", "absolute", "adapt_scale"}
        | {"faces", "motion_transfer", "smooth", "pipe_size", "fps"}
    )
    return OUTPUT.value


def _open_camera() -> Frames:
    raw_format = animation_flags.read_raw_format(reads_pipe=CAMERA.value == PIPE)
    if raw_format is None:
        return open_camera(CAMERA.value)
    if sys.stdin is None:
        raise InputError("--camera=-: standard input is closed")
    return read_raw_frames(sys.stdin.buffer, raw_format, "standard input")


def _open_screens(output: str | None) -> list[Screen]:
    if output == PIPE:
        if sys.stdout is None:
            raise InputError("--output=-: standard output is closed")
        return [Pipe(sys.stdout.buffer)]
    return [VirtualCamera(), Window()] if output == VIRTUAL else [Window()]


def _set_stage(animator: Animator) -> Stage:
    options = animation_flags.read_options().for_model(animator.config.animate)
    size = animator.config.dataset.frame_shape[:2]
    paths = expand_patterns(SOURCE.value or [], "--source")
    normalization = options.normalization(animator.config.animate.normalization)
    animator.check_transfer(normalization)
    return Stage(
        sources=[open_source(animator, path, options) for path in paths],
        puppet=Puppet(animator, normalization, smooth=options.smooth),
        framing=CameraFraming(size, _choose_follower(options, size)),
        is_labelled=LABEL.value,
    )


def _choose_follower(options: AnimationOptions, size: tuple[int, int]) -> HeadFollower | None:
    """Return what follows the head in the camera's frames; None if the middle is taken."""
    has_detector = importlib.util.find_spec("dlib") is not None
    if options.crop_driving == "centre" or (options.crop_driving == "auto" and not has_detector):
        return None
    if options.crop_driving not in ("auto", "face", "follow"):
        raise InputError("crop_driving: expected auto, follow or centre with --mode=live")
    if not has_detector:
        raise InputError(
            "crop_driving: faces are found by packages that are not installed:"
            " `pip install fomm_jax[evaluation]`"
        )
    return HeadFollower(size)
