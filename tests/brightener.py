"""A stand-in for `Animator` that computes something simple, and short ways to use it."""

import io
import types

import numpy as np

from fomm_jax.config.schema import Config, DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.rendering.animate_files import animate_files
from fomm_jax.rendering.job import AnimationJob, Pipes
from fomm_jax.rendering.options import AnimationOptions

SIZE = 16  # height and width of the model's frame
DEFAULT = AnimationOptions()


class Brightener:
    """Brightens the source by as much as the driving frame is brighter than the initial one.

    The keypoints of a frame are a triangle; one corner moves with the frame's mean level.
    """

    config = Config(dataset=DatasetConfig(frame_shape=(SIZE, SIZE, 3)))
    fingerprint = "brightener"

    def __init__(self):
        self.num_detected = 0
        self.normalizations = []

    def encode(self, picture):
        (keypoints,) = self.detect([picture])
        return types.SimpleNamespace(frame=picture, points=keypoints.value[None])

    def detect(self, frames):
        for frame in frames:
            self.num_detected += 1
            moved = np.float32(frame.mean() / 255)
            yield Keypoints(np.array([[0, 0], [0, 1], [1 + moved, 0]], np.float32))

    def points(self, keypoints):
        return keypoints.value

    def frames_of(self, motion):
        return [Keypoints(value) for value in motion.arrays["value"]]

    def check_motion(self, motion):
        if motion.model != self.fingerprint:
            raise InputError("the motion was recorded with another model")

    def check_transfer(self, normalization):
        if normalization.use_avd:
            raise InputError("motion_transfer: expected relative or absolute")

    def animate_keypoints(self, source, keypoints, *, initial, normalization):
        self.normalizations.append(normalization)
        for frame_keypoints in keypoints:
            initial = frame_keypoints if initial is None else initial
            moved = 255 * (frame_keypoints.value - initial.value)[2, 0]
            yield np.rint(source.frame + moved).clip(0, 255).astype(np.uint8)


def animate(
    sources,
    drivings,
    output,
    options=DEFAULT,
    *,
    motions=(),
    animator=None,
    pipes=None,
    marking=None,
):
    """Call `animate_files` with a `Brightener`; paths may be of any kind.

    It takes eight parameters because each test sets one field of the job.
    """
    job = AnimationJob(
        sources=[str(path) for path in sources],
        drivings=[str(path) for path in drivings],
        motions=[str(path) for path in motions],
        output=str(output),
        options=options,
        marking=marking,
        pipes=pipes or Pipes(io.BytesIO(), io.BytesIO()),
    )
    return animate_files(animator or Brightener(), job)


def write_grey(path, level, shape=(SIZE, SIZE)):
    """Write a picture of one level."""
    write_picture(path, np.full((*shape, 3), level, np.uint8))
    return path


def write_levels(path, levels, shape=(SIZE, SIZE), fps=25):
    """Write a film whose frames have one level each."""
    with VideoWriter(path, FilmFormat(*shape, fps=fps)) as writer:
        for level in levels:
            writer.write(np.full((*shape, 3), level, np.uint8))
    return path


def read_levels(path):
    """Read the mean level of each frame."""
    return [frame.mean() for frame in iterate_frames(path)]
