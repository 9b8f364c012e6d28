"""Lists of clips that users write."""

import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.video_writer import VideoWriter
from input_pipeline.clip_list import read_clip_list
from input_pipeline.datasets.clips import Clip
from input_pipeline.datasets.video_folder import VideoFolder

HEADER = "video,start,end,left,top,right,bottom,name\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        with VideoWriter(folder / name, 25, 40, 80) as writer:
            for level in range(10):
                writer.write(np.full((40, 80, 3), 20 * level, np.uint8))
    return folder


def write(tmp_path, rows):
    path = tmp_path / "clips.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_rows_become_clips(tmp_path, folder):
    rows = "a.mp4,0.1,0.3,20,10,60,30,first\nb.mp4,,,,,,,\ngone.mp4,,,,,,,\na.mp4,0.2,,,,,,\n"
    clips, missing = read_clip_list(write(tmp_path, rows), folder)
    assert clips == [
        Clip("first", folder / "a.mp4", 0.1, 0.3, (0.25, 0.25, 0.75, 0.75)),
        Clip("b#0001.mp4", folder / "b.mp4"),
        Clip("a#0003.mp4", folder / "a.mp4", 0.2),
    ]
    assert missing == ["gone.mp4"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.mp4,x,,,,,,", "line 3, column start: is 'x'; expected a number from 0 on"),
        ("a.mp4,nan,,,,,,", "line 3, column start: is 'nan'"),
        ("a.mp4,2,1,,,,,", "line 3, column end: is 1; expected more than 2"),
        ("a.mp4,,,0,0,81,40,", "line 3, column right: is 81; expected more than 0 and at most 80"),
        ("a.mp4,,,0,20,80,10,", "line 3, column bottom: is 10; expected more than 20"),
        ("a.mp4,,,0,,80,10,", "line 3, column top: is ''; expected a number"),
        ("b.mp4,,,,,,,first", "line 3, column name: 'first' is there before"),
        ("../a.mp4,,,,,,,", "line 3, column video: is '../a.mp4'"),
        (",,,,,,,", "line 3, column video: is ''"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, folder, row, message):
    path = write(tmp_path, f"a.mp4,,,,,,,first\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_clip_list(path, folder)
    assert str(caught.value).startswith(f"{path}, {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"video,start\na.mp4,0\n", "line 1: has no column end; expected video, start, end, left"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8"),
        (HEADER.encode(), "names no clip of a video that is below"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, folder, content, message):
    path = tmp_path / "clips.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_clip_list(path, folder)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read"):
        read_clip_list(tmp_path / "nowhere.csv", folder)


def test_clips_of_one_video_stay_in_one_split(tmp_path, folder):
    rows = "".join(f"{name}.mp4,{i / 10},,,,,,\n" for i in range(3) for name in "abc")
    selection = VideoFolder.select_clips(folder, crop=str(write(tmp_path, rows)))
    assert (len(selection.train), len(selection.test)) == (6, 3)
    assert not {clip.path for clip in selection.train} & {clip.path for clip in selection.test}
