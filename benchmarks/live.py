"""Time a live animation: how many pictures it shows a second, and how late.

    python -m benchmarks.live --config=configs/vox_256.py [--seconds=30]

A thread gives 30 random frames of 640x480 a second, as a camera would. The pictures go into a pipe
that nobody reads. The latency is from a frame in the host's memory to its picture there, without
what camera and screen add. The first pictures, which compile, do not count.
"""

import argparse
import dataclasses
import json
import os
import time

import jax
import numpy as np

from benchmarks.animate import random_frames, random_model
from benchmarks.command_line import CONFIG_HELP, check_counts, parse_with_config
from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.errors import one_line_errors
from fomm_jax.live.camera_framing import CameraFraming
from fomm_jax.live.controls import Controls
from fomm_jax.live.newest_frame import Frames
from fomm_jax.live.puppet import Puppet
from fomm_jax.live.screens import Pipe
from fomm_jax.live.session import Stage, perform
from fomm_jax.media.framing import frame_centre
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.source import Source
from fomm_jax.rendering.view import choose_view

RATE = 30.0  # frames a second of the camera
HEIGHT, WIDTH = 480, 640


def random_camera(seconds: float) -> Frames:
    """Yield random frames at the camera's rate for so many seconds."""
    frames = np.random.default_rng(0).integers(0, 256, (8, HEIGHT, WIDTH, 3), np.uint8)
    begin = time.monotonic()
    for number in range(round(seconds * RATE)):
        time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        yield frames[number % len(frames)]


def make_stage(animator: Animator) -> Stage:
    """Return a stage with a random picture."""
    config = animator.config
    picture, _ = random_frames(config, 1)
    size = config.dataset.frame_shape[:2]
    framing = frame_centre(picture.shape[:2], size)
    view = choose_view(picture, picture, [framing], AnimationOptions(), config.visualize)
    return Stage(
        sources=[Source("random", picture, [animator.encode(picture)], view)],
        puppet=Puppet(animator, config.animate.normalization, smooth=False),
        framing=CameraFraming(size, follow=None),
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    parser = argparse.ArgumentParser(description="Measure a live animation of random pictures.")
    parser.add_argument("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    parser.add_argument("--seconds", type=int, default=30, help="of the run; default: %(default)s")
    with one_line_errors():
        options, config = parse_with_config(parser, arguments)
        check_counts(options, "seconds")
        stage = make_stage(Animator(random_model(config), config))
        with open(os.devnull, "wb") as nowhere, Pipe(nowhere) as screen:
            perform(stage, random_camera(5 / RATE), [screen], Controls())
            figures = perform(stage, random_camera(options.seconds), [screen], Controls())
        device = jax.local_devices()[0].device_kind
        report = {"benchmark": "live", "device": device, "config": options.config}
        print(json.dumps(report | dataclasses.asdict(figures)))


if __name__ == "__main__":
    main()
