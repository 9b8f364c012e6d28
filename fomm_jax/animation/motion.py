"""Motion files: the motion of a driving video without the video."""

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from fomm_jax.animation.frame_motion import FrameMotion, from_named_arrays, named_arrays
from fomm_jax.errors import InputError
from fomm_jax.files import read_npz, replacing

VERSION = 2  # of the file; files of version 1 have no `times`

# What the file holds beside the arrays of motion, of which "times" may be missing.
HEADER = ("version", "fps", "initial", "model", "times")


@dataclasses.dataclass(frozen=True)
class Motion:
    """The motion that a model detected in the frames of a video."""

    # By name, (t, …) float32 with t at least 1. The first-order model has `value`, (t, k, 2) in
    # (x, y) order on [-1, 1], and `jacobian`, (t, k, 2, 2).
    arrays: dict[str, np.ndarray]
    fps: float  # frames per second
    initial: int = 0  # the frame that relative motion starts from
    model: str = ""  # the `Animator.fingerprint` of the model that detected it
    # (t + 1,) float64 ascending seconds from the first frame: when each frame is shown, and when
    # the last one ends. None: the rate is constant.
    times: np.ndarray | None = None

    @classmethod
    def from_frames(
        cls,
        frames: Iterable[FrameMotion],
        fps: float,
        *,
        times: np.ndarray | None = None,
        initial: int = 0,
        model: str = "",
    ) -> "Motion":
        """Collect the motion of all frames of a video, which may be fewer than `times` lists.

        Raises:
          InputError: there is no frame.
        """
        named = [named_arrays(frame) for frame in frames]
        if not named:
            raise InputError("the video has no frames; a motion needs at least one")
        arrays = {name: np.stack([frame[name] for frame in named]) for name in named[0]}
        return cls(arrays, fps, initial, model, None if times is None else times[: len(named) + 1])

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(next(iter(self.arrays.values())))

    def frames_like(self, structure: Any) -> list[FrameMotion]:
        """Return the motion of each frame as a pytree like `structure`."""
        return [
            from_named_arrays({name: array[i] for name, array in self.arrays.items()}, structure)
            for i in range(len(self))
        ]

    def check_model(self, structure: Any, fingerprint: str) -> None:
        """Raise an `InputError` if another model recorded the motion.

        Args:
          structure: the motion that the model detects in one frame, with shapes for arrays.
          fingerprint: the `Animator.fingerprint` of the model.
        """
        if self.model and self.model != fingerprint:
            raise InputError(
                f"the motion was recorded with another model ({self.model}), whose keypoints are"
                f" others; expected a motion of this model ({fingerprint})"
            )
        recorded = {name: array.shape[1:] for name, array in self.arrays.items()}
        expected = {name: leaf.shape[1:] for name, leaf in named_arrays(structure).items()}
        if recorded != expected:
            described, model = (
                ", ".join(f"{name} {shape}" for name, shape in shapes.items())
                for shapes in (recorded, expected)
            )
            raise InputError(f"the motion has {described} per frame; the model has {model}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, which appears only when it is whole.

        Raises:
          InputError: the file cannot be written.
        """
        header: dict[str, Any] = {"fps": self.fps, "initial": self.initial, "model": self.model}
        if self.times is not None:
            header["times"] = self.times
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, version=VERSION, **self.arrays, **header)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Motion":
        """Read what `save` wrote; the numbers are the same to the last bit.

        Raises:
          InputError: the file cannot be read, or holds something else.
        """
        entries = read_npz(path)
        if "version" not in entries:
            raise InputError(f"{path}: is not a motion; expected a file that Motion.save wrote")
        if (version := entries["version"]) not in (1, VERSION):
            raise InputError(f"{path}: is of version {version}; expected {VERSION} at most")
        arrays = {name: array for name, array in entries.items() if name not in HEADER}
        missing = [name for name in HEADER if name not in (*entries, "times")]
        if missing or not arrays:
            lacking = missing[0] if missing else "array of motion"
            raise InputError(f"{path}: has no {lacking}; expected a file that Motion.save wrote")
        if problem := _find_problem(arrays, entries):
            raise InputError(f"{path}: {problem}")
        return cls(
            arrays,
            fps=float(entries["fps"]),
            initial=int(entries["initial"]),
            model=str(entries["model"]),
            times=entries.get("times"),
        )


def _find_problem(arrays: dict[str, np.ndarray], entries: dict[str, np.ndarray]) -> str | None:
    """Describe what no motion can hold, or return None."""
    num_frames = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    if len(num_frames) > 1 or 0 in num_frames:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        return f"has arrays of the shapes {shapes}; expected frames first, equally many in all"
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            return f"{name}: expected finite float32"
    fps, initial, model = (entries[name] for name in ("fps", "initial", "model"))
    if fps.shape or fps.dtype.kind not in "fi" or not 0 < fps < np.inf:
        return f"fps: expected more than 0 frames per second, got {fps}"
    (count,) = num_frames
    if initial.shape or initial.dtype.kind not in "iu" or not 0 <= initial < count:
        return f"initial: expected the number of one of {count} frames, got {initial}"
    if "times" in entries and not _are_times(entries["times"], count):
        return f"times: expected {count + 1} ascending seconds from 0"
    if model.shape or model.dtype.kind != "U":
        return "model: expected text"
    return None


def _are_times(times: np.ndarray, num_frames: int) -> bool:
    return bool(
        times.shape == (num_frames + 1,)
        and times.dtype == np.float64
        and np.isfinite(times).all()
        and times[0] == 0
        and (np.diff(times) >= 0).all()
        and times[-1] > 0
    )
