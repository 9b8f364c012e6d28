"""The paper's data sets: which frames of which files they are made of."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.media.video_reader import iterate_frames
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from input_pipeline.datasets import clips
from input_pipeline.datasets.clips import read_clip
from input_pipeline.datasets.paper import Fashion, Nemo, Taichi, Voxceleb
from input_pipeline.manifest import Encoding, read_manifest
from input_pipeline.prepare import DATASETS, prepare
from input_pipeline.prepared import list_prepared
from input_pipeline.videos import Video, open_video

NTSC = 30000 / 1001  # which FFmpeg prints as 29.97
RNG = np.random.default_rng(0)
HEADER = "video_id,start,end,bbox,fps,width,height,partition"
ROW = "a,10,20,0-0-16-16,25,96,64,train"


def write_list(path, *rows, header=HEADER):
    path.write_text("\n".join([header, *rows, ""]))


def write_video(path, num_frames, fps, height=64, width=96):
    """Coarse noise, so that no frame and no place is like another."""
    with VideoWriter(path, FilmFormat(height, width, fps=fps)) as writer:
        for _ in range(num_frames):
            coarse = RNG.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            writer.write(coarse.repeat(8, axis=0).repeat(8, axis=1))
    return path


def pixels(location):
    return np.stack(list(open_video(location, None)))


def authors_clip(frames, fps, start, end, box, ref):
    """What `load_videos.py` of the authors takes out of a video, before it is resized.

    Args:
      frames: all of the video.
      fps: of the video, as FFmpeg prints it.
      start, end, box: of the list.
      ref: fps, width and height of the list.
    """
    ref_fps, ref_width, ref_height = ref
    taken = []
    for i, frame in enumerate(frames):
        if start * fps <= i * ref_fps < end * fps:
            height, width = frame.shape[:2]
            left, right = (int(x / (ref_width / width)) for x in (box[0], box[2]))
            top, bottom = (int(y / (ref_height / height)) for y in (box[1], box[3]))
            taken.append(frame[top:bottom, left:right])
    return np.stack(taken)


class NumberedVideo(Video):
    """Frames that tell their number and each pixel its place."""

    def _read(self, numbers):
        places = np.indices((self.height, self.width)).transpose(1, 2, 0)
        return [
            np.concatenate([places, np.full_like(places[..., :1], n % 251)], -1).astype(np.uint8)
            for n in numbers
        ]

    def _read_all(self, first):
        return iter(self._read(range(first, len(self))))


def test_frames_and_boxes_are_those_of_the_authors(tmp_path, monkeypatch):
    """Over rates and sizes of list and file; the rates are those of the published lists."""
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
        fps, ref_fps = RNG.choice(file_rates), RNG.choice(list_rates)
        start = int(RNG.integers(0, 150))
        end = start + int(RNG.integers(3, 20))
        left, right = sorted(RNG.choice(129, 2, replace=False))
        top, bottom = sorted(RNG.choice(73, 2, replace=False))
        left, top = min(left, right - 4), min(top, bottom - 4)  # at half the size still a pixel
        box = (max(int(left), 0), max(int(top), 0), max(int(right), 4), max(int(bottom), 4))
        size = ((36, 64), (54, 96), (72, 128), (108, 192))[number % 4]
        path = tmp_path / f"v{number}.mp4"
        path.touch()
        videos[path] = NumberedVideo(path, size, math.ceil(end * fps / ref_fps) + 5, fps)
        rows.append(f"v{number},{start},{end},{'-'.join(map(str, box))},{ref_fps},128,72,train")
        cases[path] = (float(f"{fps:.2f}"), start, end, box, (float(ref_fps), 128, 72))
    write_list(tmp_path / "taichi-metadata.csv", *rows)
    monkeypatch.setattr(clips, "open_video", lambda path, frame_shape: videos[path])
    selected = Taichi.select_clips(tmp_path).train
    assert len(selected) == len(cases)
    for clip in selected:
        expected = authors_clip(iter(videos[clip.path]), *cases[clip.path])
        found = read_clip(clip, *expected.shape[1:3], "stretch")
        np.testing.assert_array_equal(np.stack(list(found.frames)), expected, str(cases[clip.path]))


@pytest.fixture(scope="module")
def voxceleb(tmp_path_factory):
    """Raw files, and what is made of them."""
    raw = tmp_path_factory.mktemp("vox")
    write_video(raw / "long.mp4", 70, NTSC)
    write_video(raw / "-other_.mp4", 40, 30.0).rename(raw / "-other_.webm")
    write_video(raw / "unlisted.mp4", 3, 25.0)
    (raw / "damaged.mp4").write_bytes(b"no video")
    write_list(
        raw / "vox-metadata.csv",
        "long,40,52,14-10-46-42,29.97,192,128,train,id2",  # listed at twice the size of the file
        "gone,0,9,0-0-16-16,25,96,64,train,id3",
        "long,20,30,50-0-82-32,29.97,192,128,train,id2",
        "-other_,5,20,7-5-19-17,25,72,48,test,id1",  # at 3/4 of its size
        "gone,20,40,0-0-16-16,25,96,64,train,id3",
        "long,90,99,0-0-32-32,29.97,192,128,train,id2",  # beyond the end
        "long,20,30,50-0-82-32,29.97,192,128,test,id2",  # once more, and in the other part
        "damaged,0,9,0-0-16-16,25,96,64,train,id1",
        "-other_,20,30,60-40-80-60,25,72,48,test,id1",  # reaches beyond the border of the frame
        "also_gone,0,9,0-0-16-16,25,96,64,test,id1",
        header=HEADER + ",person_id",
    )
    encoding = Encoding(16, 16, fit="stretch")
    return raw, prepare("voxceleb", raw, raw.parent / "prepared", encoding, num_workers=1)


def test_clips_of_a_list_are_cut_as_the_authors_do(voxceleb):
    raw, folder = voxceleb
    long, other = (list(iterate_frames(raw / name)) for name in ("long.mp4", "-other_.webm"))
    train, test = list_prepared(str(folder))
    assert [(video.name, video.num_frames) for video in train] == [
        ("id2#long#000020#000030.mp4", 10),
        ("id2#long#000040#000052.mp4", 12),
    ]
    assert [(video.name, video.num_frames) for video in test] == [
        ("id1#-other_#000005#000020.mp4", 18),  # 6 to 23 at 30 frames a second
        ("id1#-other_#000020#000030.mp4", 12),
    ]
    ref = (29.97, 192, 128)
    np.testing.assert_array_equal(
        pixels(train[0]), authors_clip(long, 29.97, 20, 30, (50, 0, 82, 32), ref)
    )
    np.testing.assert_array_equal(
        pixels(train[1]), authors_clip(long, 29.97, 40, 52, (14, 10, 46, 42), ref)
    )
    np.testing.assert_array_equal(
        pixels(test[0]), authors_clip(other, 30.0, 5, 20, (7, 5, 19, 17), (25, 72, 48))
    )
    # What there is of the box, 16 wide and 11 high, is stretched.
    part = authors_clip(other, 30.0, 20, 30, (60, 40, 80, 60), (25, 72, 48))
    assert part.shape[1:3] == (11, 16)
    mean_rows = pixels(test[1]).mean(axis=(1, 2))
    np.testing.assert_allclose(mean_rows, part.mean(axis=(1, 2)), atol=4)


def test_missing_and_unusable_videos_are_reported(voxceleb):
    raw, folder = voxceleb
    manifest = read_manifest(folder)
    assert manifest.missing == ["gone", "also_gone"]
    beyond, damaged = sorted(manifest.refused, key=lambda clip: clip.name, reverse=True)
    assert (beyond.name, damaged.name) == (
        "id2#long#000090#000099.mp4",
        "id1#damaged#000000#000009.mp4",
    )
    assert beyond.reason.startswith(f"{raw / 'long.mp4'}: has 2.34 seconds; expected")
    assert damaged.reason.startswith(f"{raw / 'damaged.mp4'}: cannot be read as a video")


def test_ids_become_files_and_names_as_with_the_authors(tmp_path):
    """What follows a '#' in an id comes first in the name; Nemo's ids end in the suffix."""
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
        (f'{HEADER}\n"{ROW}', "is damaged after 0 clips (unexpected end of data); exp"),
        (f'"{HEADER}', "is damaged after 0 clips (unexpected end of data); expected a CSV file"),
        (HEADER.replace("bbox", "box"), "line 1: has no column bbox; expected a CSV file with"),
        ("", "line 1: has no column video_id"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (None, "cannot be read (No such file or directory)"),
        (f"{HEADER}\nb{ROW}", "none of the 1 videos that it lists is beside it; expected files"),
    ],
)
def test_damaged_list_ends_in_one_line(tmp_path, content, message):
    path = tmp_path / "vox-metadata.csv"
    (tmp_path / "a.mp4").touch()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Voxceleb.select_clips(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 200


def test_fashion_takes_what_its_lists_name(tmp_path):
    for name in ("A1.mp4", "B2.mp4", "unlisted.mp4"):
        (tmp_path / name).touch()
    train, test = tmp_path / "fashion_train.txt", tmp_path / "fashion_test.txt"
    train.write_text("https://example.org/x/A1.mp4\r\nhttps://example.org/x/C3.mp4\r\n")
    test.write_text("https://example.org/x/B2.mp4")
    selection = Fashion.select_clips(tmp_path)
    assert [(clip.name, clip.path, clip.start, clip.end) for clip in selection.train] == [
        ("A1.mp4", tmp_path / "A1.mp4", 0.0, None)
    ]
    assert [clip.name for clip in selection.test] == ["B2.mp4"]
    assert selection.missing == ["C3.mp4"]
    for content, message in (
        (b"https://example.org/x/", "https://example.org/x/ ends in no file name"),
        (b" \n", "is empty; expected an address a line"),
        (b"\xff", "cannot be read (it is not text in UTF-8)"),
    ):
        test.write_bytes(content)
        with pytest.raises(InputError, match=f"^{re.escape(f'{test}: {message}')}"):
            Fashion.select_clips(tmp_path)
    test.unlink()
    with pytest.raises(InputError, match=r"fashion_test.txt: cannot be read \(No such file"):
        Fashion.select_clips(tmp_path)
    test.write_text("https://example.org/x/D4.mp4")
    train.write_text("https://example.org/x/C3.mp4")
    with pytest.raises(InputError, match=r"holds none of the 2 videos .* such as C3\.mp4"):
        Fashion.select_clips(tmp_path)


def test_mgif_comes_out_of_its_folders(tmp_path):
    raw = tmp_path / "moving-gif"
    expected = {
        split: pixels(write_video(raw / split / f"{name}.gif", 4, 10.0, 32, 32))
        for split, name in (("train", "00001"), ("test", "00002"))
    }
    folder = prepare("mgif", raw, tmp_path / "out", Encoding(32, 32), num_workers=1)
    (train,), (test,) = list_prepared(str(folder))
    assert (train.name, test.name, test.fps) == ("00001.gif", "00002.gif", 10.0)
    np.testing.assert_array_equal(pixels(train), expected["train"])
    np.testing.assert_array_equal(pixels(test), expected["test"])


@pytest.mark.parametrize("name", ["bair", "mgif", "nemo"])
def test_folder_without_both_parts_is_refused(tmp_path, name):
    write_video(tmp_path / "train" / "a.mp4", 2, 25.0)
    with pytest.raises(InputError, match=r"has no folder test; expected train and test in it"):
        DATASETS[name].select_clips(tmp_path)
    write_video(tmp_path / "test" / "b.mp4", 2, 25.0)
    selection = DATASETS[name].select_clips(tmp_path)
    assert [(clip.name, clip.path) for clip in selection.test] == [
        ("b.mp4", tmp_path / "test" / "b.mp4")
    ]


@pytest.mark.parametrize("name", ["bair", "fashion", "mgif", "nemo", "taichi", "voxceleb"])
def test_builder_is_one_of_tfds_and_says_how_to_get_the_files(tmp_path, name):
    builder = DATASETS[name](data_dir=tmp_path)
    assert builder.name == name  # the folder that `prepare` writes for either kind of file
    assert Path(builder.data_path) == tmp_path / name / "256x256_png" / "1.0.0"
    assert "https://" in builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    assert builder.info.description.split()[0] in builder.__doc__
    assert builder.info.features["frame"].shape == (256, 256, 3)
