"""The lists that VoxCeleb, Tai-Chi-HD and Nemo are cut by: a row for each clip of a longer video.

The columns are `video_id`, `start`, `end`, `bbox`, `fps`, `width`, `height`, `partition` and
perhaps `person_id`. `start` and `end` (exclusive) are frame numbers at `fps` frames a second, and
`bbox` is left-top-right-bottom in pixels of a frame of `width` by `height`. The lists and the rules
for their reading are those of https://github.com/AliaksandrSiarohin/video-preprocessing.
"""

import csv
import dataclasses
import re
from pathlib import Path

from fomm_jax.errors import InputError
from fomm_jax.files import reading, strip_suffix
from fomm_jax.media.framing import Box
from fomm_jax.media.video_reader import VIDEO_SUFFIXES
from input_pipeline.datasets.clips import Clip, Selection

_FRAME = (r"\d{1,9}", "the number of a frame")
_SIDE = (r"[1-9]\d{0,8}", "pixels")
_FORMS = {  # what a cell matches as a whole, and what that is called
    "video_id": (r"[^/#\0][^/\0]*", "the name of a video file without its suffix"),
    "start": _FRAME,
    "end": _FRAME,
    "bbox": (r"\d{1,9}(-\d{1,9}){3}", "left-top-right-bottom in pixels"),
    "fps": (r"(?=.*[1-9])\d{1,9}(\.\d+)?", "frames a second"),
    "width": _SIDE,
    "height": _SIDE,
    "partition": (r"train|test", "train or test"),
}
_PERSON = (r"[^/#\0]+", "the name of a person")


@dataclasses.dataclass(frozen=True)
class _Row:
    where: str  # file and line, for messages
    video_id: str
    file_stem: str
    partition: str
    name: str  # of the clip
    start: float  # seconds
    end: float
    box: Box  # in shares of the frame


def select_listed(path: Path) -> Selection:
    """Find the clips of a list, whose videos lie beside it as VIDEO_ID.mp4, VIDEO_ID.webm and such.

    A clip is called `PERSON_ID#VIDEO_ID#START#END.mp4`, or without the person where the list names
    none. Clips come sorted by name. What is listed twice is taken once, and a video that is listed
    for both training and testing belongs where it is listed first: VoxCeleb's list has 299 and 2 of
    these.

    Args:
      path: of the list.

    Returns:
      The clips, and as `missing` the ids of the videos that are not there.

    Raises:
      InputError: the list is damaged, or none of its videos is there.
    """
    # Of files of one stem the first by name counts.
    files = sorted(path.parent.iterdir(), reverse=True)
    videos = {file.stem: file for file in files if file.suffix.lower() in VIDEO_SUFFIXES}
    partitions: dict[str, str] = {}
    clips: dict[str, dict[str, Clip]] = {"train": {}, "test": {}}
    missing: dict[str, None] = {}  # in the order of the list
    for row in _read_rows(path):
        partition = partitions.setdefault(row.video_id, row.partition)
        if row.file_stem not in videos:
            missing[row.file_stem] = None
            continue
        file = videos[row.file_stem]
        clip = Clip(row.name, file, row.start, row.end, row.box, printed_rate=True)
        if clips[partition].setdefault(clip.name, clip) != clip:
            raise InputError(
                f"{row.where}: lists {clip.name} again, and not as before; expected it once"
            )
    if not any(clips.values()):
        example = next(iter(missing), "VIDEO_ID")
        raise InputError(
            f"{path}: none of the {len(missing)} videos that it lists is beside it;"
            f" expected files such as {example}.mp4"
        )
    train, test = ([clips[split][name] for name in sorted(clips[split])] for split in clips)
    return Selection(train, test, [*missing])


def _read_rows(path: Path) -> list[_Row]:
    rows = []
    try:
        with (
            reading(path, _expected_columns()),
            path.open(encoding="utf-8-sig", newline="") as file,
        ):
            reader = csv.DictReader(file, strict=True)
            if absent := [name for name in _FORMS if name not in (reader.fieldnames or ())]:
                expected = _expected_columns()
                raise InputError(f"{path}, line 1: has no column {absent[0]}; {expected}")
            for cells in reader:
                rows.append(_parse(f"{path}, line {reader.line_num}", cells))
    except csv.Error as error:
        raise InputError(
            f"{path}: is damaged after {len(rows)} clips ({error}); {_expected_columns()}"
        ) from error
    return rows


def _expected_columns() -> str:
    return f"expected a CSV file with the columns {', '.join(_FORMS)}"


def _parse(where: str, cells: dict[str, str | None]) -> _Row:
    forms = _FORMS | ({"person_id": _PERSON} if "person_id" in cells else {})
    values = {}
    for column, (form, meaning) in forms.items():
        values[column] = cells[column] or ""  # cells that a short row lacks are None
        if not re.fullmatch(form, values[column]):
            raise _refuse(where, column, values, meaning)
    start, end, width, height = (int(values[name]) for name in ("start", "end", "width", "height"))
    left, top, right, bottom = map(int, values["bbox"].split("-"))
    if start >= end:
        raise _refuse(where, "end", values, f"more than the start, {start}")
    if left >= right or top >= bottom:
        raise _refuse(where, "bbox", values, "left-top-right-bottom of a box that holds pixels")
    # A list that the authors' `crop_nemo.py` has written has the suffix in the ids.
    id_parts = [strip_suffix(part, VIDEO_SUFFIXES) for part in values["video_id"].split("#")]
    name_parts = [values["person_id"]] if "person_id" in values else []
    name_parts += [*reversed(id_parts), f"{start:06}", f"{end:06}"]
    fps = float(values["fps"])
    return _Row(
        where=where,
        video_id=values["video_id"],
        file_stem=id_parts[0],
        partition=values["partition"],
        name="#".join(name_parts) + ".mp4",
        start=start / fps,
        end=end / fps,
        box=(left / width, top / height, right / width, bottom / height),
    )


def _refuse(where: str, column: str, values: dict[str, str], expected: str) -> InputError:
    return InputError(f"{where}, column {column}: is {values[column][:60]!r}; expected {expected}")
