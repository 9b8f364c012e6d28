"""The same videos in several forms of files, for `benchmarks.input_pipeline` to read."""

import itertools
import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.media.framing import fit_frame
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.figures import scenes
from input_pipeline.manifest import Encoding
from input_pipeline.splits import list_videos
from input_pipeline.videos import open_video

logger = logging.getLogger(__name__)

CLIPS = 10  # the random split uses 8 of them for training
CLIP_FRAMES = 200  # 8 s
CLIP_SIDE = 256  # pixels
CLIP_FPS = 25
PICTURES = 40  # stacked pictures to draw
PICTURE_FRAMES = 80


class Source(NamedTuple):
    """A dataset in one form of files."""

    name: str
    dataset: DatasetConfig
    goal: float | None  # pairs per second and core
    original: bool  # whether the original can read it


def make_sources(
    videos: Path | None, pictures: Path | None, frame_shape: tuple[int, int, int], folder: Path
) -> list[Source]:
    """Write a dataset in every form.

    Args:
      videos: a folder of videos to cut clips from; None draws figures.
      pictures: a dataset of stacked pictures; None draws figures.
      frame_shape: (height, width, channels) of the frames in the pictures.
      folder: the folder to write to.

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
        root = prepare_dataset("video_folder", raw, target, encoding, num_workers=cores)
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
    """Write clips with a single key frame, cut from the videos in turn or drawn.

    Args:
      videos: a folder of videos; None draws figures.
      folder: the folder to write to.
    """
    paths = None if videos is None else list_videos(videos)
    for number in range(CLIPS):
        if paths is None:
            frames = [*scenes.random_scene(CLIP_SIDE, 0, number).frames(CLIP_FRAMES // 2)]
        else:
            video = itertools.islice(open_video(paths[number % len(paths)], None), CLIP_FRAMES)
            frames = [fit_frame(frame, CLIP_SIDE, CLIP_SIDE) for frame in video]
        # If there are too few frames, play them forwards and backwards: without a cut, the encoder
        # has no reason to add a key frame.
        endless = itertools.cycle(frames + frames[-2:0:-1])
        path = folder / f"{number:02}.mp4"
        film_format = FilmFormat(CLIP_SIDE, CLIP_SIDE, fps=CLIP_FPS, keyframe_every=CLIP_FRAMES)
        with VideoWriter(path, film_format) as writer:
            for frame in itertools.islice(endless, CLIP_FRAMES):
                writer.write(np.ascontiguousarray(frame))
        logger.info("clip %d of %d", number + 1, CLIPS)
