"""Videos are read exactly, frame by frame; what is no video is refused."""

import shutil
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from clips import (
    NUM_FRAMES,
    mean_difference,
    noisy_frame,
    shown_by_ffmpeg,
    without_beginning,
    write_clip,
)

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.reading.frame_index import index_frames
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import count_frames, iterate_frames, read_frames

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

CLIPS = {
    "groups.mp4": {"g": "8", "bf": "3"},
    "open_groups.mp4": {"g": "8", "bf": "3", "x264-params": "open-gop=1"},
    "one_group.mp4": {"g": "250"},
    "keys_only.mov": {"g": "1"},
    "grey.mp4": {"pix_fmt": "gray"},
    "a.mkv": {"g": "8"},
    "a.webm": {"codec": "libvpx-vp9", "g": "8", "deadline": "realtime", "cpu-used": "8"},
    "hidden_frames.webm": {"codec": "libvpx", "auto-alt-ref": "1", "lag-in-frames": "10"},
    "old.avi": {"codec": "mpeg4", "bf": "2"},
}


@pytest.mark.parametrize("name", CLIPS)
def test_every_way_of_reading_agrees(tmp_path, name):
    path = write_clip(tmp_path / name, **CLIPS[name])
    frames = list(iterate_frames(path))
    assert len(frames) == count_frames(path) == NUM_FRAMES
    assert mean_difference(frames, shown_by_ffmpeg(path, (48, 64, 3))) < 1
    info = probe_video(path)
    assert (info.height, info.width, info.fps) == (48, 64, pytest.approx(25))
    assert info.num_frames == NUM_FRAMES
    for index in (None, index_frames(path)):
        assert count_frames(path, index) == NUM_FRAMES
        for indices in ([0], [39], [7, 8], [38, 3, 3, 21], range(NUM_FRAMES)):
            for i, frame in zip(indices, read_frames(path, indices, index), strict=True):
                np.testing.assert_array_equal(frame, frames[i])
        assert read_frames(path, [], index) == []
        for first in (0, 1, 7, 8, 9, 25, NUM_FRAMES - 1):
            rest = list(iterate_frames(path, first, index))
            np.testing.assert_array_equal(rest, frames[first:])


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, 3), (180, 2)])
def test_rotation_mark_is_followed(tmp_path, rotation, turns):
    """PyAV and FFmpeg count degrees and `numpy.rot90` turns counterclockwise."""
    plain = list(iterate_frames(write_clip(tmp_path / "plain.mp4")))
    path = write_clip(tmp_path / "turned.mp4", rotation=rotation)
    np.testing.assert_array_equal(next(iterate_frames(path)), np.rot90(plain[0], turns))
    np.testing.assert_array_equal(read_frames(path, [30])[0], np.rot90(plain[30], turns))
    info = probe_video(path)
    assert (info.height, info.width) == ((48, 64) if turns == 2 else (64, 48))
    upright = shown_by_ffmpeg(path, (info.height, info.width, 3))  # FFmpeg turns frames by itself
    assert mean_difference(list(iterate_frames(path)), upright) < 1


def test_frames_cut_off_by_an_edit_do_not_count(tmp_path):
    path = write_clip(tmp_path / "a.mp4", g="10", bf="2")
    cut = without_beginning(path, tmp_path / "cut.mp4")
    frames = list(iterate_frames(cut))
    assert len(frames) == count_frames(cut) == NUM_FRAMES - 15
    np.testing.assert_array_equal(frames, list(iterate_frames(path))[15:])
    for index in (None, index_frames(cut)):
        for i, frame in zip((0, 3, 20), read_frames(cut, (0, 3, 20), index), strict=True):
            np.testing.assert_array_equal(frame, frames[i])


def test_titles_need_not_be_utf_8(tmp_path):
    path = write_clip(tmp_path / "a.mp4")
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", b"\xff\xfedeoHandler"))
    assert count_frames(path) == len(list(iterate_frames(path))) == NUM_FRAMES


def test_other_files_are_refused_by_name(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("#EXTM3U\nhttp://localhost/a.mp4\n")
    (tmp_path / "folder.mp4").mkdir()
    write_picture(tmp_path / "a.png", noisy_frame(0))
    shutil.copy(tmp_path / "a.png", tmp_path / "picture.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    reasons = {
        "empty.mp4": "cannot be read as a video",
        "text.mp4": "cannot be read as a video",
        "folder.mp4": "is a folder",
        "absent.mp4": "no such file",
        "picture.mp4": "is a picture",
        "sound.mp4": "no picture track",
    }
    for name, reason in reasons.items():
        for read in (probe_video, count_frames, lambda path: read_frames(path, [0])):
            with pytest.raises(InputError, match=f"{name}.*{reason}"):
                read(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}.*{reason}"):
            next(iterate_frames(tmp_path / name))


@pytest.mark.parametrize("index", [-1, 40, 1000])
def test_a_missing_frame_is_refused(tmp_path, index):
    path = write_clip(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=rf"a\.mp4: has no frame {index}, only 40"):
        read_frames(path, [0, index])


def test_a_name_with_colons_is_not_an_address(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4").rename(tmp_path / "concat:12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert count_frames("concat:12:30.mp4") == NUM_FRAMES


def test_memory_does_not_grow(tmp_path):
    path = write_clip(tmp_path / "a.mp4")
    tracemalloc.start()
    peaks = []
    for _ in iterate_frames(path):
        peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert peaks[-1] - peaks[5] < 2 * noisy_frame(0).nbytes


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_shared_media():
    facts = {
        "clip_720x1364_30fps_audio.mp4": (1364, 720, 160, 30.0),
        "driving_480x480_25fps_audio.mp4": (480, 480, 175, 25.0),
    }
    for name, fact in facts.items():
        path = SHARED / "media" / name
        info = probe_video(path)
        assert (info.height, info.width, info.num_frames, info.fps) == fact
        assert count_frames(path) == info.num_frames
        late, early = read_frames(path, [12, 3])
        for i, frame in enumerate(iterate_frames(path)):
            if i == 3:
                np.testing.assert_array_equal(frame, early)
            if i == 12:
                np.testing.assert_array_equal(frame, late)
                break


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_shared_faces_agree_with_ffmpeg_itself():
    path = next((SHARED / "faces" / "test").glob("*.mp4"))
    assert mean_difference(list(iterate_frames(path)), shown_by_ffmpeg(path, (256, 256, 3))) < 1
