"""Animations of pairs of test videos, to files."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import AnimatedFrame, Animator
from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import PICTURE_SUFFIXES, write_picture
from fomm_jax.media.video_reader import VIDEO_SUFFIXES
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.reporting.drawing import GAP, draw_keypoints, side_by_side
from fomm_jax.types import Video


def animate_pairs(
    animator: Animator,
    pairs: Sequence[tuple[Video, Video]],
    folder: pathlib.Path,
    *,
    suffix: str,
    visualize: VisualizeConfig,
    marking: Marking | None,
) -> None:
    """Animate the first frame of a video by the motion of another, for each (source, driving).

    Writes `DRIVING-SOURCE.mp4` and `png/DRIVING-SOURCE.png` into `folder`, as `write_animation`.

    Raises:
      InputError: a video cannot be read, a file not be written, or two pairs would be written
        under one name.
    """
    names = output_names([(driving, source) for source, driving in pairs])
    named_pairs = zip(names, pairs, strict=True)
    for name, (source_video, driving_video) in tqdm(
        named_pairs, total=len(pairs), desc="animate", unit="pair"
    ):
        source = next(iter(source_video))
        write_animation(
            source,
            animator.compare(source, driving_video),
            folder,
            name,
            suffix=suffix,
            fps=driving_video.fps,
            visualize=visualize,
            marking=marking,
        )


def output_names(groups: Sequence[Sequence[Video]]) -> list[str]:
    """Choose the name for what is made of each group of videos: theirs, joined by "-".

    Suffixes of pictures and videos are left out; other dots may belong to a folder's name.

    Raises:
      InputError: groups of other videos would have the same name.
    """
    videos_of: dict[str, list[str]] = {}
    names = []
    for group in groups:
        videos = [video.name for video in group]
        name = "-".join(map(_without_suffix, videos))
        others = videos_of.setdefault(name, videos)
        if others != videos:
            raise InputError(
                f"{' and '.join(others)}: would be written under the name {name}, as would"
                f" {' and '.join(videos)}; expected another name for one of them"
            )
        names.append(name)
    return names


def _without_suffix(name: str) -> str:
    path = pathlib.PurePath(name)
    return path.stem if path.suffix.lower() in PICTURE_SUFFIXES + VIDEO_SUFFIXES else name


def write_animation(
    source: np.ndarray,
    frames: Iterable[AnimatedFrame],
    folder: pathlib.Path,
    name: str,
    *,
    suffix: str,
    fps: float,
    visualize: VisualizeConfig,
    marking: Marking | None,
) -> list[float]:
    """Write an animation as a film and as a lossless picture.

    The film shows source, driving frame with its keypoints, and prediction; `png/NAME.png` holds
    the predictions side by side, a form that can be read as a video again. Both say of how they
    were made what `marking` tells, and what of it they show.

    Returns:
      Each frame's L1 between prediction and driving frame.
    """
    predictions, l1 = [], []
    height, width = source.shape[:2]
    with VideoWriter(
        folder / f"{name}{suffix}",
        FilmFormat(height, 3 * width + 2 * GAP, fps=fps),
        marking=marking and dataclasses.replace(marking, source_type=SourceType.COMPOSITE),
    ) as writer:
        for frame in frames:
            driving = draw_keypoints(
                frame.driving / 255, frame.driving_keypoints, visualize.kp_size, visualize.colormap
            )
            writer.write(side_by_side([source, driving, frame.prediction]))
            predictions.append(frame.prediction)
            l1.append(frame.l1)
    strip = np.concatenate(predictions, axis=1)
    write_picture(folder / "png" / f"{name}.png", strip, marking=marking)
    return l1
