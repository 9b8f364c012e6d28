"""Time how long a user waits for the first frame of an animation, and for the first training step.

    python -m benchmarks.quick_start --config=configs/vox_256.py [--original=PATH] [--what=animate]

Each figure is of a whole process, from its start on: of `main.py` with an empty folder of compiled
programs, and then once more with the folder that the first one has filled. With a clone of the
original, a process that does the same by its networks comes in between. Weights and frames are
random; the training reads its videos from files. Run it on an idle machine.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.animate import random_frames
from benchmarks.command_line import CONFIG_HELP, parse_with_config
from fomm_jax import console
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import initial_state, make_optimizers

ROOT = Path(__file__).parents[1]
NUM_FRAMES, NUM_VIDEOS, FPS = 64, 4, 25.0
TASKS = ("animate", "train")
FIRST_STEP = re.compile(rb"step 1 of 2")  # what a training of two steps says after the first

# What the original's demo does up to its first frame; its own files need older libraries.
ORIGINAL = """
import sys
from pathlib import Path
import numpy as np
from benchmarks.command_line import config_from_file
from benchmarks.original import Original
from fomm_jax.parity.first_order.original import torch
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.video_reader import iterate_frames
clone, config, weights, picture, video = sys.argv[1:]
networks = Original(Path(clone), config_from_file(config))
checkpoint = torch.load(weights)
networks._kp_detector.load_state_dict(checkpoint["kp_detector"])
networks._generator.load_state_dict(checkpoint["generator"])
source = read_picture(picture)
for frame in iterate_frames(video):
    networks.animate(source, frame[None])()
    print(flush=True)
"""


def make_inputs(config: Config, folder: Path) -> None:
    """Write weights, a picture and videos of the config's size, all of them random."""
    optimizers = make_optimizers(config, steps_per_epoch=1)
    state = initial_state(config, optimizers, 0)
    write_torch_file(folder / "weights.pth.tar", to_checkpoint(config, state, epoch=0))
    height, width = config.dataset.frame_shape[:2]
    source, frames = random_frames(config, NUM_FRAMES)
    write_picture(folder / "source.png", source)
    for part in ("train", "test"):
        for number in range(NUM_VIDEOS):
            path = folder / "videos" / part / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with VideoWriter(path, FilmFormat(height, width, fps=FPS)) as writer:
                for frame in frames:
                    writer.write(frame)


def animate_command(config: str, folder: Path) -> list[str]:
    """Return the command that animates the picture by a video, into a pipe."""
    return [
        "main.py",
        "--mode=animate",
        f"--config={config}",
        f"--checkpoint={folder / 'weights.pth.tar'}",
        f"--source={folder / 'source.png'}",
        f"--driving={folder / 'videos' / 'train' / '0.mp4'}",
        "--crop=none",
        "--crop_driving=none",
        "--output=-",
    ]


def train_command(config: str, folder: Path, workdir: Path) -> list[str]:
    """Return the command that trains two steps of two pairs."""
    return [
        "main.py",
        "--mode=train",
        f"--config={config}",
        f"--workdir={workdir}",
        f"--config.dataset.root_dir={folder / 'videos'}",
        "--config.train.num_steps=2",
        "--config.train.batch_size=2",
        "--config.perceptual.weights=random",
    ]


def time_frames(command: Sequence[str], frame_bytes: int) -> dict[str, float]:
    """Run a command that writes raw frames, or a line for each; return when they come."""
    start = time.perf_counter()
    times = []
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while len(process.stdout.read(frame_bytes)) == frame_bytes:
            times.append(time.perf_counter() - start)
    if process.returncode or len(times) < 2:
        raise InputError(f"{' '.join(command)}: ended with status {process.returncode}")
    return {"first": times[0], "second": times[1], "last": times[-1]}


def time_first_step(command: Sequence[str]) -> dict[str, float]:
    """Run a training of two steps; return when the first was done and when it ended."""
    start = time.perf_counter()
    first, shown = 0.0, b""
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while part := os.read(process.stderr.fileno(), 4096):
            shown += part
            if not first and FIRST_STEP.search(shown):
                first = time.perf_counter() - start
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    if not first:
        raise InputError(f"{' '.join(command)}: ended before its first step")
    peak = usage.ru_maxrss * 1024 / 1e9
    return {"first": first, "end": time.perf_counter() - start, "peak_gigabytes": peak}


def parse_options(arguments: list[str] | None) -> tuple[argparse.Namespace, Config]:
    """Parse the options and the configuration.

    Raises:
      InputError: an option or the configuration cannot be used.
    """
    parser = argparse.ArgumentParser(description="Time the first frame and the first step.")
    parser.add_argument("--config", default="configs/vox_256.py", help=CONFIG_HELP)
    parser.add_argument("--original", type=Path, help="clone of the original's repository")
    parser.add_argument("--what", default=",".join(TASKS), help="tasks; default: %(default)s")
    options, config = parse_with_config(parser, arguments)
    options.what = options.what.split(",")
    if not set(options.what) <= set(TASKS):
        raise InputError(f"--what is {','.join(options.what)}; expected some of {TASKS}")
    return options, config


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    report: dict[str, object] = {"benchmark": "quick_start"}
    with one_line_errors(), tempfile.TemporaryDirectory() as temporary:
        options, config = parse_options(arguments)
        folder = Path(temporary)
        make_inputs(config, folder)
        height, width, channels = config.dataset.frame_shape
        frame_bytes = height * width * channels
        cache = f"--compilation_cache={folder / 'programs'}"
        for state in ("empty", "filled"):
            if "animate" in options.what:
                command = [*animate_command(options.config, folder), cache]
                report[f"animate, {state} cache"] = time_frames(command, frame_bytes)
            if "train" in options.what:
                command = [*train_command(options.config, folder, folder / state), cache]
                report[f"train, {state} cache"] = time_first_step(command)
            if options.original and state == "empty" and "animate" in options.what:
                names = ("weights.pth.tar", "source.png", "videos/train/0.mp4")
                files = [str(folder / name) for name in names]
                command = ["-c", ORIGINAL, str(options.original), options.config, *files]
                report["the original"] = time_frames(command, frame_bytes=1)
    for name, figures in report.items():
        if isinstance(figures, dict):
            print(name, ", ".join(f"{key} {value:.1f}" for key, value in figures.items()))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
