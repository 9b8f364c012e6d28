"""The place of a head that moves through a video, frame by frame."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box, Framing
from fomm_jax.rendering.cropping import SMALLEST_HEAD, frame_head
from fomm_jax.rendering.heads import main_person
from fomm_jax.rendering.progress import show_bar

_LOOKS_PER_SECOND = 6.0
# Standard deviations in seconds of the filters that steady the path. The detector's boxes tremble
# more in size than in place, and heads change their size slowly.
_STEADY_CENTRE, _STEADY_SIZE = 0.25, 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class HeadPath:
    """Where the part of each frame lies that shows the head."""

    numbers: Float[np.ndarray, " looks"]  # of the frames that were looked at
    centres: Float[np.ndarray, "looks 2"]  # of the head there, x and y in pixels
    sizes: Float[np.ndarray, "looks 2"]  # width and height
    picture: tuple[int, int]  # height and width of the video's frames
    size: tuple[int, int]  # height and width of the model's frame

    def framing(self, number: int) -> Framing:
        """Return the part of a frame, by its number from 0."""
        x, y, width, height = (
            np.interp(number, self.numbers, values) for values in (*self.centres.T, *self.sizes.T)
        )
        head = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        return frame_head(head, self.picture, self.size)


def follow_head(
    frames: Iterable[np.ndarray],
    fps: float,
    size: tuple[int, int],
    name: str,
    num_frames: int | None = None,
) -> HeadPath:
    """Find the path of the main head (see `heads.main_head`) through a video.

    Where the head is not seen for a while, it moves evenly from its last place to the next one.

    Args:
      frames: all frames of the video, (h, w, 3) uint8 of one size.
      fps: frames a second.
      size: the height and width of the model's frame.
      name: the name of the video, for messages.
      num_frames: the number of frames, for the progress; None if it is unknown.

    Raises:
      InputError: dlib is not installed, or there is no face.
    """
    distance = max(1, round(fps / _LOOKS_PER_SECOND))
    detect, heads, picture = None, [], (0, 0)
    for number, frame in enumerate(show_bar(frames, f"the head in {name}", num_frames)):
        if number % distance:
            continue
        if detect is None:
            picture = frame.shape[0], frame.shape[1]
            with naming("crop=follow"):
                detect = HeadDetector(SMALLEST_HEAD * min(picture))
        heads.append(detect(frame))
    places = main_person(heads)
    if not places:
        raise InputError(f"{name}: no face is found in it; expected one, or another crop")
    return _steady(places, distance, fps, picture, size)


def _steady(
    places: Mapping[int, Box],
    distance: int,
    fps: float,
    picture: tuple[int, int],
    size: tuple[int, int],
) -> HeadPath:
    """Smooth the places of a head, by the number of the look at which it was seen there."""
    looks = np.arange(min(places), max(places) + 1)
    seen = np.array([*places])
    boxes = np.stack(
        [np.interp(looks, seen, values) for values in np.array([*places.values()]).T], axis=1
    )
    starts, ends = boxes[:, :2], boxes[:, 2:]
    looks_per_second = fps / distance
    return HeadPath(
        numbers=looks * float(distance),
        centres=_smooth((starts + ends) / 2, _STEADY_CENTRE * looks_per_second),
        sizes=_smooth(ends - starts, _STEADY_SIZE * looks_per_second),
        picture=picture,
        size=size,
    )


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a path, (looks, 2), which goes on beyond its ends as it came."""
    beyond = math.ceil(4 * sigma)
    extended = np.pad(values, ((beyond, beyond), (0, 0)), "reflect", reflect_type="odd")
    return gaussian_filter1d(extended, sigma, axis=0)[beyond:-beyond]
