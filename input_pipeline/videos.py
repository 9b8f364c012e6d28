"""Random access to the frames of a video in any of its forms on disk.

The forms are: a picture of frames side by side, a folder of frames, a video file, and records of a
prepared dataset.
"""

import abc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.media.litter import is_litter, is_sidecar
from fomm_jax.media.pictures import WRITABLE_SUFFIXES
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import (
    VIDEO_SUFFIXES,
    iterate_frames,
    read_frames,
)
from input_pipeline.picture_cache import PictureCache, read_stored
from input_pipeline.prepared import PreparedVideo, read_prepared_frames, request_prepared_frames

DEFAULT_FPS = 25.0  # frames a second, for forms that state no rate


class SeekableVideo(abc.ABC):
    """A video whose frames can be read in any order; all have the same size.

    Attributes:
      path: the path of the file or folder.
      name: the last part of the path with its suffix; pairs lists and outputs use this name.
      height, width: the size of a frame in pixels.
      fps: frames a second; where it is not constant, by the usual distance of two frames.
      times: (t + 1,) ascending seconds from the first frame: when each frame is shown, and when the
        last one ends. None: the rate is constant.
    """

    times: np.ndarray | None = None

    def __init__(
        self, path: Path, size: tuple[int, int], num_frames: int, fps: float = DEFAULT_FPS
    ) -> None:
        self.path = path
        self.name = path.name
        self.height, self.width = size
        self._num_frames = num_frames
        self.fps = fps

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._num_frames

    def time_of(self, number: int) -> float:
        """Return when a frame is shown, and when the one before it ends, in seconds."""
        return number / self.fps if self.times is None else float(self.times[number])

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the frames with the given numbers, from 0 to `len(video) - 1`: (t, h, w, 3) uint8.

        Raises:
          InputError: a frame cannot be decoded or differs in size.
        """
        numbers = [int(index) for index in indices]
        frames = self._read(numbers)
        for number, frame in zip(numbers, frames, strict=True):
            self._check_size(number, frame)
        return np.stack(frames)

    def request(self, indices: Sequence[int] | np.ndarray) -> Callable[[], np.ndarray]:
        """Begin to read frames that come from afar; return the function that returns `frames`."""
        return lambda: self.frames(indices)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield all frames in order, each (h, w, 3) uint8.

        Raises:
          InputError: a frame cannot be decoded or differs in size.
        """
        return self.iterate_from(0)

    def iterate_from(self, first: int) -> Iterator[np.ndarray]:
        """Yield the frames from number `first` to the last one, each (h, w, 3) uint8.

        Args:
          first: from 0 to `len(video) - 1`.

        Raises:
          InputError: a frame cannot be decoded or differs in size.
        """
        for number, frame in enumerate(self._read_from(first), first):
            self._check_size(number, frame)
            yield frame

    @abc.abstractmethod
    def _read(self, numbers: list[int]) -> list[np.ndarray]: ...

    @abc.abstractmethod
    def _read_from(self, first: int) -> Iterator[np.ndarray]: ...

    def _frame_name(self, number: int) -> str:
        return f"{self.path}, frame {number}"

    def _check_size(self, number: int, frame: np.ndarray) -> None:
        if frame.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self._frame_name(number)}: is {_describe_size(*frame.shape[:2])},"
                f" but the video's first frame is {_describe_size(self.height, self.width)}"
            )


