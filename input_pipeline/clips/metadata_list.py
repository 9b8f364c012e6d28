"""The lists of VoxCeleb, Tai-Chi-HD and Nemo: a CSV file with a row for each clip of a video.

The columns are `video_id`, `start`, `end`, `bbox`, `fps`, `width`, `height`, `partition` and
perhaps `person_id`. `start` and `end` (exclusive) are frame numbers at `fps` frames a second, and
`bbox` is left-top-right-bottom in pixels of a frame of `width` by `height`. The lists, and the
rules by which this module reads them, come from
https://github.com/AliaksandrSiarohin/video-preprocessing.
"""

import dataclasses
import re
from pathlib import Path

from fomm_jax.errors import InputError
from fomm_jax.files import strip_suffix
from fomm_jax.media.framing import Box
from fomm_jax.media.reading.video_reader import VIDEO_SUFFIXES
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.lists import Row, read_rows

_FRAME = (r"\d{1,9}", "the number of a frame")
_LENGTH = (r"[1-9]\d{0,8}", "pixels")
_FORMS = {  # by column: what the whole cell has to match, and its meaning for messages
    "video_id": (r"[^/#\0][^/\0]*", "the name of a video file without its suffix"),
    "start": _FRAME,
    "end": _FRAME,
    "bbox": (r"\d{1,9}(-\d{1,9}){3}", "left-top-right-bottom in pixels"),
    "fps": (r"(?=.*[1-9])\d{1,9}(\.\d+)?", "frames a second"),
    "width": _LENGTH,
    "height": _LENGTH,
    "partition": (r"train|test", "train or test"),
}
_PERSON = (r"[^/#\0]+", "the name of a person")


@dataclasses.dataclass(frozen=True)
class _ListedClip:
    video_id: str
    file_stem: str  # of the video
    partition: str  # "train" or "test"
    name: str
    start: float  # seconds
    end: float  # seconds, exclusive
    box: Box  # in fractions of the frame's width and height


def select_listed(path: Path) -> Selection:
    """Select the clips of a list whose videos lie beside it as VIDEO_ID.mp4, VIDEO_ID.webm etc.

    A clip is called `PERSON_ID#VIDEO_ID#START#END.mp4`, or `VIDEO_ID#START#END.mp4` if the list
    names no persons. The clips are sorted by name. A clip that is listed twice is taken once. A
    video that is listed for both training and testing belongs to the part of its first row:
    VoxCeleb's list has 299 clips that are listed twice and 2 videos that are listed for both parts.

    Args:
      path: the list.

    Returns:
      The clips, and as `missing` the ids of the videos that are not there.

    Raises:
      InputError: the list is damaged, or none of its videos is there.
    """
    # The first file by name counts among files that differ in their suffix only.
    files = sorted(path.parent.iterdir(), reverse=True)
    videos = {file.stem: file for file in files if file.suffix.lower() in VIDEO_SUFFIXES}
    partitions: dict[str, str] = {}  # by video id
    clips: dict[str, dict[str, Clip]] = {"train": {}, "test": {}}  # by partition and name
    missing: dict[str, None] = {}  # a set that keeps the order of the list
    for row in read_rows(path, tuple(_FORMS)):
        listed = _parse(row)
        partition = partitions.setdefault(listed.video_id, listed.partition)
        if listed.file_stem not in videos:
            missing[listed.file_stem] = None
            continue
        video = videos[listed.file_stem]
        clip = Clip(listed.name, video, listed.start, listed.end, listed.box, printed_rate=True)
        if clips[partition].setdefault(clip.name, clip) != clip:
            raise InputError(
                f"{path}, line {row.line}: lists {clip.name} again with other values;"
                " expected it once"
            )
    if not any(clips.values()):
        example = next(iter(missing), "VIDEO_ID")
        raise InputError(
            f"{path}: none of the {len(missing)} videos that it lists is beside it;"
            f" expected files such as {example}.mp4"
        )
    train, test = ([clips[split][name] for name in sorted(clips[split])] for split in clips)
    return Selection(train, test, [*missing])


def _parse(row: Row) -> _ListedClip:
    forms = _FORMS | ({"person_id": _PERSON} if "person_id" in row.cells else {})
    for column, (form, meaning) in forms.items():
        if not re.fullmatch(form, row.cells[column]):
            raise row.error(column, meaning)
    cells = row.cells
    start, end, width, height = (int(cells[name]) for name in ("start", "end", "width", "height"))
    left, top, right, bottom = map(int, cells["bbox"].split("-"))
    if start >= end:
        raise row.error("end", f"more than the start, {start}")
    if left >= right or top >= bottom:
        raise row.error("bbox", "left-top-right-bottom of a box that holds pixels")
    # The authors' script `crop_nemo.py` writes ids that end in the suffix of the video.
    id_parts = [strip_suffix(part, VIDEO_SUFFIXES) for part in cells["video_id"].split("#")]
    name_parts = [cells["person_id"]] if "person_id" in cells else []
    name_parts += [*reversed(id_parts), f"{start:06}", f"{end:06}"]
    fps = float(cells["fps"])
    return _ListedClip(
        video_id=cells["video_id"],
        file_stem=id_parts[0],
        partition=cells["partition"],
        name="#".join(name_parts) + ".mp4",
        start=start / fps,
        end=end / fps,
        box=(left / width, top / height, right / width, bottom / height),
    )
