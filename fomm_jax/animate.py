"""Animations to files: pairs of test videos, or a user's picture and video."""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax.animator import AnimatedFrame, Animator
from fomm_jax.config import VisualizeConfig
from fomm_jax.picture_io import fit_frame, read_picture, write_picture
from fomm_jax.types import Video
from fomm_jax.video_io import iterate_frames, probe_video
from fomm_jax.video_writer import VideoWriter
from fomm_jax.visualize import contact_sheet, draw_keypoints


def animate_pairs(
    animator: Animator,
    pairs: Sequence[tuple[Video, Video]],
    folder: pathlib.Path,
    *,
    suffix: str,
    visualize: VisualizeConfig,
) -> None:
    """Animate the first frame of a video by the motion of another, for each (source, driving).

    Writes `DRIVING-SOURCE.mp4` and `png/DRIVING-SOURCE.png` into `folder`, as `write_animation`.
    """
    for source_video, driving_video in tqdm(pairs, desc="animate", unit="pair"):
        source = next(iter(source_video))
        name = "-".join(pathlib.Path(video.name).stem for video in (driving_video, source_video))
        write_animation(
            source,
            animator.animate(source, driving_video),
            folder,
            name,
            suffix=suffix,
            fps=driving_video.fps,
            visualize=visualize,
        )


def write_animation(
    source: np.ndarray,
    frames: Iterable[AnimatedFrame],
    folder: pathlib.Path,
    name: str,
    *,
    suffix: str,
    fps: float,
    visualize: VisualizeConfig,
) -> list[float]:
    """Write an animation as a film and as a lossless picture.

    The film shows source, driving frame with its keypoints, and prediction; `png/NAME.png` holds
    the predictions side by side, a form that can be read as a video again.

    Returns:
      Each frame's L1 between prediction and driving frame.
    """
    predictions, l1 = [], []
    film = folder / f"{name}{suffix}"
    with VideoWriter(film, fps, *contact_sheet([[source] * 3]).shape[:2]) as writer:
        for frame in frames:
            driving = draw_keypoints(
                frame.driving / 255, frame.driving_keypoints, visualize.kp_size, visualize.colormap
            )
            writer.write(contact_sheet([[source, driving, frame.prediction]]))
            predictions.append(frame.prediction)
            l1.append(frame.l1)
    write_picture(folder / "png" / f"{name}.png", np.concatenate(predictions, axis=1))
    return l1


def animate_files(
    animator: Animator,
    source: str,
    driving: str,
    output: str,
    size: tuple[int, int],
) -> None:
    """Animate a user's picture by a user's video, frame by frame.

    Both are cropped about the centre to the model's aspect and resized. The output has the rate
    of the driving video; where that is damaged, it ends with the last whole frame.

    Args:
      animator: trained, with the motion that is wanted.
      source: path of a picture.
      driving: path of a video.
      output: path of the film to write, `.mp4` or `.gif`.
      size: height and width that the model was trained for.

    Raises:
      InputError: a file cannot be read or written.
    """
    picture = fit_frame(read_picture(source), *size)
    info = probe_video(driving)
    frames = (fit_frame(frame, *size) for frame in iterate_frames(driving, strict=False))
    with VideoWriter(output, info.fps, *size) as writer:
        animated = animator.animate(picture, frames)
        for frame in tqdm(animated, total=info.num_frames, desc="animate", unit="frame"):
            writer.write(frame.prediction)
