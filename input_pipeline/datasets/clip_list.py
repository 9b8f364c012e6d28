"""A list of clips to cut: a CSV file with a row for each.

    video,start,end,left,top,right,bottom,name
    interviews/anna.mp4,12.5,20,600,80,1100,580,anna#0
    interviews/bert.mov,,,,,,,

Times are in seconds, boxes in pixels of the upright frame; what is empty is the whole. The column
`name` may be left out, and further columns do not count.
"""

import csv
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fomm_jax.errors import InputError, naming
from fomm_jax.files import reading, strip_suffix
from fomm_jax.media.framing import Box
from fomm_jax.media.pictures import PICTURE_SUFFIXES
from fomm_jax.media.video_reader import VIDEO_SUFFIXES
from input_pipeline.datasets.clips import Clip
from input_pipeline.videos import open_video

_TIMES = ("start", "end")
_SIDES = ("left", "top", "right", "bottom")
_COLUMNS = ("video", *_TIMES, *_SIDES)
_EXPECTED = f"expected a CSV file with the columns {','.join(_COLUMNS)} and perhaps name"
_NUMBER = re.compile(r"\d{1,9}(\.\d{0,9})?")


@dataclasses.dataclass(frozen=True)
class _Row:
    path: Path  # of the list
    line: int
    cells: dict[str, str]

    def refuse(self, column: str, expected: str) -> InputError:
        content = self.cells[column][:60]
        return InputError(f"{self.where(column)}: is {content!r}; expected {expected}")

    def where(self, column: str) -> str:
        return f"{self.path}, line {self.line}, column {column}"

    def number(self, column: str, unit: str) -> float | None:
        """The value of a cell; None where it is empty."""
        if not self.cells[column]:
            return None
        if not _NUMBER.fullmatch(self.cells[column]):
            raise self.refuse(column, f"{unit}, such as 12 or 12.5, or nothing")
        return float(self.cells[column])


@dataclasses.dataclass(frozen=True)
class _Extent:
    """What a video holds."""

    height: int
    width: int
    seconds: float


def read_clip_list(csv_path: Path, folder: Path) -> tuple[list[Clip], list[str]]:
    """Read which clips to cut out of the videos of a folder.

    A clip without a name is called after its video's path, with `_` for `/`, and its place among
    the clips of that video: `interviews_anna#0000.mp4`. Names get the suffix `.mp4` where they have
    none. The part before a '#' is the person to `dataset.id_sampling`. An `end` after the video's
    own is the video's own.

    Args:
      csv_path: the list, in UTF-8; see the head of this file.
      folder: that the cells of `video` are relative to. A video is a file, a folder of frames or a
        picture of square frames side by side.

    Returns:
      The clips in the order of the list, and the videos that are not there, each once, as the list
      writes them. Lists outlive videos, so that these do not count as mistakes, unless none of the
      videos is there.

    Raises:
      InputError: with file, line and column: a cell is no number, a box is empty or reaches out of
        the frame, a clip is empty or begins after the video's end, two clips have one name, a path
        leads out of the folder; or the list or one of its videos cannot be read.
    """
    clips: list[Clip] = []
    missing: dict[str, None] = {}  # in the order of the list
    extents: dict[str, _Extent] = {}
    count: dict[str, int] = {}  # clips of each video
    lines: dict[str, int] = {}  # where a name was given
    for row in _read_rows(csv_path):
        video = row.cells["video"]
        relative = PurePosixPath(video)
        if not relative.parts or "\0" in video or relative.is_absolute() or ".." in relative.parts:
            raise row.refuse("video", f"the path of a video below {folder}")
        name = _clip_name(row, "_".join(relative.parts), count.get(video, 0))
        count[video] = count.get(video, 0) + 1
        stem = Path(name).stem  # suffixes may change, as the format does
        if stem in lines:
            raise InputError(
                f"{row.where('name' if row.cells.get('name') else 'video')}: the clip would be"
                f" called {stem}, as that of line {lines[stem]} is; expected another name"
            )
        lines[stem] = row.line
        start, end = _span(row)
        sides = _sides(row)
        path = folder / relative
        if not path.exists():
            missing[video] = None
            continue
        if video not in extents:
            with naming(row.where("video")):
                opened = open_video(path, None)
            extents[video] = _Extent(opened.height, opened.width, len(opened) / opened.fps)
        extent = extents[video]
        if start >= extent.seconds:
            raise row.refuse("start", f"less than the {extent.seconds:.2f} seconds of the video")
        box = None if sides is None else _shares(row, sides, extent)
        clips.append(Clip(name, path, start, end, box))
    if not clips:
        example = next(iter(missing), None)
        if example is None:
            raise InputError(f"{csv_path}: lists no clip; expected a row for each")
        raise InputError(
            f"{csv_path}: none of the {len(missing)} videos that it lists is there;"
            f" expected files such as {folder / example}"
        )
    return clips, [*missing]


def _read_rows(path: Path) -> Iterator[_Row]:
    try:
        with reading(path, _EXPECTED), path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = [cell.strip() for cell in next(reader, [])]
            for column in _COLUMNS:
                if columns.count(column) != 1:
                    what = "has two columns" if column in columns else "has no column"
                    raise InputError(f"{path}, line 1: {what} {column}; {_EXPECTED}")
            for cells in reader:
                if not cells:  # an empty line
                    continue
                if len(cells) != len(columns):
                    raise InputError(
                        f"{path}, line {reader.line_num}: has {len(cells)} cells;"
                        f" expected {len(columns)}, as many as columns"
                    )
                stripped = (cell.strip() for cell in cells)
                yield _Row(path, reader.line_num, dict(zip(columns, stripped, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is damaged ({error})") from error


def _clip_name(row: _Row, video: str, number: int) -> str:
    name, suffixes = row.cells.get("name", ""), VIDEO_SUFFIXES + PICTURE_SUFFIXES
    if not name:
        return f"{strip_suffix(video, suffixes)}#{number:04}.mp4"
    if "/" in name or "\0" in name or name.startswith("."):
        raise row.refuse("name", "the name of a file, without a folder")
    return name if strip_suffix(name, suffixes) != name else f"{name}.mp4"


def _span(row: _Row) -> tuple[float, float | None]:
    start, end = (row.number(column, "seconds") for column in _TIMES)
    start = start or 0.0
    if end is not None and end <= start:
        raise row.refuse("end", f"more than the start, {start:g}")
    return start, end


def _sides(row: _Row) -> Box | None:
    values = {column: row.number(column, "pixels") for column in _SIDES}
    left, top, right, bottom = values.values()
    if left is None and top is None and right is None and bottom is None:
        return None
    if left is None or top is None or right is None or bottom is None:
        absent = next(column for column, value in values.items() if value is None)
        raise row.refuse(absent, "pixels, since the row has others of the box")
    if right < left + 1:
        raise row.refuse("right", f"at least one pixel more than left, {left:g}")
    if bottom < top + 1:
        raise row.refuse("bottom", f"at least one pixel more than top, {top:g}")
    return left, top, right, bottom


def _shares(row: _Row, box: Box, extent: _Extent) -> Box:
    left, top, right, bottom = box
    for column, side, limit in (("right", right, extent.width), ("bottom", bottom, extent.height)):
        if side > limit:
            raise row.refuse(
                column,
                f"at most {limit}, since the frame is {extent.height} high and {extent.width} wide",
            )
    return left / extent.width, top / extent.height, right / extent.width, bottom / extent.height
