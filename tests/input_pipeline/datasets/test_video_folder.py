"""Clips of faces, from raw footage to the selection."""

import numpy as np
import pytest

from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.clips.clip import read_clip
from input_pipeline.datasets.video_folder import VideoFolder


def test_faces_become_clips_and_footage_without_a_face_is_refused(shared, tmp_path):
    pytest.importorskip("dlib", reason="dlib is not installed")
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        film = shared / "data" / "media" / "driving_480x480_25fps_audio.mp4"
        (tmp_path / split / "a.mp4").symlink_to(film)
    with VideoWriter(tmp_path / "train" / "grey.mp4", FilmFormat(256, 256, fps=25)) as writer:
        for _ in range(80):
            writer.write(np.full((256, 256, 3), 120, np.uint8))
    (tmp_path / "train" / "broken.mp4").write_bytes(b"no video")
    selection = VideoFolder.select_clips(tmp_path, crop="faces", num_workers=2)
    (clip,) = selection.train
    assert clip.name == "a#0000.mp4"
    assert [test_clip.name for test_clip in selection.test] == ["a#0000.mp4"]
    broken, grey = selection.refused
    assert (broken.name, grey.name) == ("broken.mp4", "grey.mp4")
    assert "cannot be read as a video" in broken.reason
    assert "no face of 128 pixels stays in place for 2.5 seconds" in grey.reason
    left, top, right, bottom = clip.box
    assert right - left == pytest.approx(bottom - top, abs=1 / 480)  # the frame is a square
    frame = next(read_clip(clip, 256, 256, "crop").frames)
    assert frame.shape == (256, 256, 3)
