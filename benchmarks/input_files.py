"""The forms in which `benchmarks.input_pipeline` reads the same videos."""

import itertools
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.media.framing import fit_frame
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from input_pipeline.figures import scenes
from input_pipeline.manifest import Encoding
from input_pipeline.prepare import prepare
from input_pipeline.splits import list_videos
from input_pipeline.videos import open_video

CLIPS = 10  # of which the random split leaves 8 to training
CLIP_FRAMES = 200  # 8 s
CLIP_SIDE = 256  # pixels
CLIP_FPS = 25
PICTURES = 40  # as many as are drawn
PICTURE_FRAMES = 80


class Source(NamedTuple):
    """A form of the files."""

    name: str
    dataset: DatasetConfig
    goal: float | None  # pairs a second a core
    original: bool  # whether the original can read it


def make_sources(
    videos: Path | None, pictures: Path | None, frame_shape: tuple[int, int, int], folder: Path
) -> list[Source]:
    """Write every form into a folder.

    Args:
      videos: a folder of videos to make clips of; None draws figures.
      pictures: a dataset of stacked pictures; None draws figures.
      frame_shape: of the pictures.
      folder: takes the files.

    Raises:
      InputError: a file cannot be used.
    """
    clips = folder / "clips"
    make_clips(videos, clips)
    if pictures is None:
        pictures = folder / "pictures"
        scenes.write_dataset(pictures, frame_shape[0], PICTURES, PICTURE_FRAMES, seed=0)

    def prepared(raw: Path, shape: tuple[int, int, int], form: str) -> DatasetConfig:
        encoding = Encoding(*shape[:2], format=form)
        target = folder / "prepared" / raw.name
        cores = len(os.sched_getaffinity(0))
        root = prepare("video_folder", raw, target, encoding, num_workers=cores)
        return DatasetConfig(root_dir=str(root), frame_shape=shape)

    clip_shape = (CLIP_SIDE, CLIP_SIDE, 3)
    raw_clips = DatasetConfig(root_dir=str(clips), frame_shape=clip_shape)
    raw_pictures = DatasetConfig(root_dir=str(pictures), frame_shape=frame_shape)
    return [
        Source("mp4, one key frame", raw_clips, 25, original=True),
        Source("mp4, key frame every 10", prepared(clips, clip_shape, "mp4"), 90, original=False),
        Source("ArrayRecord, JPEG q95", prepared(clips, clip_shape, "jpeg"), 500, original=False),
        Source("stacked pictures", raw_pictures, None, original=True),
        Source("ArrayRecord, PNG", prepared(pictures, frame_shape, "png"), 2000, original=False),
    ]


def make_clips(videos: Path | None, folder: Path) -> None:
    """Write clips with a single key frame, of the videos in turns or of drawn figures."""
    found = None if videos is None else list_videos(videos)
    for number in range(CLIPS):
        if found is None:
            frames = [*scenes.random_scene(CLIP_SIDE, 0, number).frames(CLIP_FRAMES // 2)]
        else:
            video = itertools.islice(open_video(found[number % len(found)], None), CLIP_FRAMES)
            frames = [fit_frame(frame, CLIP_SIDE, CLIP_SIDE) for frame in video]
        # Forth and back, where they are too few: no cut that would ask for a key frame.
        endless = itertools.cycle(frames + frames[-2:0:-1])
        path = folder / f"{number:02}.mp4"
        film_format = FilmFormat(CLIP_SIDE, CLIP_SIDE, fps=CLIP_FPS, keyframe_every=CLIP_FRAMES)
        with VideoWriter(path, film_format) as writer:
            for frame in itertools.islice(endless, CLIP_FRAMES):
                writer.write(np.ascontiguousarray(frame))
        print(f"clip {number + 1} of {CLIPS}", file=sys.stderr)
