"""Files cut at 50 random places: reading neither hangs nor crashes, and names the file.

test_prepare.py does the same with ArrayRecord files.
"""

import multiprocessing

import av
import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.videos import open_video

SHAPE = (32, 32, 3)
CUTS = 50
LIMIT = 60  # seconds for all cuts of a file, which usually take 1


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, size=(12, *SHAPE), dtype=np.uint8)


@pytest.fixture
def watched():
    """Call a function in another process, so that a crash or hang fails the test alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield lambda function, *arguments: pool.apply_async(function, arguments).get(LIMIT)


def write_png(path, frames):
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def write_film(path, frames):
    with VideoWriter(path, FilmFormat(*SHAPE[:2], fps=25, keyframe_every=5)) as writer:
        for frame in frames:
            writer.write(frame)


def write_index_first(path, frames):
    """Write a film with its index first, so that it can be opened after a cut."""
    last = path.with_name(f"last_{path.name}")
    write_film(last, frames)
    options = {"movflags": "faststart"}
    with av.open(str(last)) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


def read_two(video):
    """Return the first and the last frame of a video, or the message."""
    try:
        return video.frames([0, len(video) - 1])
    except InputError as error:
        return str(error)


def read_cuts(path, folder):
    """Cut a file anywhere, and read it by a video opened before the cut and by one opened after.

    Returns:
      A list of (opened before the cut?, path, frames or message).
    """
    whole = path.read_bytes()
    results = []
    for number, cut in enumerate(np.random.default_rng(1).integers(0, len(whole), size=CUTS)):
        damaged = folder / f"{number}_{path.name}"
        damaged.write_bytes(whole)
        opened_before = open_video(damaged, SHAPE)
        damaged.write_bytes(whole[:cut])
        try:
            result = read_two(open_video(damaged, SHAPE))
        except InputError as error:
            result = str(error)
        results += [(False, damaged, result), (True, damaged, read_two(opened_before))]
    return results


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.mp4", write_film),
        ("index_first.mp4", write_index_first),
        ("a.gif", write_film),
        ("a.png", write_png),
    ],
)
def test_truncated_files_are_named(tmp_path, frames, watched, name, write):
    path = tmp_path / name
    write(path, frames)
    intact = open_video(path, SHAPE)
    assert len(intact) == len(frames)
    (tmp_path / "cut").mkdir()
    results = watched(read_cuts, path, tmp_path / "cut")
    assert len(results) == 2 * CUTS
    for opened_before, damaged, result in results:
        if name == "a.png" and opened_before:  # it was decoded as a whole, and kept
            np.testing.assert_array_equal(result, frames[[0, -1]])
        else:
            assert isinstance(result, str)
            assert result.startswith(f"{damaged}: ")
            assert "\n" not in result
    if name == "index_first.mp4":  # most of them can be opened
        assert sum("cut short" in message for _, _, message in results) > CUTS


def test_a_cut_gif_is_refused_even_if_it_ends_with_a_semicolon(tmp_path, frames):
    """A GIF ends with ";", which also occurs within frames."""
    write_film(tmp_path / "a.gif", frames)
    whole = (tmp_path / "a.gif").read_bytes()
    cuts = [i for i in range(1, len(whole)) if whole[i - 1 : i] == b";"]
    assert len(cuts) > 30
    for cut in cuts:
        if whole[cut - 2 : cut] != b"\0;":
            (tmp_path / "cut.gif").write_bytes(whole[:cut])
            with pytest.raises(InputError, match=r"cut\.gif"):
                open_video(tmp_path / "cut.gif", SHAPE)
