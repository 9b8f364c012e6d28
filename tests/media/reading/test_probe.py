"""The times of frames decide, whatever container and codec, and whatever rate is stated."""

from fractions import Fraction

import av
import numpy as np
import pytest
from clips import times_by_ffmpeg, write_clip
from films import write_film, write_timed_film

from fomm_jax.media.reading.probe import first_frame_time, probe_video
from fomm_jax.media.reading.video_reader import count_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter

EDGES = np.array([0, 40, 80, 240, 280, 600, 1600])  # milliseconds; the last frame stands a second
CODECS = {
    "a.mp4": "libx264",
    "b.mp4": "mpeg4",
    "a.mov": "mjpeg",
    "a.mkv": "libx264",
    "b.mkv": "mpeg4",
    "c.mkv": "ffv1",
    "a.webm": "libvpx",
    "b.webm": "libvpx-vp9",
    "c.webm": "libsvtav1",
    "a.avi": "mjpeg",
    "b.avi": "ffv1",
    "a.gif": "gif",
}


def frame_edges(path):
    info = probe_video(path)
    return np.arange(info.num_frames + 1) / info.fps if info.times is None else info.times


@pytest.mark.parametrize("name", CODECS)
def test_times_are_kept_in_every_container_and_codec(tmp_path, name):
    path = tmp_path / name
    if CODECS[name] not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {CODECS[name]}")
    if name == "a.gif":
        with VideoWriter(path, FilmFormat(32, 48, fps=25, times=EDGES / 1000)) as writer:
            for i in range(len(EDGES) - 1):
                writer.write(np.full((32, 48, 3), 40 * i, np.uint8))
    else:
        write_timed_film(path, EDGES, CODECS[name])
    np.testing.assert_allclose(frame_edges(path), EDGES / 1000, atol=1e-9)
    np.testing.assert_allclose(times_by_ffmpeg(path), EDGES[:-1] / 1000, atol=1e-5)
    assert probe_video(path).fps == pytest.approx(25)
    assert count_frames(path) == len(EDGES) - 1


@pytest.mark.parametrize("fps", [25, 30000 / 1001, 24000 / 1001, 12.5, 60])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])  # Matroska rounds to milliseconds
def test_a_constant_rate_needs_no_times(tmp_path, fps, suffix):
    path = tmp_path / f"a{suffix}"
    write_film(path, "libmp3lame", fps=fps, seconds=1)
    info = probe_video(path)
    assert info.times is None
    assert Fraction(info.fps).limit_denominator(1001) == Fraction(fps).limit_denominator(1001)
    assert info.seconds == pytest.approx(info.num_frames / fps)


def test_dropped_frames_are_noticed(tmp_path):
    numbers = np.delete(np.arange(45), [20, 21, 22, 30, 40])
    write_clip(tmp_path / "a.mp4", bf="2", milliseconds=40 * numbers + 7)
    np.testing.assert_allclose(frame_edges(tmp_path / "a.mp4")[:-1], numbers / 25, atol=1e-6)


