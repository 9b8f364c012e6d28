"""Animation: a source picture moves the way a driving video does.

Data flow: frames → motion (`Animator.detect`) → motion transferred to the source → pictures
(`Animator.animate_keypoints`). Every step is lazy and works on batches of one size, so that one
compilation serves any length; the first frame is a batch of its own. Memory does not grow with it,
except with `best_frame`. Sources may share a motion, and videos a source.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float

from fomm_jax.animation.batching import checked_frames, filled_batches, frames_of_size
from fomm_jax.animation.best_frame import FaceWatcher, choose_frame
from fomm_jax.animation.compiled_model import EncodedSource
from fomm_jax.animation.export.write import ExportOptions, write_animation
from fomm_jax.animation.frame_motion import DrivingFrame, FrameMotion, join_frames, split_frames
from fomm_jax.animation.motion import Motion
from fomm_jax.animation.painting import PaintedBatch, measure_batches, paint_batches
from fomm_jax.animation.pixels import AnimatedFrame
from fomm_jax.animation.smoothing import OneEuro, smooth_motion
from fomm_jax.animation.trained_model import TrainedModel
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError, naming


class Animator(TrainedModel):
    """A trained model that animates pictures.

    Pictures and frames are (h, w, 3) uint8. Their best size is `config.dataset.frame_shape`, which
    the model was trained with (`framing.fit_frame` crops and resizes to it); other sizes work if
    the networks can halve them. Each new size is compiled once. Several threads may call methods,
    but each iterator belongs in one thread: it works, and raises errors, when asked for a frame.

    Attributes:
      config: the configuration of the model; its `animate.normalization` is the mode of motion
        transfer for calls that name none.
      batch_size: frames per call of the networks.
    """

    def animate(
        self,
        source: np.ndarray | EncodedSource,
        driving: Iterable[np.ndarray] | Motion,
        *,
        normalization: NormalizationConfig | None = None,
        best_frame: int | Literal["auto", "face"] | None = None,
        smooth: OneEuro | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a source by a video.

        Args:
          source: a picture, or one that was encoded before.
          driving: frames of one size, which need not be the source's; or a motion that was
            recorded with this model.
          normalization: the mode of motion transfer.
          best_frame: the driving frame that relative motion starts from: its number; or "auto" or
            "face" for the frame whose keypoints or facial landmarks (needs fomm_jax[evaluation])
            are most like the source's in shape. All frames are read before the first picture
            comes. Default: the first frame, or the one that the motion names.
          smooth: a filter that smooths the driving motion over time; default: none.

        Yields:
          A picture for each driving frame, (h, w, 3) uint8 of the source's size.

        Raises:
          InputError: a picture cannot be used, the motion is another model's, `best_frame` cannot
            be found, or `adapt_movement_scale` is set and keypoints lie on a line.
        """
        faces = FaceWatcher() if best_frame == "face" else None
        frames: Iterable[FrameMotion]
        if not isinstance(driving, Motion):
            frames = self.detect(faces.watch(driving) if faces else driving)
        elif faces:
            raise InputError("best_frame: face expects driving frames, and a motion has none")
        else:
            frames = self.frames_of(driving)
            best_frame = driving.initial if best_frame is None else best_frame
        if smooth:
            frames = smooth_motion(frames, smooth)
        encoded = source if isinstance(source, EncodedSource) else self.encode(source)
        initial = None
        if best_frame is not None:
            frames = list(frames)
            if not frames:
                return
            if faces:
                best_frame = faces.best_frame(encoded.picture())
            points = [self.points(frame) for frame in frames]
            initial = frames[choose_frame(best_frame, points, np.asarray(encoded.points[0]))]
        yield from self.animate_keypoints(
            encoded, frames, initial=initial, normalization=normalization
        )

    def record(self, frames: Iterable[np.ndarray], *, fps: float) -> Motion:
        """Record the motion of a video with `fps` frames per second, for `animate`.

        Raises:
          InputError: there is no frame, or one is not (h, w, 3) uint8 of a usable size.
        """
        return Motion.from_frames(self.detect(frames), fps, model=self.fingerprint)

    def frames_of(self, motion: Motion) -> list[FrameMotion]:
        """Return the motion of each frame of a motion that this model recorded."""
        self.check_motion(motion)
        return motion.frames_like(self._model.motion_structure)

    def check_motion(self, motion: Motion) -> None:
        """Raise an `InputError` if a motion was recorded by another model."""
        motion.check_model(self._model.motion_structure, self.fingerprint)

    def check_transfer(self, normalization: NormalizationConfig) -> None:
        """Raise an `InputError` if the model cannot transfer motion in a mode."""
        self._model.check_transfer(normalization)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the detectors of models apart."""
        return self._model.fingerprint

    def points(self, frame: FrameMotion) -> Float[np.ndarray, "k 2"]:
        """Return the keypoints of a frame's motion, in (x, y) order on [-1, 1]."""
        return np.asarray(self._model.points(frame))

    def detect(self, frames: Iterable[np.ndarray]) -> Iterator[FrameMotion]:
        """Detect the motion of frames of one size.

        Yields:
          The motion of each frame, float32 on the host. For the first-order model: keypoints
          `value` (k, 2) and `jacobian` (k, 2, 2) or None.

        Raises:
          InputError: a frame is not (h, w, 3) uint8 of a usable size.
        """
        for batch, filled in filled_batches(checked_frames(frames, self.config), self.batch_size):
            motion = self._model.detect(np.stack(filled))
            yield from split_frames(motion, len(batch))

    def encode(self, source: np.ndarray) -> EncodedSource:
        """Compute motion and features of a source picture, for any number of animations."""
        source = np.asarray(source)
        with naming("source"):
            (motion,) = self.detect([source])
        return self._model.encode(source[np.newaxis], join_frames([motion]))

    def animate_keypoints(
        self,
        source: np.ndarray | EncodedSource,
        keypoints: Iterable[FrameMotion],
        *,
        initial: FrameMotion | None = None,
        normalization: NormalizationConfig | None = None,
    ) -> Iterator[np.ndarray]:
        """Animate a source by the motion of driving frames.

        Args:
          source: a picture, or one that was encoded before.
          keypoints: the motion of each frame, as `detect` yields it.
          initial: the motion that relative motion starts from; default: the first frame's.
          normalization: the mode of motion transfer.

        Raises:
          InputError: the source is unusable, or keypoints lie on a line (`adapt_movement_scale`).
        """
        driving = (DrivingFrame(frame, None) for frame in keypoints)
        for batch in self._paint_batches(source, driving, initial, normalization):
            yield from np.array(batch.pictures)[: len(batch.driving)]

    def compare(
        self,
        source: np.ndarray,
        frames: Iterable[np.ndarray],
        *,
        normalization: NormalizationConfig | None = None,
    ) -> Iterator[AnimatedFrame]:
        """Animate as `animate` does, and also yield the driving frames and the distances from them.

        Raises:
          InputError: the frames do not have the source's size; also as in `animate_keypoints`.
        """
        frames, again = itertools.tee(frames_of_size(frames, np.shape(source)[:2]))
        driving = map(DrivingFrame, self.detect(frames), again)
        painted = self._paint_batches(source, driving, None, normalization)
        yield from measure_batches(painted, self.points)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        normalization: NormalizationConfig | None = None,
        half: bool = False,
    ) -> None:
        """Write the animation as one function, weights included, that needs none of this package.

        The function takes source (1, h, w, 3), driving (t, h, w, 3) and initial (1, h, w, 3), the
        frame that relative motion starts from, and returns frames (t, h, w, 3), all uint8, for any
        t. An ONNX file gets three more beside it, with its parts (docs/animation.md).

        Args:
          path: the file; ONNX if its name ends in .onnx, else a `jax.export` artefact (StableHLO).
          size: height and width; default: those of the training frames.
          normalization: the mode of motion transfer, in which `adapt_movement_scale` must be False.
          half: whether the convolutions of ONNX compute in float16.

        Raises:
          InputError: a package is missing, the file cannot be written, or an argument is wrong.
        """
        options = ExportOptions(size, normalization, half)
        write_animation(path, self._model, self.config, options)

    def _paint_batches(
        self,
        source: np.ndarray | EncodedSource,
        driving: Iterable[DrivingFrame],
        initial: FrameMotion | None,
        normalization: NormalizationConfig | None,
    ) -> Iterator[PaintedBatch]:
        """Paint a source, encoded or not, as `paint_batches` does."""
        mode = normalization or self.config.animate.normalization
        self.check_transfer(mode)
        encoded = source if isinstance(source, EncodedSource) else self.encode(source)
        return paint_batches(self._model, encoded, driving, initial, mode, self.batch_size)
