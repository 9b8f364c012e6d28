"""Films of animated test videos: the prediction beside the frame that drives it."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fomm_jax.animation.animator import AnimatedFrame
from fomm_jax.buckets import AnyPath
from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.files import strip_suffix
from fomm_jax.media.pictures import WRITABLE_SUFFIXES, write_picture
from fomm_jax.media.reading.video_reader import VIDEO_SUFFIXES
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.reporting.drawing import GAP, draw_keypoints, side_by_side
from fomm_jax.types import Video


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilmOutputs:
    """Where films go, and how they are drawn and marked."""

    folder: AnyPath  # made if it is missing
    suffix: str  # of the films, `.mp4` or `.gif`
    visualize: VisualizeConfig  # how keypoints are drawn
    marking: Marking | None  # marks that films and pictures carry; None: they carry no marks

    def film_path(self, name: str) -> AnyPath:
        """Return the path of a film."""
        return self.folder / f"{name}{self.suffix}"

    def picture_path(self, name: str) -> AnyPath:
        """Return the path of the picture that holds a film's predictions without loss."""
        return self.folder / "png" / f"{name}.png"


@contextlib.contextmanager
def open_film(
    outputs: FilmOutputs, name: str, source: np.ndarray, driving: Video
) -> Iterator[Callable[[AnimatedFrame], None]]:
    """Write an animation as a film and as a lossless picture, while the block adds its frames.

    The film shows the source, the driving frame with its keypoints, and the prediction. The picture
    `png/NAME.png` shows the predictions side by side, a form that can be read as a video again. If
    an exception leaves the block, neither is written.

    Args:
      outputs: where film and picture go, and how they are drawn and marked.
      name: the name of the film, without a suffix.
      source: (h, w, 3) uint8.
      driving: the driving video, whose frames the film shows at their times.

    Yields:
      A function that adds a frame.

    Raises:
      InputError: a file cannot be written.
    """
    height, width = source.shape[:2]
    film_format = FilmFormat(height, 3 * width + 2 * GAP, fps=driving.fps, times=driving.times)
    # The film shows real frames beside the predictions.
    film_marking = outputs.marking and dataclasses.replace(
        outputs.marking, source_type=SourceType.COMPOSITE
    )
    visualize = outputs.visualize
    predictions: list[np.ndarray] = []
    with VideoWriter(outputs.film_path(name), film_format, marking=film_marking) as writer:

        def add(frame: AnimatedFrame) -> None:
            driving_picture = draw_keypoints(
                frame.driving / 255, frame.driving_points, visualize.kp_size, visualize.colormap
            )
            writer.write(side_by_side([source, driving_picture, frame.prediction]))
            predictions.append(frame.prediction)

        yield add
    strip = np.concatenate(predictions, axis=1)
    write_picture(outputs.picture_path(name), strip, marking=outputs.marking)


def output_names(groups: Sequence[Sequence[Video]]) -> list[str]:
    """Choose a name for the output of each group of videos: the videos' names, joined by "-".

    Suffixes of pictures and videos are left out. Other dots may belong to the name of a folder.

    Raises:
      InputError: groups of different videos would have the same name.
    """
    videos_by_name: dict[str, list[str]] = {}
    names = []
    for group in groups:
        videos = [video.name for video in group]
        name = "-".join(strip_suffix(video, WRITABLE_SUFFIXES + VIDEO_SUFFIXES) for video in videos)
        others = videos_by_name.setdefault(name, videos)
        if others != videos:
            raise InputError(
                f"{' and '.join(others)}: would be written under the name {name}, as would"
                f" {' and '.join(videos)}; expected another name for one of them"
            )
        names.append(name)
    return names
