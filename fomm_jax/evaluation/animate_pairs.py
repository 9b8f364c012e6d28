"""Animate pairs of test videos: the first frame of one by the motion of the other."""

from collections.abc import Sequence

from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.evaluation.films import FilmOutputs, open_film, output_names
from fomm_jax.types import Video


def animate_pairs(
    animator: Animator, pairs: Sequence[tuple[Video, Video]], outputs: FilmOutputs
) -> None:
    """Animate the first frame of each source by the motion of its driving video.

    Write a film `DRIVING-SOURCE.mp4` and a picture `png/DRIVING-SOURCE.png` for each pair; see
    `open_film`.

    Args:
      animator: the trained model.
      pairs: source and driving video of each pair.
      outputs: where films go, and how they are drawn and marked.

    Raises:
      InputError: a video cannot be read, a file cannot be written, or two different pairs would
        be written under one name.
    """
    names = output_names([(driving, source) for source, driving in pairs])
    progress = tqdm(pairs, desc="animate", unit="pair")
    for name, (source_video, driving_video) in zip(names, progress, strict=True):
        source = next(iter(source_video))
        with open_film(outputs, name, source, driving_video) as add:
            for frame in animator.compare(source, driving_video):
                add(frame)
