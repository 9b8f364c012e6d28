"""Lists of clips that users write: which part of which video, and which box of its frame."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from fomm_jax.errors import InputError
from fomm_jax.video_io import probe_video
from input_pipeline.datasets.clips import Box, Clip

COLUMNS = ("video", "start", "end", "left", "top", "right", "bottom")
SIDES = COLUMNS[3:]


def read_clip_list(path: Path, folder: Path) -> tuple[list[Clip], list[str]]:
    """Read a CSV file with the columns `COLUMNS`, and perhaps `name`.

    `video` is a file below the folder; `start` and `end` are seconds, empty for the beginning and
    the end; the box is in pixels of the video's frame, empty for all of it. A clip without a name
    is called `VIDEO#NUMBER.mp4`, NUMBER being that of its row from 0.

    Returns:
      The clips, and the videos that are not there, each once.

    Raises:
      InputError: the file cannot be read, or a row is wrong; the message names line and column.
    """
    clips: dict[str, Clip] = {}
    missing: dict[str, None] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    for number, (where, row) in enumerate(_rows(path)):
        video = folder / row["video"]
        if not row["video"] or not video.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"{where}, column video: is {row['video']!r}; expected a file below it"
            )
        if not video.is_file():
            missing[row["video"]] = None
            continue
        if video not in sizes:
            info = probe_video(video)
            sizes[video] = info.height, info.width
        start = _number(where, "start", row["start"]) if row["start"] else 0.0
        end = _number(where, "end", row["end"]) if row["end"] else None
        if end is not None and end <= start:
            raise InputError(f"{where}, column end: is {end:g}; expected more than {start:g}")
        name = row.get("name") or f"{video.stem}#{number:04}.mp4"
        if name in clips:
            raise InputError(f"{where}, column name: {name!r} is there before; expected another")
        clips[name] = Clip(name, video, start, end, _box(where, row, *sizes[video]))
    if not clips:
        raise InputError(f"{path}: names no clip of a video that is below {folder}")
    return list(clips.values()), list(missing)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the rows, each with where it stands."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise InputError(
                    f"{path}, line 1: has no column {absent[0]}; expected {', '.join(COLUMNS)}"
                )
            for row in reader:
                yield (
                    f"{path}, line {reader.line_num}",
                    {name: (row[name] or "").strip() for name in (*COLUMNS, "name") if name in row},
                )
    except OSError as error:
        raise InputError(f"--crop: {path} cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is no CSV file in UTF-8 ({error})") from error


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"{where}, column {column}: is {text!r}; expected a number from 0 on")
    return value


def _box(where: str, row: Mapping[str, str], height: int, width: int) -> Box | None:
    """Return the box in shares of the frame."""
    if not any(row[side] for side in SIDES):
        return None
    left, top, right, bottom = (_number(where, side, row[side]) for side in SIDES)
    for low, high, side, limit in ((left, right, "right", width), (top, bottom, "bottom", height)):
        if not low < high <= limit:
            raise InputError(
                f"{where}, column {side}: is {high:g}; expected more than {low:g} and at most"
                f" {limit}, the frame's {'width' if side == 'right' else 'height'}"
            )
    return left / width, top / height, right / width, bottom / height
