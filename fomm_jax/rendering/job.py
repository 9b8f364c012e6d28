"""What a call of `animate_files` works on, and the checks before any work begins."""

import dataclasses
import os
from collections.abc import Sequence
from typing import BinaryIO

from fomm_jax.errors import InputError
from fomm_jax.files import check_can_write
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE
from fomm_jax.rendering.progress import Progress, show_bar


@dataclasses.dataclass(frozen=True)
class Pipes:
    """The streams to use where a path is `PIPE`."""

    input: BinaryIO | None = None
    output: BinaryIO | None = None
    raw_format: RawFormat | None = None  # of the frames from `input`; needed to read any


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnimationJob:
    """Pictures, the videos and motions that animate them, and where the films go.

    Each picture is animated by each video and by each motion. With `options.faces` and several of
    these, each face of a picture has its own.
    """

    sources: Sequence[str]  # paths of pictures
    drivings: Sequence[str] = ()  # paths of videos; `PIPE` means raw frames from `pipes.input`
    motions: Sequence[str] = ()  # paths of files that the option `save_motion` wrote
    output: str  # a film, a folder for several films, or `PIPE`; see `output_paths`
    options: AnimationOptions = dataclasses.field(default_factory=AnimationOptions)
    # Marks that the films carry, without the source type and the inputs, which differ from film to
    # film. None: the films carry no marks.
    marking: Marking | None
    pipes: Pipes
    progress: Progress = show_bar

    @property
    def movers(self) -> list[str]:
        """Paths of everything that moves a picture: videos, then motions."""
        return [*self.drivings, *self.motions]

    @property
    def films(self) -> list[list[str]]:
        """The paths of what moves each film of a picture."""
        if self.options.faces is not None:
            return [self.movers]
        return [[mover] for mover in self.movers]

    @property
    def needs_all_keypoints(self) -> bool:
        """Whether the keypoints of all driving frames are needed before the first is animated."""
        options = self.options
        return (
            options.best_frame is not None
            or bool(options.save_motion)
            or len(set(self.sources)) > 1
        )


def check_options(job: AnimationJob) -> None:
    """Raise an `InputError` where options of a job exclude each other."""
    options, num_movers = job.options, len(set(job.movers))
    if options.paste_back and options.side_by_side:
        raise InputError("paste_back, side_by_side: expected one of them")
    if options.faces is not None and options.side_by_side:
        raise InputError("faces, side_by_side: expected one of them")
    if options.faces is not None and options.crop != "auto":
        raise InputError("faces, crop: expected one of them")
    if options.side_by_side and job.needs_all_keypoints and PIPE in job.drivings:
        raise InputError(
            "side_by_side: would need the frames from the pipe twice; expected one source, and"
            " neither a best frame nor a motion to save"
        )
    if options.save_motion and num_movers > 1:
        raise InputError(f"save_motion: expected one video, got {num_movers}")


def check_outputs(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise an `InputError` where an output cannot be written or would replace another file.

    Args:
      inputs: paths that the job reads, or `PIPE`.
      outputs: paths that the job writes, or `PIPE`.
    """
    used_places = {os.path.realpath(path) for path in inputs if path != PIPE}
    for path in outputs:
        if path == PIPE:
            continue
        check_can_write(path)
        place = os.path.realpath(path)
        if place in used_places:
            raise InputError(
                f"{path}: would be written over an input or another output; expected another name"
            )
        used_places.add(place)
