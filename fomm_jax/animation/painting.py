"""Pictures of a source in the motion of driving frames, batch by batch."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, UInt8

from fomm_jax.animation.batching import fill_batch, filled_batches
from fomm_jax.animation.compiled_model import CompiledModel, EncodedSource
from fomm_jax.animation.frame_motion import DrivingFrame, FrameMotion, join_frames
from fomm_jax.animation.movement_scale import movement_scale
from fomm_jax.animation.pixels import AnimatedFrame, mean_distance
from fomm_jax.config.schema import NormalizationConfig


class PaintedBatch(NamedTuple):
    """A batch of driving frames, and the pictures that were painted from the filled batch."""

    driving: list[DrivingFrame]
    predictions: Float[Array, "b h w c"]  # in [0, 1]
    pictures: UInt8[Array, "b h w c"]


def paint_batches(
    model: CompiledModel,
    source: EncodedSource,
    frames: Iterable[DrivingFrame],
    initial: FrameMotion | None,
    config: NormalizationConfig,
    batch_size: int,
) -> Iterator[PaintedBatch]:
    """Transfer the motion of driving frames to a source, and paint the source in it.

    Args:
      model: the trained model.
      source: the encoded source.
      frames: the driving frames, with pictures if they show the source's scene.
      initial: the motion that relative motion starts from; None: that of the first frame.
      config: the mode of motion transfer.
      batch_size: frames per call of the networks, as `filled_batches` has it.

    Raises:
      InputError: see `movement_scale`.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return
    initial = first.keypoints if initial is None else initial
    initial_batch = join_frames([initial])
    points = np.asarray(source.points[0]), np.asarray(model.points(initial))
    scale = np.float32(movement_scale(*points, config))
    for batch, filled in filled_batches(itertools.chain([first], frames), batch_size):
        driving = join_frames([frame.keypoints for frame in filled])
        motion = model.transfer(source, driving, initial_batch, scale, config)
        scene = np.stack(_pictures(filled)) if model.sees_scene else None
        yield PaintedBatch(batch, *model.paint(source, motion, scene))


def measure_batches(
    batches: Iterable[PaintedBatch], points: Callable[[FrameMotion], np.ndarray]
) -> Iterator[AnimatedFrame]:
    """Yield the pictures of batches, with their distances from the pictures of the driving frames.

    Args:
      batches: painted batches, in which pictures of all driving frames are known.
      points: returns the keypoints (k, 2) of a frame's motion.
    """
    for batch in batches:
        driving = _pictures(batch.driving)
        filled = np.stack(fill_batch(driving, len(batch.pictures)))
        distances = np.asarray(mean_distance(batch.predictions, filled))
        rows = zip(batch.driving, driving, np.array(batch.pictures), distances, strict=False)
        for frame, real, picture, distance in rows:
            yield AnimatedFrame(real, picture, points(frame.keypoints), float(distance))


def _pictures(frames: Iterable[DrivingFrame]) -> list[np.ndarray]:
    """Return the pictures of driving frames, which must be known."""
    return [frame.picture for frame in frames if frame.picture is not None]
