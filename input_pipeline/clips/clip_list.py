"""Lists of clips that users write: a CSV file with a row for each clip.

    video,start,end,left,top,right,bottom,name
    interviews/anna.mp4,12.5,20,600,80,1100,580,anna#0
    interviews/bert.mov,,,,,,,

`start` and `end` are in seconds; the box (`left`, `top`, `right`, `bottom`) is in pixels of the
upright frame. Empty cells stand for the whole video or the whole frame. The column `name` may be
left out, and further columns are ignored.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fomm_jax.errors import InputError, naming
from fomm_jax.files import strip_suffix
from fomm_jax.media.framing import Box
from fomm_jax.media.pictures import WRITABLE_SUFFIXES
from fomm_jax.media.reading.video_reader import VIDEO_SUFFIXES
from input_pipeline.clips.clip import Clip
from input_pipeline.lists import Row, read_rows
from input_pipeline.videos import open_video

_TIMES = ("start", "end")
_SIDES = ("left", "top", "right", "bottom")
_COLUMNS = ("video", *_TIMES, *_SIDES)
_SUFFIXES = VIDEO_SUFFIXES + WRITABLE_SUFFIXES
_NUMBER = re.compile(r"\d{1,9}(\.\d{0,9})?")


class ClipList(NamedTuple):
    """The clips of a list, and the videos that it names in vain."""

    clips: list[Clip]  # in the order of the list
    missing: list[str]  # videos that are not there, each once, as the list writes them


@dataclasses.dataclass(frozen=True)
class _Extent:
    """The size of a video in space and time."""

    height: int  # pixels
    width: int  # pixels
    seconds: float


def read_clip_list(csv_path: Path, folder: Path) -> ClipList:
    """Read which clips to cut out of the videos of a folder.

    The clip of a row without a name is called after the path of its video, with `_` for `/`, and
    after its number among the clips of that video: `interviews_anna#0000.mp4`. Names without a
    suffix get the suffix `.mp4`. To `dataset.id_sampling` the part of a name before the first '#'
    is the person. An `end` after the end of the video stands for the end of the video.

    A missing video is no error, since lists outlive videos, unless all videos are missing.

    Args:
      csv_path: the list, in UTF-8; the head of this file describes it.
      folder: the folder to which the paths in the column `video` are relative. A video is a file, a
        folder of frames, or a picture of square frames side by side.

    Raises:
      InputError: the list or one of its videos cannot be read, or a row cannot be used: a cell is
        not a number, a box is empty or reaches out of the frame, a clip is empty or begins after
        the end of the video, two clips have the same name, or a path leads out of the folder. The
        message gives the file, the line and the column.
    """
    clips: list[Clip] = []
    missing: dict[str, None] = {}  # a set that keeps the order
    extents: dict[str, _Extent] = {}
    for row, name in _name_clips(csv_path, folder):
        video = row.cells["video"]
        start, end = _parse_times(row)
        box = _parse_box(row)
        path = folder / video
        if not path.exists():
            missing[video] = None
            continue
        if video not in extents:
            with naming(row.place("video")):
                opened = open_video(path, None)
            extents[video] = _Extent(opened.height, opened.width, opened.time_of(len(opened)))
        extent = extents[video]
        if start >= extent.seconds:
            raise row.error("start", f"less than the {extent.seconds:.2f} seconds of the video")
        relative_box = None if box is None else _relate_box(row, box, extent)
        clips.append(Clip(name, path, start, end, relative_box))
    if not clips:
        if not missing:
            raise InputError(f"{csv_path}: lists no clip; expected a row for each")
        raise InputError(
            f"{csv_path}: none of the {len(missing)} videos that it lists is there;"
            f" expected files such as {folder / next(iter(missing))}"
        )
    return ClipList(clips, [*missing])


def _name_clips(csv_path: Path, folder: Path) -> Iterator[tuple[Row, str]]:
    """Yield the rows of a list, stripped of spaces, each with the name of its clip."""
    num_clips: dict[str, int] = {}  # by video, up to this row
    lines: dict[str, int] = {}  # by name without suffix, which may change with the format
    for raw_row in read_rows(csv_path, _COLUMNS, even=True):
        cells = {column: cell.strip() for column, cell in raw_row.cells.items()}
        row = dataclasses.replace(raw_row, cells=cells)
        video = row.cells["video"]
        relative = PurePosixPath(video)
        if not relative.parts or "\0" in video or relative.is_absolute() or ".." in relative.parts:
            raise row.error("video", f"the path of a video below {folder}")
        name = row.cells.get("name")
        if name:
            clip_name = _check_name(row, name)
        else:
            number = num_clips.get(video, 0)
            clip_name = f"{strip_suffix('_'.join(relative.parts), _SUFFIXES)}#{number:04}.mp4"
        num_clips[video] = num_clips.get(video, 0) + 1
        stem = Path(clip_name).stem
        if stem in lines:
            raise InputError(
                f"{row.place('name' if name else 'video')}: the clip would be called {stem}, like"
                f" the clip of line {lines[stem]}; expected another name"
            )
        lines[stem] = row.line
        yield row, clip_name


def _check_name(row: Row, name: str) -> str:
    """Return the name that the list gives to a clip, with a suffix.

    Raises:
      InputError: it cannot be the name of a file.
    """
    if "/" in name or "\0" in name or name.startswith("."):
        raise row.error("name", "the name of a file, without a folder")
    return name if strip_suffix(name, _SUFFIXES) != name else f"{name}.mp4"


def _parse_number(row: Row, column: str, unit: str) -> float | None:
    """Return the number in a cell, or None if the cell is empty."""
    cell = row.cells[column]
    if not cell:
        return None
    if not _NUMBER.fullmatch(cell):
        raise row.error(column, f"{unit}, such as 12 or 12.5, or nothing")
    return float(cell)


def _parse_times(row: Row) -> tuple[float, float | None]:
    """Return the start and the end in seconds; the end is None if the row gives none."""
    start, end = (_parse_number(row, column, "seconds") for column in _TIMES)
    start = start or 0.0
    if end is not None and end <= start:
        raise row.error("end", f"more than the start, {start:g}")
    return start, end


def _parse_box(row: Row) -> Box | None:
    """Return (left, top, right, bottom) in pixels, or None if the row gives no box."""
    sides = {column: _parse_number(row, column, "pixels") for column in _SIDES}
    left, top, right, bottom = sides.values()
    if left is None and top is None and right is None and bottom is None:
        return None
    if left is None or top is None or right is None or bottom is None:
        absent = next(column for column, value in sides.items() if value is None)
        raise row.error(absent, "pixels, since the row gives other sides of the box")
    if right < left + 1:
        raise row.error("right", f"at least one pixel more than left, {left:g}")
    if bottom < top + 1:
        raise row.error("bottom", f"at least one pixel more than top, {top:g}")
    return left, top, right, bottom


def _relate_box(row: Row, box: Box, extent: _Extent) -> Box:
    """Convert a box in pixels into fractions of the frame's width and height."""
    left, top, right, bottom = box
    for column, side, limit in (("right", right, extent.width), ("bottom", bottom, extent.height)):
        if side > limit:
            raise row.error(
                column,
                f"at most {limit}, since the frame is {extent.height} high and {extent.width} wide",
            )
    return left / extent.width, top / extent.height, right / extent.width, bottom / extent.height
