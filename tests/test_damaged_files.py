"""Files cut at 50 random places each: no hang, no crash, each named.

ArrayRecord's are in test_prepare.py.
"""

import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.video_writer import VideoWriter
from input_pipeline.sources import open_video

SHAPE = (32, 32, 3)
CUTS = 50


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, size=(12, *SHAPE), dtype=np.uint8)


def write_png(path, frames):
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def write_film(path, frames):
    with VideoWriter(path, 25, *SHAPE[:2], keyframe_every=5) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize(
    ("name", "write"), [("a.mp4", write_film), ("a.gif", write_film), ("a.png", write_png)]
)
def test_truncated_files_are_named(tmp_path, frames, name, write):
    write(tmp_path / name, frames)
    whole = (tmp_path / name).read_bytes()
    intact = open_video(tmp_path / name, SHAPE)
    assert len(intact) == len(frames)
    messages = []
    for cut in np.random.default_rng(1).integers(0, len(whole), size=CUTS):
        path = tmp_path / f"{cut}_{name}"
        path.write_bytes(whole[:cut])
        try:
            video = open_video(path, SHAPE)
            found = video.frames([0, len(video) - 1])
        except InputError as error:
            messages.append((path, str(error)))
        else:  # a cut between two frames of a gif leaves a shorter gif
            assert name == "a.gif"
            np.testing.assert_array_equal(found, intact.frames([0, len(video) - 1]))
    assert len(messages) > CUTS / 2
    for path, message in messages:
        assert message.startswith(str(path))
        assert "\n" not in message
