"""With an index, frames are read by jumps, exactly, and little else is decoded."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from clips import NUM_FRAMES, gliding_frame, without_beginning, write_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from fomm_jax.media.reading import video_reader
from fomm_jax.media.reading.decoding import decode_times, open_container
from fomm_jax.media.reading.frame_index import FrameIndex, index_frames
from fomm_jax.media.reading.video_reader import iterate_frames, read_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter

GLIDING = {
    "many_b_frames.mp4": {"g": "250", "bf": "8", "x264-params": "b-adapt=0"},
    "open_groups.mkv": {"g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"},
    # There is no key frame but the first: after a jump, the first frames cannot be decoded.
    "refreshed.mp4": {"g": "12", "bf": "2", "x264-params": "intra-refresh=1:scenecut=0"},
    "interlaced.mp4": {"g": "20", "x264-params": "interlaced=1:scenecut=0"},
    "uneven.mp4": {
        "g": "16",
        "milliseconds": np.cumsum(np.random.default_rng(0).integers(5, 90, NUM_FRAMES)),
    },
    "turned.mp4": {"g": "10", "rotation": 90},
    "edited.mp4": {"g": "10", "bf": "2"},
    "a.webm": {"codec": "libvpx-vp9", "g": "16", "deadline": "realtime", "cpu-used": "8"},
    "av1.mp4": {"codec": "libsvtav1", "g": "10", "preset": "12"},
    "hevc.mp4": {"codec": "libx265", "g": "16", "x265-params": "log-level=none:open-gop=1"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "b_frames.avi": {"g": "16", "bf": "3"},  # AVI does not store the order of display
    "a.gif": None,
}
WITHOUT_INDEX = ("b_frames.avi", "a.gif")


@pytest.fixture(scope="module", params=GLIDING)
def gliding(request, tmp_path_factory):
    """Return a clip's path, its index, and its frames by a plain decode with PyAV."""
    path = tmp_path_factory.mktemp("gliding") / request.param
    options = GLIDING[request.param]
    if options is None:
        with VideoWriter(path, FilmFormat(48, 64, fps=25)) as writer:
            for i in range(NUM_FRAMES):
                writer.write(gliding_frame(i))
    elif options.get("codec", "libx264") not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {options['codec']}")
    elif path.name == "edited.mp4":
        uncut = write_clip(path.with_name("uncut.mp4"), draw=gliding_frame, **options)
        without_beginning(uncut, path)
    else:
        write_clip(path, draw=gliding_frame, **options)
    if path.name == "interlaced.mp4":
        frames = list(iterate_frames(path))  # test_shown_frames.py tells whether these are right
    else:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if path.name == "turned.mp4":
        frames = [np.rot90(frame) for frame in frames]
    index = index_frames(path)
    assert (index is None) == (path.name in WITHOUT_INDEX)
    assert len(frames) == (NUM_FRAMES - 15 if path.name == "edited.mp4" else NUM_FRAMES)
    assert len(np.unique([frame.tobytes() for frame in frames])) == len(frames)
    return path, index, frames


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_frames_are_those_of_a_plain_decode(gliding, data):
    path, index, frames = gliding
    number = st.integers(0, len(frames) - 1)
    indices = data.draw(st.lists(number, min_size=1, max_size=4))
    for i, frame in zip(indices, read_frames(path, indices, index), strict=True):
        np.testing.assert_array_equal(frame, frames[i])
    first = data.draw(number)
    np.testing.assert_array_equal(list(iterate_frames(path, first, index)), frames[first:])


def test_unreferenced_frames_are_not_decoded(tmp_path):
    """Each fourth frame is a P frame, which the three B frames before it refer to."""
    options = {"g": "250", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=none:scenecut=0"}
    path = write_clip(tmp_path / "a.mp4", draw=gliding_frame, **options)
    times = index_frames(path).times
    with open_container(path) as (container, stream):
        decoded = [f.pts for f in decode_times(container, stream, [int(times[22])])]
    np.testing.assert_array_equal(decoded, times[[0, 4, 8, 12, 16, 20, 22, 24]])


def test_a_wrong_index_costs_time_but_no_frames(tmp_path):
    path = write_clip(tmp_path / "a.mp4", g="8")
    frames, index = list(iterate_frames(path)), index_frames(path)
    wrong = FrameIndex(index.times + 1, index.key_times + 1)
    for i, frame in zip((30, 3), read_frames(path, (30, 3), wrong), strict=True):
        np.testing.assert_array_equal(frame, frames[i])
    np.testing.assert_array_equal(list(iterate_frames(path, 21, wrong)), frames[21:])


def test_threads_share_an_index_that_came_from_another_process(tmp_path):
    path = write_clip(tmp_path / "a.mp4", g="8", bf="3", draw=gliding_frame)
    frames = list(iterate_frames(path))
    index = pickle.loads(pickle.dumps(index_frames(path)))
    pairs = np.sort(np.random.default_rng(0).integers(NUM_FRAMES, size=(200, 2)))
    with ThreadPoolExecutor(4) as threads:
        read = threads.map(lambda pair: read_frames(path, pair.tolist(), index), pairs)
        for pair, pair_frames in zip(pairs, read, strict=True):
            np.testing.assert_array_equal(pair_frames, [frames[i] for i in pair])


def test_a_few_frames_are_read_without_decoding_all(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", g="8", bf="0", sc_threshold="0")
    expected = list(iterate_frames(path))
    index = index_frames(path)
    np.testing.assert_array_equal(index.key_times, index.times[::8])
    monkeypatch.setattr(
        "fomm_jax.media.reading.video_reader.iterate_frames", None
    )  # the slow way must not be used
    for i, frame in zip((10, 33), read_frames(path, (10, 33), index), strict=True):
        np.testing.assert_array_equal(frame, expected[i])


def test_reading_from_a_frame_on_decodes_little_before_it(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", g="8", bf="0", sc_threshold="0")
    index, decoded = index_frames(path), []
    decode = video_reader.decode_past_damage

    def counting(*arguments):
        for frame in decode(*arguments):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_reader, "decode_past_damage", counting)
    assert len(list(iterate_frames(path, 35, index))) == NUM_FRAMES - 35
    assert len(decoded) == NUM_FRAMES - 32
