"""Random access to the frames of a video, whatever its form on disk.

The forms are a picture of frames side by side, a folder of frames, a video file, and records of a
prepared dataset.
"""

import abc
import collections
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import PICTURE_SUFFIXES, read_picture
from fomm_jax.media.video_reader import (
    VIDEO_SUFFIXES,
    count_frames,
    index_frames,
    iterate_frames,
    probe_video,
    read_frames,
)
from input_pipeline import prepared
from input_pipeline.prepared import PreparedVideo

DEFAULT_FPS = 25.0  # of forms that carry no rate
CACHE_BYTES = 512 * 2**20


class PictureCache:
    """Decoded pictures, of which the most recently used are kept up to `max_bytes` bytes.

    A picture of frames side by side can only be decoded as a whole, so that without a cache two
    of its frames would cost as much as all. Threads may share a cache; it is pickled empty.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._pictures: collections.OrderedDict[Path, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["PictureCache"], tuple[int]]:
        """Let worker processes begin with a cache of their own."""
        return PictureCache, (self._max_bytes,)

    def read(self, path: Path) -> np.ndarray:
        """Return the picture as (h, w, 3) uint8, not to be written to."""
        with self._lock:
            if path in self._pictures:
                self._pictures.move_to_end(path)
                return self._pictures[path]
        picture = read_picture(path)
        picture.flags.writeable = False
        with self._lock:
            if path not in self._pictures:
                self._pictures[path] = picture
                self._num_bytes += picture.nbytes
            while self._num_bytes > self._max_bytes and len(self._pictures) > 1:
                _, dropped = self._pictures.popitem(last=False)
                self._num_bytes -= dropped.nbytes
        return picture


class Video(abc.ABC):
    """The frames of one video, all of one size.

    Attributes:
      path: of the file or folder.
      name: its last part, suffix included, by which pairs lists and outputs name the video.
      height, width: of a frame in pixels.
      fps: frames a second.
    """

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

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the frames of these numbers, each from 0 up to below `len()`: (t, h, w, 3) uint8.

        Raises:
          InputError: a frame cannot be decoded or differs in size.
        """
        numbers = [int(index) for index in indices]
        pairs = zip(numbers, self._read(numbers), strict=True)
        return np.stack([self._checked(number, frame) for number, frame in pairs])

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield all frames in order, each (h, w, 3) uint8; errors as in `frames`."""
        return self.iterate_from(0)

    def iterate_from(self, first: int) -> Iterator[np.ndarray]:
        """Yield the frames from number `first` on, below `len()`; errors as in `frames`."""
        for number, frame in enumerate(self._read_all(first), first):
            yield self._checked(number, frame)

    @abc.abstractmethod
    def _read(self, numbers: list[int]) -> list[np.ndarray]: ...

    @abc.abstractmethod
    def _read_all(self, first: int) -> Iterator[np.ndarray]: ...

    def _frame_name(self, number: int) -> str:
        return f"{self.path}, frame {number}"

    def _checked(self, number: int, frame: np.ndarray) -> np.ndarray:
        if frame.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self._frame_name(number)}: is {_size(*frame.shape[:2])},"
                f" but the video's first frame is {_size(self.height, self.width)}"
            )
        return frame


class StackedPicture(Video):
    """A picture of frames side by side, from left to right."""

    def __init__(self, path: Path, frame_size: tuple[int, int] | None, cache: PictureCache) -> None:
        self._cache = cache
        height, width = cache.read(path).shape[:2]
        told_by = "config.dataset.frame_shape" if frame_size else "squares"
        frame_size = frame_size or (height, height)
        if height != frame_size[0] or width % frame_size[1]:
            raise InputError(
                f"{path}: is {_size(height, width)}; expected frames of {_size(*frame_size)}"
                f" ({told_by}) side by side, so that height and width are"
                f" {frame_size[0]} and a multiple of {frame_size[1]}"
            )
        super().__init__(path, frame_size, width // frame_size[1])

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        picture = self._cache.read(self.path)
        return [picture[:, n * self.width : (n + 1) * self.width] for n in numbers]

    def _read_all(self, first: int) -> Iterator[np.ndarray]:
        yield from self._read(list(range(first, len(self))))


class FrameFolder(Video):
    """A folder of one picture a frame, in the order of their names; hidden files do not count."""

    def __init__(self, path: Path) -> None:
        self._files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        for file in self._files:
            if file.is_dir() or file.suffix.lower() not in PICTURE_SUFFIXES:
                suffixes = ", ".join(PICTURE_SUFFIXES)
                raise InputError(f"{file}: expected only pictures ({suffixes}) in this folder")
        if not self._files:
            raise InputError(f"{path}: is empty; expected pictures, one a frame")
        height, width = read_picture(self._files[0]).shape[:2]
        super().__init__(path, (height, width), len(self._files))

    def _frame_name(self, number: int) -> str:
        return str(self._files[number])

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return [read_picture(self._files[number]) for number in numbers]

    def _read_all(self, first: int) -> Iterator[np.ndarray]:
        return map(read_picture, self._files[first:])


class PreparedFrames(Video):
    """A video of a prepared dataset, of which each frame is a record."""

    def __init__(self, entry: PreparedVideo) -> None:
        super().__init__(Path(entry.name), (entry.height, entry.width), entry.num_frames, entry.fps)
        self._entry = entry

    def _frame_name(self, number: int) -> str:
        return f"{self._entry}, frame {number}"

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return [*prepared.read_frames(self._entry, numbers)]

    def _read_all(self, first: int) -> Iterator[np.ndarray]:
        return prepared.read_frames(self._entry, range(first, len(self)))


class VideoFile(Video):
    """A file that holds a video, or an animated picture."""

    def __init__(self, path: Path) -> None:
        info = probe_video(path)
        self._index = index_frames(path)  # made once, and small: two numbers a frame
        # Counted, since the number in a container may be wrong or missing.
        count = count_frames(path, self._index)
        super().__init__(path, (info.height, info.width), count, info.fps)

    def _read(self, numbers: list[int]) -> list[np.ndarray]:
        return read_frames(self.path, numbers, self._index)

    def _read_all(self, first: int) -> Iterator[np.ndarray]:
        return iterate_frames(self.path, first, self._index)


def open_video(
    location: str | Path | PreparedVideo,
    frame_shape: tuple[int, int, int] | None,
    *,
    any_size: bool = False,
    cache: PictureCache | None = None,
) -> Video:
    """Open a video of any form.

    Args:
      location: a folder of frames, a picture of frames side by side, a video file, or a video of a
        prepared dataset.
      frame_shape: (height, width, channels) of a frame; None lets frames be of any size, and takes
        those that are side by side in a picture for squares.
      any_size: let a folder or a file have frames of another size than `frame_shape`.
      cache: where decoded pictures are kept, to be shared by all videos that are open at a time;
        without it the video keeps its own.

    Raises:
      InputError: it cannot be read, holds no frame, or has frames of the wrong size.
    """
    frame_size = None if frame_shape is None else frame_shape[:2]
    video = _open(location, frame_size, PictureCache() if cache is None else cache)
    if frame_size and not any_size and (video.height, video.width) != frame_size:
        raise InputError(
            f"{location}: frames are {_size(video.height, video.width)}, but"
            f" config.dataset.frame_shape expects {_size(*frame_size)};"
            " change that field or resize the files"
        )
    return video


def _open(
    location: str | Path | PreparedVideo, frame_size: tuple[int, int] | None, cache: PictureCache
) -> Video:
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


def _size(height: int, width: int) -> str:
    return f"{height} high and {width} wide"
