"""Lists of clips that users write, and the clips that they stand for."""

import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.clips.clip import Clip
from input_pipeline.clips.clip_list import read_clip_list
from input_pipeline.datasets.video_folder import VideoFolder

HEADER = "video,start,end,left,top,right,bottom,name\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        with VideoWriter(folder / name, FilmFormat(40, 80, fps=25)) as writer:
            for level in range(10):
                writer.write(np.full((40, 80, 3), 20 * level, np.uint8))
    return folder


def write(tmp_path, rows):
    path = tmp_path / "clips.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_rows_become_clips(tmp_path, folder):
    rows = (
        "a.mp4,0.1,0.3,20,10,60,30,first\nb.mp4,,,,,,,\n\ngone.mp4,,,,,,,\n"
        "a.mp4,0.2,,,,,,\ngone.mp4,,,,,,,\na.mp4,,,,,,,id.1#2\n"
    )
    clips, missing = read_clip_list(write(tmp_path, rows), folder)
    assert clips == [
        Clip("first.mp4", folder / "a.mp4", 0.1, 0.3, (0.25, 0.25, 0.75, 0.75)),
        Clip("b#0000.mp4", folder / "b.mp4"),
        Clip("a#0001.mp4", folder / "a.mp4", 0.2),
        Clip("id.1#2.mp4", folder / "a.mp4"),
    ]
    assert missing == ["gone.mp4"]


def test_videos_of_every_form_and_in_subfolders_may_be_listed(tmp_path, folder):
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    for number, frame in enumerate(frames):
        write_picture(tmp_path / "p" / "take.1" / f"{number}.png", frame)
    write_picture(tmp_path / "q" / "take.png", np.concatenate(frames, axis=1))
    (tmp_path / "q" / "linked.mp4").symlink_to(folder / "a.mp4")
    rows = "p/take.1,,,0,0,8,8,\nq/take.png,,,0,0,8,8,\nq/linked.mp4,,,,,,,\n"
    clips, _ = read_clip_list(write(tmp_path, rows), tmp_path)
    quarter = (0.0, 0.0, 0.5, 0.5)
    assert clips == [
        Clip("p_take.1#0000.mp4", tmp_path / "p" / "take.1", box=quarter),
        Clip("q_take#0000.mp4", tmp_path / "q" / "take.png", box=quarter),
        Clip("q_linked#0000.mp4", tmp_path / "q" / "linked.mp4"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.mp4,x,,,,,,", ", column start: is 'x'; expected seconds"),
        ("a.mp4,nan,,,,,,", ", column start: is 'nan'; expected seconds"),
        ("a.mp4,2,1,,,,,", ", column end: is '1'; expected more than the start, 2"),
        ("a.mp4,0.4,,,,,,", ", column start: is '0.4'; expected less than the 0.40 seconds"),
        ("a.mp4,,,0,0,81,40,", ", column right: is '81'; expected at most 80"),
        ("a.mp4,,,0,0,80,41,", ", column bottom: is '41'; expected at most 40"),
        ("a.mp4,,,-1,0,80,40,", ", column left: is '-1'; expected pixels"),
        ("a.mp4,,,0,20,80,10,", ", column bottom: is '10'; expected at least one pixel more"),
        ("a.mp4,,,3.2,0,3.9,40,", ", column right: is '3.9'; expected at least one pixel more"),
        ("a.mp4,,,0,,80,10,", ", column top: is ''; expected pixels"),
        (
            "b.mp4,,,,,,,first",
            ", column name: the clip would be called first, like the clip of line 2",
        ),
        ("b.mp4,,,,,,,x/y", ", column name: is 'x/y'; expected the name of a file"),
        ("../a.mp4,,,,,,,", ", column video: is '../a.mp4'; expected the path of a video below"),
        (",,,,,,,", ", column video: is ''; expected the path of a video below"),
        ("broken.mp4,,,,,,,", ", column video: {folder}/broken.mp4: cannot be read as a video"),
        ("a.mp4,0.1", ": has 2 cells; expected 8"),
        ("a.mp4,,,,,,,second,more", ": has 9 cells; expected 8"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, folder, row, message):
    (folder / "broken.mp4").write_bytes(b"no video")
    path = write(tmp_path, f"a.mp4,,,,,,,first\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_clip_list(path, folder)
    assert str(caught.value).startswith(f"{path}, line 3{message.format(folder=folder)}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"video,start\na.mp4,0\n", "line 1: has no column end; expected a CSV file with"),
        (b"video;start;end\n", "line 1: has no column video"),
        (HEADER.replace("name", "end").encode(), "line 1: has two columns end"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (HEADER.encode() + b'"a.mp4\n', "line 2: is damaged"),
        (HEADER.encode(), "lists no clip"),
        (HEADER.encode() + b"gone.mp4,,,,,,,\n", "none of the 1 videos that it lists is there"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, folder, content, message):
    path = tmp_path / "clips.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_clip_list(path, folder)
    assert str(caught.value).startswith(str(path))


def test_a_list_that_is_not_there_is_named(tmp_path, folder):
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        read_clip_list(tmp_path / "nowhere.csv", folder)


def test_clips_of_one_video_stay_in_one_split(tmp_path, folder):
    rows = "".join(f"{name}.mp4,{i / 10},,,,,,\n" for i in range(3) for name in "abc")
    selection = VideoFolder.select_clips(folder, crop=str(write(tmp_path, rows)))
    assert (len(selection.train), len(selection.test)) == (6, 3)
    assert not {clip.path for clip in selection.train} & {clip.path for clip in selection.test}
