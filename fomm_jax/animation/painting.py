"""Pictures of a source in the motion of driving frames, batch by batch."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Array

from fomm_jax.animation.batching import filled_batches
from fomm_jax.animation.compiled_model import CompiledModel, EncodedSource
from fomm_jax.animation.frame_motion import FrameMotion, join_frames
from fomm_jax.animation.movement_scale import movement_scale
from fomm_jax.config.schema import NormalizationConfig


def paint_batches(
    model: CompiledModel,
    source: EncodedSource,
    frames: Iterable[FrameMotion],
    initial: FrameMotion,
    config: NormalizationConfig,
    batch_size: int,
) -> Iterator[tuple[list[FrameMotion], Array, Array]]:
    """Transfer the motion of driving frames to a source, and paint the source in it.

    Args:
      model: the trained model.
      source: the encoded source.
      frames: the motion of the driving frames.
      initial: the motion that relative motion starts from.
      config: the mode of motion transfer.
      batch_size: frames per call of the networks, as `filled_batches` has it.

    Yields:
      The motion of a batch of frames, and the pictures (b, h, w, c) painted from the filled batch,
      in [0, 1] and as uint8.

    Raises:
      InputError: see `movement_scale`.
    """
    initial_batch = join_frames([initial])
    points = np.asarray(source.points[0]), np.asarray(model.points(initial))
    scale = np.float32(movement_scale(*points, config))
    for batch, filled in filled_batches(frames, batch_size):
        driving = join_frames(filled)
        motion = model.transfer(source, driving, initial_batch, scale, config)
        yield batch, *model.paint(source, motion)
