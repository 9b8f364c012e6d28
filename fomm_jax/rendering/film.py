"""One film of an animation: what it is made from, its times, its sound and its marks."""

import dataclasses
import logging
import os
from collections.abc import Sequence

from fomm_jax.errors import InputError
from fomm_jax.media.writing.sound import SoundState
from fomm_jax.media.writing.video_writer import check_frame_size
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.driving import Driving
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE
from fomm_jax.rendering.source import Source, SourceVideo

logger = logging.getLogger(__name__)

_UNDECODABLE = "is in a format for which FFmpeg has no decoder"


@dataclasses.dataclass(frozen=True)
class Film:
    """One animation of a job."""

    path: str  # of the file to write, or `PIPE`
    source: Source
    drivings: Sequence[Driving]  # one for all animated parts of the source, or one for each
    clock: Driving | SourceVideo  # sets the times of the frames, and is where sound comes from
    sound_from: str | None  # a file whose sound goes into the film
    marking: Marking | None

    @property
    def driving(self) -> Driving:
        """The video or motion of the source's first part."""
        return self.drivings[0]

    @property
    def num_frames(self) -> int | None:
        """The number of frames, if it is known before they come."""
        counts = [driving.num_frames for driving in self.drivings]
        if self.source.video is not None:
            counts.append(self.source.video.num_frames)
        return min((count for count in counts if count is not None), default=None)


def plan_film(
    path: str,
    source: Source,
    drivings: Sequence[Driving],
    options: AnimationOptions,
    marking: Marking | None,
) -> Film:
    """Plan the film of a source.

    Args:
      path: the file to write, or `PIPE`.
      source: the picture or video.
      drivings: what moves it, as in `Film`.
      options: how to animate.
      marking: the marks of the job; None: the film carries none.

    Raises:
      InputError: there are not as many drivings as faces, the film would be too large, or the sound
        that the options ask for cannot be had.
    """
    if len(drivings) not in (1, len(source.parts)):
        raise InputError(
            f"{source.name}: number of faces to animate: {len(source.parts)}; expected one video"
            f" for all or one for each, got {len(drivings)}"
        )
    driving = drivings[0]
    clock: Driving | SourceVideo = driving
    if options.sound_from == "source":
        if source.video is None:
            raise InputError(f"sound_from=source: {source.name} is a picture, which has no sound")
        clock = source.video
    if path != PIPE:
        check_frame_size(path, source.view.height, source.view.width)
    is_video_file = os.path.isfile(driving.name) and driving.frames is not None
    return Film(
        path=path,
        source=source,
        drivings=drivings,
        clock=clock,
        sound_from=_choose_sound(clock, path, options.sound),
        marking=marking
        and dataclasses.replace(
            marking,
            source_type=source.view.source_type,
            source=source.name,
            driving=driving.name if is_video_file else None,
        ),
    )


def _choose_sound(clock: Driving | SourceVideo, output: str, sound: bool | None) -> str | None:
    """Return the file whose sound goes into a film; see `AnimationOptions.sound`."""
    if sound is False:
        return None
    if clock.sound is SoundState.NONE:
        if sound:
            raise InputError(f"sound: {clock.name} has no sound")
        return None
    if clock.sound is SoundState.UNDECODABLE:
        if sound:
            raise InputError(f"sound: that of {clock.name} {_UNDECODABLE}")
        logger.warning("%s: the sound %s, and is left out", clock.name, _UNDECODABLE)
        return None
    if output.lower().endswith(".mp4"):
        return clock.name
    film = "raw frames" if output == PIPE else output
    if sound:
        raise InputError(f"sound: {film} cannot hold sound; expected an output that ends in .mp4")
    logger.warning("%s cannot hold sound; that of %s is left out", film, clock.name)
    return None