class StackedPicture(SeekableVideo):
    """A picture of frames side by side, from left to right."""

    def __init__(self, path: Path, frame_size: tuple[int, int] | None, cache: PictureCache) -> None:
        self._cache = cache
        height, width = cache.read(path).shape[:2]
        origin = "config.dataset.frame_shape" if frame_size else "squares"
        frame_size = frame_size or (height, height)
        if height != frame_size[0] or width % frame_size[1]:
            raise InputError(
                f"{path}: is {_describe_size(height, width)};"
                f" expected frames of {_describe_size(*frame_size)}"
                f" ({origin}) side by side, so that height and width are"
                f" {frame_size[0]} and a multiple of {frame_size[1]}"
            )
        super().__init__(path, frame_size, width // frame_size[1])

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        picture = self._cache.read(self.path)
        return [picture[:, n * self.width : (n + 1) * self.width] for n in numbers]

    def _read_from(self, first: int) -> Iterator[np.ndarray]:
        yield from self._read(list(range(first, len(self))))


class FrameFolder(SeekableVideo):
    """A folder with a picture for each frame, in the order of their names.

    What operating systems leave behind is ignored, and so are notes and lists.
    """

    def __init__(self, path: Path) -> None:
        with reading(path):
            self._files = sorted(
                file for file in path.iterdir() if not is_litter(file) and not is_sidecar(file)
            )
        for file in self._files:
            if file.is_dir() or file.suffix.lower() not in WRITABLE_SUFFIXES:
                suffixes = ", ".join(WRITABLE_SUFFIXES)
                raise InputError(f"{file}: expected only pictures ({suffixes}) in this folder")
        if not self._files:
            raise InputError(f"{path}: is empty; expected a picture for each frame")
        height, width = read_stored(self._files[0]).shape[:2]
        super().__init__(path, (height, width), len(self._files))

    def _frame_name(self, number: int) -> str:
        return str(self._files[number])

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return [read_stored(self._files[number]) for number in numbers]

    def _read_from(self, first: int) -> Iterator[np.ndarray]:
        return map(read_stored, self._files[first:])


class PreparedFrames(SeekableVideo):
    """A video of a prepared dataset, with a record for each frame."""

    def __init__(self, entry: PreparedVideo) -> None:
        super().__init__(Path(entry.name), (entry.height, entry.width), entry.num_frames, entry.fps)
        self._entry = entry

    def request(self, indices: Sequence[int] | np.ndarray) -> Callable[[], np.ndarray]:
        """Ask a bucket at once; see the base class."""
        wait = request_prepared_frames(self._entry, [int(index) for index in indices])
        return lambda: np.stack(wait())

    def _frame_name(self, number: int) -> str:
        return f"{self._entry}, frame {number}"

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return [*read_prepared_frames(self._entry, numbers)]

    def _read_from(self, first: int) -> Iterator[np.ndarray]:
        return read_prepared_frames(self._entry, range(first, len(self)))


class VideoFile(SeekableVideo):
    """A video file or an animated picture."""

    def __init__(self, path: Path) -> None:
        info = probe_video(path)
        if info.fault:
            raise InputError(info.fault)
        self._index = info.index  # small: two numbers for each frame
        super().__init__(path, (info.height, info.width), info.num_frames, info.fps)
        self.times = info.times

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return read_frames(self.path, numbers, self._index)

    def _read_from(self, first: int) -> Iterator[np.ndarray]:
        return iterate_frames(self.path, first, self._index)


def open_video(
    location: str | Path | PreparedVideo,
    frame_shape: tuple[int, int, int] | None,
    *,
    any_size: bool = False,
    cache: PictureCache | None = None,
) -> SeekableVideo:
    """Open a video of any form.

    Args:
      location: a folder of frames, a picture of frames side by side, a video file, or a video of a
        prepared dataset.
      frame_shape: (height, width, channels) of a frame. With None, frames of any size are accepted,
        and a picture of frames side by side is cut into squares.
      any_size: accept folders and files whose frames differ from `frame_shape` in size. (A picture
        of frames side by side is cut by `frame_shape` in any case.)
      cache: the cache for decoded pictures; videos that are open at the same time should share one.
        By default the video gets a cache of its own.

    Raises:
      InputError: the video cannot be read, holds no frame, or has frames of the wrong size.
    """
    frame_size = None if frame_shape is None else frame_shape[:2]
    video = _open(location, frame_size, PictureCache() if cache is None else cache)
    if frame_size and not any_size and (video.height, video.width) != frame_size:
        raise InputError(
            f"{location}: frames are {_describe_size(video.height, video.width)}, but"
            f" config.dataset.frame_shape expects {_describe_size(*frame_size)};"
            " change that field or resize the files"
        )
    return video


def _open(
    location: str | Path | PreparedVideo, frame_size: tuple[int, int] | None, cache: PictureCache
) -> SeekableVideo:
    if isinstance(location, PreparedVideo):
        return PreparedFrames(location)
    path = Path(location)
    if path.is_dir():
        return FrameFolder(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoFile(path)
    return StackedPicture(path, frame_size, cache)


def _describe_size(height: int, width: int) -> str:
    return f"{height} high and {width} wide"
