"""A picture to animate."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.compiled_model import EncodedSource
from fomm_jax.errors import InputError
from fomm_jax.media.colours import Colour
from fomm_jax.media.framing import cut_frame
from fomm_jax.media.picture_files import picture_kind
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.rendering.cropping import choose_faces, choose_framing
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.view import View, choose_view


@dataclasses.dataclass(frozen=True)
class Source:
    """A picture that is ready to be animated."""

    name: str  # its path
    frame: np.ndarray  # the first animated part, (h, w, 3) uint8 of the model's size
    parts: Sequence[EncodedSource]  # all animated parts; more than one only with `options.faces`
    view: View

    @property
    def encoded(self) -> EncodedSource:
        """The first animated part."""
        return self.parts[0]


def open_source(animator: Animator, path: str, options: AnimationOptions) -> Source:
    """Read a picture, choose the part of it to animate, and encode that.

    Raises:
      InputError: the file is not a picture, or `options.crop` or `options.faces` does not suit it.
    """
    picture = _read_still(path, options.background)
    size = animator.config.dataset.frame_shape[:2]
    if options.faces is None:
        framings = [choose_framing(options.crop, [picture], size, path)]
    else:
        framings = choose_faces(options.faces, picture, size, path)
    frames = [cut_frame(picture, framing, size) for framing in framings]
    view = choose_view(picture, frames[0], framings, options, animator.config.visualize)
    return Source(path, frames[0], [animator.encode(frame) for frame in frames], view)


def _read_still(path: str, background: Colour) -> np.ndarray:
    """Read a picture; if the file is a video, say so in the error."""
    try:
        return read_picture(path, background)
    except InputError as error:
        if not os.path.isfile(path) or picture_kind(path):
            raise
        try:
            probe_video(path)
        except InputError:
            raise error from None
        raise InputError(f"{path}: is a video, expected a picture") from error
