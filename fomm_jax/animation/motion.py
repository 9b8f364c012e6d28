"""Motion templates: the keypoints of a driving video without the video."""

import dataclasses
import os
from collections.abc import Iterable, Iterator

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import read_npz, replacing
from fomm_jax.types import FrameKeypoints

VERSION = 1  # of the file
FIELDS = {"version", "value", "jacobian", "fps", "initial", "model"}  # in it


@dataclasses.dataclass(frozen=True)
class Motion:
    """How keypoints move, as a model found them in the frames of a video."""

    value: np.ndarray  # (t, k, 2) float32 in (x, y) order on [-1, 1], t at least 1
    jacobian: np.ndarray | None  # (t, k, 2, 2) float32; None of a zero-order model
    fps: float  # frames a second
    initial: int = 0  # the frame that relative motion starts from
    model: str = ""  # the `Animator.fingerprint` of what found them

    @classmethod
    def from_keypoints(
        cls, keypoints: Iterable[FrameKeypoints], fps: float, *, initial: int = 0, model: str = ""
    ) -> "Motion":
        """Keep the keypoints of all frames of a video.

        Raises:
          InputError: there is no frame.
        """
        frames = list(keypoints)
        if not frames:
            raise InputError("the motion of no frames; expected at least one")
        jacobians = [frame.jacobian for frame in frames if frame.jacobian is not None]
        return cls(
            value=np.stack([frame.value for frame in frames]),
            jacobian=np.stack(jacobians) if jacobians else None,
            fps=fps,
            initial=initial,
            model=model,
        )

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.value)

    def __getitem__(self, frame: int) -> FrameKeypoints:
        """The keypoints of a frame."""
        return FrameKeypoints(
            self.value[frame], None if self.jacobian is None else self.jacobian[frame]
        )

    def __iter__(self) -> Iterator[FrameKeypoints]:
        """Those of all frames in order."""
        return (self[frame] for frame in range(len(self)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, which appears only when it is whole.

        Raises:
          InputError: nothing can be written there.
        """
        arrays = {"version": VERSION} | {
            name: value for name, value in vars(self).items() if value is not None
        }
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Motion":
        """Read what `save` wrote; the numbers are the same to the last bit.

        Raises:
          InputError: the file cannot be read, or holds something else.
        """
        arrays = read_npz(path)
        if "version" not in arrays or not arrays.keys() <= FIELDS:
            raise InputError(f"{path}: is no motion; expected a file that Motion.save wrote")
        if (version := arrays.pop("version")) != VERSION:
            raise InputError(f"{path}: is of version {version}; expected {VERSION}")
        if missing := FIELDS - {"version", "jacobian"} - arrays.keys():
            raise InputError(f"{path}: has no {min(missing)}; expected a file of Motion.save")
        if problem := _problem(arrays):
            raise InputError(f"{path}: {problem}")
        return cls(
            value=arrays["value"],
            jacobian=arrays.get("jacobian"),
            fps=float(arrays["fps"]),
            initial=int(arrays["initial"]),
            model=str(arrays["model"]),
        )


def _problem(arrays: dict[str, np.ndarray]) -> str | None:
    """What no motion can be like, or None."""
    value, fps, initial = arrays["value"], arrays["fps"], arrays["initial"]
    if value.ndim != 3 or value.shape[2] != 2 or not value.size:
        return f"value has shape {value.shape}; expected (frames, keypoints, 2)"
    jacobian = arrays.get("jacobian", np.zeros((*value.shape, 2), np.float32))
    if jacobian.shape != (*value.shape, 2):
        return f"jacobian has shape {jacobian.shape}; expected {(*value.shape, 2)}"
    for name, array in {"value": value, "jacobian": jacobian}.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            return f"{name}: expected finite float32"
    if fps.shape or fps.dtype.kind not in "fi" or not 0 < fps < np.inf:
        return f"fps: expected more than 0 frames a second, got {fps}"
    if initial.shape or initial.dtype.kind not in "iu" or not 0 <= initial < len(value):
        return f"initial: expected the number of one of {len(value)} frames, got {initial}"
    if arrays["model"].shape or arrays["model"].dtype.kind != "U":
        return "model: expected text"
    return None
