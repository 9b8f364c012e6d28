"""Videos are read exactly, frame by frame and by jumps, and damage is told."""

import pickle
import re
import shutil
import subprocess
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fomm_jax.errors import InputError
from fomm_jax.media import video_reader
from fomm_jax.media.decoding import decode_times, open_container
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.video_reader import (
    FrameIndex,
    VideoInfo,
    count_frames,
    index_frames,
    iterate_frames,
    probe_video,
    read_frames,
)
from fomm_jax.media.video_writer import FilmFormat, VideoWriter

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NUM_FRAMES = 40


def noisy_frame(i):
    """Its upper half is noise, so that packets are long; its lower half is of level 6 i."""
    frame = np.full((48, 64, 3), 6 * i, np.uint8)
    frame[:24] = np.random.default_rng(i).integers(0, 256, (24, 64, 3))
    return frame


def gliding_frame(i):
    """A pattern that glides, and darkens so that all frames differ: encoders use all they have."""
    y, x = np.mgrid[:48, :64]
    wave = 100 - i + 50 * np.sin((x + 2 * i) / 7) + 40 * np.cos((y - i) / 5)
    return np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)


def write_clip(
    path,
    codec="libx264",
    rotation=None,
    faststart=False,
    pix_fmt="yuv420p",
    draw=noisy_frame,
    milliseconds=None,
    **options,
):
    """A clip as other programs write it: with B frames, groups of pictures, rotation marks."""
    movflags = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=movflags) as container:
        stream = container.add_stream(codec, rate=Fraction(25), options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(draw(i), "rgb24")
            if milliseconds is not None:
                frame.time_base = stream.codec_context.time_base = Fraction(1, 1000)
                frame.pts = int(milliseconds[i])
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown_by_ffmpeg(path, shape):
    """All frames as FFmpeg's own program shows them, (t, h, w, 3)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(shown, np.uint8).reshape(-1, *shape)


def mean_difference(a, b):
    return np.abs(np.asarray(a, int) - np.asarray(b, int)).mean(axis=(1, 2, 3)).max()


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
    assert info.num_frames in (NUM_FRAMES, None)
    for index in (None, index_frames(path)):
        assert count_frames(path, index) == NUM_FRAMES
        for indices in ([0], [39], [7, 8], [38, 3, 3, 21], range(NUM_FRAMES)):
            for i, frame in zip(indices, read_frames(path, indices, index), strict=True):
                np.testing.assert_array_equal(frame, frames[i])
        assert read_frames(path, [], index) == []
        for first in (0, 1, 7, 8, 9, 25, NUM_FRAMES - 1):
            rest = list(iterate_frames(path, first, index))
            np.testing.assert_array_equal(rest, frames[first:])


GLIDING = {
    "many_b_frames.mp4": {"g": "250", "bf": "8", "x264-params": "b-adapt=0"},
    "open_groups.mkv": {"g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"},
    # No key frame after the first: after a jump the first frames do not come.
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
    "b_frames.avi": {"g": "16", "bf": "3"},  # AVI does not tell in which order they are shown
    "a.gif": None,
}
WITHOUT_INDEX = ("b_frames.avi", "a.gif")


@pytest.fixture(scope="module", params=GLIDING)
def gliding(request, tmp_path_factory):
    """A clip, its index, and what a plain decode by PyAV gives."""
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


def test_frames_that_no_other_needs_are_not_decoded(tmp_path):
    """Each fourth frame is a P frame, which the three B frames before it lean on."""
    options = {"g": "250", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=none:scenecut=0"}
    path = write_clip(tmp_path / "a.mp4", draw=gliding_frame, **options)
    times = index_frames(path).times
    with open_container(path) as (container, stream):
        decoded = [f.pts for f in decode_times(container, stream, [int(times[22])])]
    np.testing.assert_array_equal(decoded, times[[0, 4, 8, 12, 16, 20, 22, 24]])


def test_an_index_that_does_not_fit_costs_time_alone(tmp_path):
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
        for pair, found in zip(pairs, read, strict=True):
            np.testing.assert_array_equal(found, [frames[i] for i in pair])


def test_few_frames_are_read_without_decoding_all(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", g="8", bf="0", sc_threshold="0")
    expected = list(iterate_frames(path))
    index = index_frames(path)
    np.testing.assert_array_equal(index.key_times, index.times[::8])
    monkeypatch.setattr("fomm_jax.media.video_reader.iterate_frames", None)  # the slow way
    for i, frame in zip((10, 33), read_frames(path, (10, 33), index), strict=True):
        np.testing.assert_array_equal(frame, expected[i])


def test_reading_from_a_frame_on_decodes_little_before_it(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", g="8", bf="0", sc_threshold="0")
    index, decoded = index_frames(path), []
    decode = video_reader.decode

    def counting(*arguments):
        for frame in decode(*arguments):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_reader, "decode", counting)
    assert len(list(iterate_frames(path, 35, index))) == NUM_FRAMES - 35
    assert len(decoded) == NUM_FRAMES - 32


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, 3), (180, 2)])
def test_rotation_mark_is_followed(tmp_path, rotation, turns):
    """PyAV and FFmpeg count degrees and `numpy.rot90` turns counterclockwise."""
    plain = list(iterate_frames(write_clip(tmp_path / "plain.mp4")))
    path = write_clip(tmp_path / "turned.mp4", rotation=rotation)
    np.testing.assert_array_equal(next(iterate_frames(path)), np.rot90(plain[0], turns))
    np.testing.assert_array_equal(read_frames(path, [30])[0], np.rot90(plain[30], turns))
    info = probe_video(path)
    assert (info.height, info.width) == ((48, 64) if turns == 2 else (64, 48))
    upright = shown_by_ffmpeg(path, (info.height, info.width, 3))  # it turns by itself
    assert mean_difference(list(iterate_frames(path)), upright) < 1


def without_beginning(path, target):
    """The same packets, of which an edit leaves out those of the first 15 frames."""
    with av.open(str(path)) as source, av.open(str(target), "w") as cut:
        stream = cut.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                tick = packet.time_base
                packet.pts -= int(Fraction(15, 25) / tick)  # frames before 15 come before 0
                packet.dts -= int(Fraction(15, 25) / tick)
                packet.stream = stream
                cut.mux(packet)
    return target


def test_frames_cut_off_by_an_edit_do_not_count(tmp_path):
    path = write_clip(tmp_path / "a.mp4", g="10", bf="2")
    cut = without_beginning(path, tmp_path / "cut.mp4")
    frames = list(iterate_frames(cut))
    assert len(frames) == count_frames(cut) == NUM_FRAMES - 15
    np.testing.assert_array_equal(frames, list(iterate_frames(path))[15:])
    for index in (None, index_frames(cut)):
        for i, frame in zip((0, 3, 20), read_frames(cut, (0, 3, 20), index), strict=True):
            np.testing.assert_array_equal(frame, frames[i])


def packets_of(path):
    with av.open(str(path)) as container:
        return [(p.pos, p.pos + p.size) for p in container.demux(video=0) if p.size]


def frames_before_error(path):
    """The frames that come, and the message after them."""
    frames = []
    with pytest.raises(InputError) as caught:
        frames.extend(iterate_frames(path))
    return frames, str(caught.value)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_damaged_end(tmp_path, name, share):
    options = {"faststart": True, "bf": "0"} if name == "a.mp4" else {"codec": "mpeg4"}
    path = write_clip(tmp_path / name, **options)
    whole = list(iterate_frames(path))
    content = path.read_bytes()
    cut = int(share * len(content))
    intact = sum(end <= cut for _, end in packets_of(path))
    path.write_bytes(content[:cut])
    frames, message = frames_before_error(path)
    np.testing.assert_array_equal(frames, whole[:intact])
    assert re.fullmatch(rf".*{name}: is (damaged|cut short) after frame {intact}", message)
    with pytest.raises(InputError, match=rf"{name}: is (damaged|cut)"):
        count_frames(path)
    with pytest.raises(InputError, match=rf"{name}: is (damaged|cut)"):
        read_frames(path, [intact, 0])


def test_cut_between_packets_is_told(tmp_path):
    path = write_clip(tmp_path / "a.mp4", faststart=True)
    path.write_bytes(path.read_bytes()[: packets_of(path)[20][0]])
    frames, message = frames_before_error(path)
    assert message == f"{path}: is cut short after frame {len(frames)}"
    assert len(frames) == 20
    with pytest.raises(InputError, match=r"a\.mp4: is cut short"):
        count_frames(path)


def test_damage_in_the_middle_is_told(tmp_path):
    path = write_clip(tmp_path / "a.mp4", bf="0")
    whole = list(iterate_frames(path))
    content = bytearray(path.read_bytes())
    start = packets_of(path)[20][0]
    content[start : start + 8] = b"\xff" * 8  # a length that cannot be
    path.write_bytes(content)
    frames, message = frames_before_error(path)
    assert message == f"{path}: is damaged after frame 20"
    np.testing.assert_array_equal(frames, whole[:20])


@pytest.mark.parametrize("name", ["one_group.mp4", "a.mkv", "old.avi"])
def test_bytes_changed_anywhere_give_frames_or_a_message(tmp_path, name):
    path = write_clip(tmp_path / name, **CLIPS[name])
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    messages = []
    for _ in range(150):
        content = bytearray(whole)
        for start in rng.integers(len(content), size=3):
            content[start : start + 8] = rng.bytes(8)
        path.write_bytes(content)
        try:
            assert len(list(iterate_frames(path))) > 0
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith(f"{path}: ") for message in messages)


def test_a_name_inside_that_is_not_utf_8_is_no_matter(tmp_path):
    path = write_clip(tmp_path / "a.mp4")
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", b"\xff\xfedeoHandler"))
    assert count_frames(path) == len(list(iterate_frames(path))) == NUM_FRAMES


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_every_cut_gives_frames_or_a_message(tmp_path, name, share):
    path = tmp_path / name
    with VideoWriter(path, FilmFormat(48, 64, fps=25)) as writer:
        for i in range(10):
            writer.write(noisy_frame(i))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (
        lambda: len(list(iterate_frames(path))),
        lambda: count_frames(path),
        lambda: len(read_frames(path, [0])),
        lambda: probe_video(path).width == 64,
    ):
        try:
            answer = read()
        except InputError as error:
            answer = name in str(error)
        assert 0 < answer <= 10


def test_what_is_no_video_is_refused_by_name(tmp_path):
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
        "folder.mp4": "no such file",
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
def test_frame_that_is_not_there(tmp_path, index):
    path = write_clip(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=rf"a\.mp4: has no frame {index}, only 40"):
        read_frames(path, [0, index])


def test_a_name_is_never_an_address(tmp_path, monkeypatch):
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
        "clip_720x1364_30fps_audio.mp4": VideoInfo(1364, 720, 160, 30.0),
        "driving_480x480_25fps_audio.mp4": VideoInfo(480, 480, 175, 25.0),
    }
    for name, info in facts.items():
        path = SHARED / "media" / name
        assert probe_video(path) == info
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