def test_the_first_frame_may_come_late(tmp_path):
    path = write_timed_film(tmp_path / "a.mkv", EDGES, delays=(700, 0), sound="aac")
    assert first_frame_time(path) == Fraction(7, 10)
    np.testing.assert_allclose(frame_edges(path), EDGES / 1000, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "num_frames", "seconds", "fps"),
    [
        ("A1_last_frame_2s_h264_aac.mp4", 50, 3.96, 25),
        ("A1c_screen_recording_vfr_tail3s.mp4", 8, 5, 10),
        ("A2_mediarecorder_vp8_opus_vfr.webm", 90, 5, 30),
        ("A3_mpeg4part2_vfr.mp4", 90, 5, 30),
        ("A3h_h264_vfr.mp4", 90, 5, 30),
        ("A4_dropped_frames_h264.avi", 40, 2, 25),
        ("A6_gif_last_frame_3s.gif", 8, 3.9, 10),
    ],
)
def test_a_film_of_no_constant_rate(shared, name, num_frames, seconds, fps):
    path = shared / "faults" / "media" / name
    info = probe_video(path)
    assert info.num_frames == num_frames
    assert info.seconds == pytest.approx(seconds)
    assert info.fps == pytest.approx(fps, rel=0.001)
    np.testing.assert_allclose(info.times[:-1], times_by_ffmpeg(path), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "num_frames", "fps"),
    [
        ("A10_audio_longer.mp4", 50, 25),
        ("A11_one_frame.mp4", 1, 25),
        ("A11_two_frames.mp4", 2, 25),
        ("A12_fragmented.mp4", 100, 25),
        ("A12_start_3600s.mkv", 100, 25),
        ("A13_1fps.mp4", 5, 1),
        ("A13_240fps.mp4", 50, 240),
        ("A14_still_one_frame_10s_sound.mp4", 1, 0.1),
        ("A15_live_vp9_no_duration.webm", 50, 30),
        ("A16_h264_bframes.avi", 100, 25),
        ("A16_negative_cts.mp4", 100, 25),
        ("A16_no_editlist.mp4", 100, 25),
        ("A16_xvid_bframes.avi", 100, 25),
        ("A6_gif_zero_delays.gif", 8, 10),
        ("A7_29.97fps_10s.mp4", 300, 30000 / 1001),
        ("A8_video_starts_0.7s_late.mkv", 25, 25),
        ("A8_video_starts_0.7s_late.mp4", 25, 25),
    ],
)
def test_a_film_of_constant_rate(shared, name, num_frames, fps):
    info = probe_video(shared / "faults" / "passing" / name)
    assert info.times is None
    assert (info.num_frames, info.fault) == (num_frames, None)
    assert info.fps == pytest.approx(fps, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("A2v_vp9_opus_vfr.webm", 5),
        ("A3m_mjpeg_vfr.mov", 5),
        ("A6_gif_first_frame_2s.gif", 2.9),
        ("A9_trimmed_stream_copy.mp4", 2.14),
    ],
)
def test_a_film_whose_times_were_already_right(shared, name, seconds):
    path = shared / "faults" / "passing" / name
    info = probe_video(path)
    assert info.seconds == pytest.approx(seconds)
    np.testing.assert_allclose(info.times[:-1], times_by_ffmpeg(path), atol=1e-5)


JOINED = {  # codec and container
    "a.ts": ("libx264", "mpegts"),
    "a.mts": ("mpeg2video", "mpegts"),
    "a.mpg": ("mpeg2video", "mpeg"),
    "a.ogv": ("libvpx", "ogv"),
    "b.ogv": ("libtheora", "ogv"),
}


@pytest.mark.parametrize("name", JOINED)
def test_a_joined_film_goes_on_where_its_clock_starts_again(tmp_path, name):
    codec, container = JOINED[name]
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    path = write_clip(tmp_path / name, codec, format=container)
    whole = probe_video(path)
    path.write_bytes(3 * path.read_bytes())
    info = probe_video(path)
    assert info.num_frames >= 3 * whole.num_frames - 2
    # In MPEG-TS, FFmpeg takes the last frame before a joint for damaged.
    lost = 0.04 if container == "mpegts" else 0
    assert (info.fault is None) == (container != "mpegts")
    assert info.seconds == pytest.approx(3 * whole.seconds, abs=2 * lost + 1e-6)
    for number, offset in enumerate(info.clock_offsets, 1):
        assert offset == pytest.approx(number * whole.seconds, abs=number * lost + 1e-6)
    assert len(info.clock_offsets) == 2
    assert info.index is None


def test_a_film_whose_first_frame_is_damaged_has_a_first_time(tmp_path):
    path = write_timed_film(tmp_path / "a.mp4", np.arange(0, 801, 40), "mpeg4")
    with av.open(str(path)) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.size)
        start, size = packet.pos, packet.size
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    path.write_bytes(content)
    assert first_frame_time(path) == Fraction(1, 25)
    assert probe_video(path).fault.endswith(
        ": number of damaged frames at the beginning: 1; they are left out"
    )
