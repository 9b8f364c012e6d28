"""The lists of VoxCeleb, Tai-Chi-HD and Nemo: which frames of which files they stand for."""

import math
import re

import numpy as np
import pytest
from raw_videos import HEADER, ROW, cut_like_authors, write_list

from fomm_jax.errors import InputError
from input_pipeline.clips import clip
from input_pipeline.datasets.nemo import Nemo
from input_pipeline.datasets.taichi import Taichi
from input_pipeline.datasets.voxceleb import Voxceleb
from input_pipeline.videos import SeekableVideo

NTSC = 30000 / 1001  # FFmpeg prints it as 29.97


class NumberedVideo(SeekableVideo):
    """A video whose pixels give their place and the number of the frame."""

    def _read(self, numbers):
        places = np.indices((self.height, self.width)).transpose(1, 2, 0)
        return [
            np.concatenate([places, np.full_like(places[..., :1], n % 251)], -1).astype(np.uint8)
            for n in numbers
        ]

    def _read_from(self, first):
        return iter(self._read(range(first, len(self))))


def test_frames_and_boxes_are_those_of_the_authors(tmp_path, monkeypatch):
    """Check many rates and sizes; the rates of the lists are those of the published lists."""
    rng = np.random.default_rng(0)
    list_rates = (
        15.0,
        15.79,
        22.0,
        23.97,
        23.98,
        24.0,
        25.0,
        29.0,
        29.67,
        29.97,
        30.0,
        50.0,
        59.94,
    )
    file_rates = (15.0, 24000 / 1001, 24.0, 25.0, NTSC, 30.0, 50.0, 2 * NTSC)
    cases, rows, videos = {}, [], {}
    for number in range(300):
        fps, ref_fps = rng.choice(file_rates), rng.choice(list_rates)
        start = int(rng.integers(0, 150))
        end = start + int(rng.integers(3, 20))
        left, right = sorted(rng.choice(129, 2, replace=False))
        top, bottom = sorted(rng.choice(73, 2, replace=False))
        left, top = min(left, right - 4), min(top, bottom - 4)  # one pixel is left at half the size
        box = (max(int(left), 0), max(int(top), 0), max(int(right), 4), max(int(bottom), 4))
        size = ((36, 64), (54, 96), (72, 128), (108, 192))[number % 4]
        path = tmp_path / f"v{number}.mp4"
        path.touch()
        videos[path] = NumberedVideo(path, size, math.ceil(end * fps / ref_fps) + 5, fps)
        rows.append(f"v{number},{start},{end},{'-'.join(map(str, box))},{ref_fps},128,72,train")
        cases[path] = (float(f"{fps:.2f}"), start, end, box, (float(ref_fps), 128, 72))
    write_list(tmp_path / "taichi-metadata.csv", *rows)
    monkeypatch.setattr(clip, "open_video", lambda path, frame_shape: videos[path])
    selected = Taichi.select_clips(tmp_path).train
    assert len(selected) == len(cases)
    for listed in selected:
        expected = cut_like_authors(iter(videos[listed.path]), *cases[listed.path])
        frames = clip.read_clip(listed, *expected.shape[1:3], "stretch").frames
        np.testing.assert_array_equal(np.stack(list(frames)), expected, str(cases[listed.path]))


def test_ids_become_files_and_names_like_the_authors_do(tmp_path):
    """The part after a '#' in an id comes first in the name; Nemo's ids end in the suffix."""
    for name in ("a.mp4", "a.webm", "001_smile_2.mp4"):
        (tmp_path / name).touch()
    rows = ("a#p1,10,20,0-0-8-8,25,96,64,train", "a#p2,10,20,0-0-8-8,25,96,64,test")
    write_list(tmp_path / "taichi-metadata.csv", *rows)
    selection = Taichi.select_clips(tmp_path)
    assert [clip.name for clip in selection.train] == ["p1#a#000010#000020.mp4"]
    assert [clip.name for clip in selection.test] == ["p2#a#000010#000020.mp4"]
    assert selection.train[0].path == tmp_path / "a.mp4"
    write_list(tmp_path / "nemo-metadata.csv", "001_smile_2.mp4,0,150,60-0-90-64,50,96,64,train")
    (clip,) = Nemo.select_clips(tmp_path).train
    assert (clip.name, clip.path.name) == ("001_smile_2#000000#000150.mp4", "001_smile_2.mp4")
    assert (clip.start, clip.end, clip.box) == (0.0, 3.0, (60 / 96, 0.0, 90 / 96, 1.0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}\n{ROW}\nb,1", "line 3, column end: is ''; expected the number of a frame"),
        (f"{HEADER}\n{ROW.replace('10', '-1')}", "line 2, column start: is '-1'; expected"),
        (f"{HEADER}\n{ROW.replace('20', '10')}", "line 2, column end: is '10'; expected more than"),
        (f"{HEADER}\n{ROW.replace('0-0-16-16', '0-0-16')}", "column bbox: is '0-0-16'; expected"),
        (f"{HEADER}\n{ROW.replace('0-0-16-16', '9-0-9-16')}", "column bbox: is '9-0-9-16'; expec"),
        (f"{HEADER}\n{ROW.replace('25', '0.0')}", "column fps: is '0.0'; expected frames a second"),
        (f"{HEADER}\n{ROW.replace('25', 'nan')}", "column fps: is 'nan'; expected frames a second"),
        (f"{HEADER}\n{ROW.replace('96', '0')}", "column width: is '0'; expected pixels"),
        (f"{HEADER}\n{ROW.replace('64', '9' * 400)}", "column height: is '9999"),
        (
            f"{HEADER}\n{ROW.replace('train', 'dev')}",
            "column partition: is 'dev'; expected train or",
        ),
        (f"{HEADER}\n../{ROW}", "line 2, column video_id: is '../a'; expected the name of a video"),
        (f"{HEADER},person_id\n{ROW},x/y", "column person_id: is 'x/y'; expected the name"),
        (
            f"{HEADER}\n{ROW}\n{ROW.replace('0-0', '1-1')}",
            "line 3: lists a#000010#000020.mp4 again",
        ),
        (f'{HEADER}\n"{ROW}', "line 2: is damaged (unexpected end of data); expected"),
        (f'"{HEADER}', "line 1: is damaged (unexpected end of data); expected a CSV file"),
        (HEADER.replace("bbox", "box"), "line 1: has no column bbox; expected a CSV file with"),
        ("", "line 1: has no column video_id"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (None, "there is no such file, expected a CSV file"),
        (f"{HEADER}\nb{ROW}", "none of the 1 videos that it lists is beside it; expected files"),
    ],
)
def test_a_damaged_list_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "vox-metadata.csv"
    (tmp_path / "a.mp4").touch()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Voxceleb.select_clips(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 200
