"""Sound is copied, bit for bit if the format permits, and stays in time."""

import av
import numpy as np
import pytest
from films import beeps, beeps_by_ffmpeg, sound_packets, write_film, write_timed_film

from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.writing.sound import SoundState, inspect_sound
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter


def with_sound_of(driving, output, num_frames=50, fps=25, times=None):
    film_format = FilmFormat(16, 16, fps=fps, times=times)
    with VideoWriter(output, film_format, sound_from=driving) as writer:
        for i in range(num_frames):
            writer.write(np.full((16, 16, 3), i % 200, np.uint8))
    return output


@pytest.mark.parametrize(
    ("name", "codec", "name_after"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mkv", "libmp3lame", "mp3"),
        ("a.avi", "libmp3lame", "mp3"),
        ("a.mov", "pcm_s16le", "aac"),
        ("a.avi", "mp2", "aac"),
    ],
)
def test_beeps_stay_where_they_are(tmp_path, name, codec, name_after):
    driving = tmp_path / name
    write_film(driving, codec)
    output = with_sound_of(driving, tmp_path / "out.mp4")
    np.testing.assert_allclose(beeps(output), beeps(driving), atol=0.005)
    assert len(beeps(output)) == 4
    with av.open(str(output)) as container:
        (track,) = container.streams.audio
        assert track.codec_context.codec.canonical_name == name_after
    if codec == "aac":
        assert sound_packets(output) == sound_packets(driving)


def test_sound_that_starts_later_or_earlier_stays_in_time(tmp_path):
    for name, delays in {
        "late.mp4": {"sound_delay": 0.2},
        "early.mkv": {"video_delay": 0.2},
        "early_mp2.mkv": {"video_delay": 0.2, "codec": "mp2"},
    }.items():
        write_film(tmp_path / name, **delays)
        output = with_sound_of(tmp_path / name, tmp_path / "out.mp4")
        late = "late" in name
        expected = np.arange(4) / 2 + (0.2 if late else -0.2)
        heard = beeps(output)
        np.testing.assert_allclose(heard, expected[expected >= 0][: len(heard)], atol=0.03)
        assert len(heard) == (4 if late else 3)


@pytest.mark.parametrize("codec", ["flac", "alac", "ac3", "aac", "libmp3lame", "libopus"])
def test_a_film_may_begin_within_a_packet_of_sound(tmp_path, codec):
    path = write_timed_film(
        tmp_path / "a.mkv", [0, 1000], sound=codec, sound_rate=48000, delays=(110, 0)
    )
    output = with_sound_of(path, tmp_path / "out.mp4", num_frames=25)
    np.testing.assert_allclose(beeps_by_ffmpeg(output)[-1], 0.39, atol=0.012)


def test_sound_ends_with_the_frames(tmp_path):
    write_film(tmp_path / "a.mp4")
    for num_frames, num_beeps in ((50, 4), (31, 3), (5, 1)):
        output = with_sound_of(tmp_path / "a.mp4", tmp_path / "out.mp4", num_frames)
        assert len(beeps(output)) == num_beeps
        with av.open(str(output)) as container:
            assert container.duration / 1e6 == pytest.approx(num_frames / 25, abs=0.025)


def test_a_film_without_sound_gives_a_film_without_sound(tmp_path):
    write_film(tmp_path / "a.mp4", codec=None)
    assert inspect_sound(tmp_path / "a.mp4") is SoundState.NONE
    assert beeps(with_sound_of(tmp_path / "a.mp4", tmp_path / "out.mp4")) is None
    write_film(tmp_path / "b.mp4")
    assert inspect_sound(tmp_path / "b.mp4") is SoundState.USABLE


def test_damaged_sound_ends_at_the_damage(tmp_path):
    write_film(tmp_path / "a.mkv", "libmp3lame")
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: 6 * len(whole) // 10])
    output = with_sound_of(tmp_path / "a.mkv", tmp_path / "out.mp4")
    heard = beeps(output)
    assert 1 <= len(heard) < 4
    np.testing.assert_allclose(heard, np.arange(len(heard)) / 2, atol=0.03)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mov", "pcm_mulaw", 8000),
        ("a.mov", "pcm_s16le", 11025),
        ("a.avi", "mp2", 32000),
        ("a.mkv", "libmp3lame", 8000),
        ("a.mkv", "libmp3lame", 16000),
        ("a.mkv", "aac", 8000),
        ("a.mkv", "libopus", 48000),
        ("a.mkv", "flac", 96000),
    ],
)
def test_the_first_milliseconds_are_heard(tmp_path, name, codec, rate):
    """At low rates, a packet lasts up to 144 ms."""
    path = write_timed_film(tmp_path / name, [0, 1000], sound=codec, sound_rate=rate)
    output = with_sound_of(path, tmp_path / "out.mp4", num_frames=25)
    np.testing.assert_allclose(beeps_by_ffmpeg(output), beeps_by_ffmpeg(path), atol=0.002)
    assert duration_of_first_beep(output) == pytest.approx(0.05, abs=0.015)


def duration_of_first_beep(path):
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        frames = [f.to_ndarray().reshape(-1) for f in container.decode(audio=0)]
    samples = np.abs(np.concatenate(frames))[: rate // 4]
    share = 1 - 2 * np.arcsin(1 / 4) / np.pi  # of a sine that is above a quarter of its height
    return np.count_nonzero(samples > samples.max() / 4) / share / rate


def test_outputs_and_inputs_that_cannot_have_sound_are_refused(tmp_path):
    write_film(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"out\.gif: a GIF cannot hold sound, expected .*\.mp4"):
        with_sound_of(tmp_path / "a.mp4", tmp_path / "out.gif")
    with pytest.raises(InputError, match=r"none\.mp4: there is no such file"):
        with_sound_of(tmp_path / "none.mp4", tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_sound_of_a_speaker(shared, tmp_path):
    driving = shared / "data" / "media" / "driving_480x480_25fps_audio.mp4"
    output = with_sound_of(driving, tmp_path / "out.mp4", num_frames=175)
    assert sound_packets(output) == sound_packets(driving)


@pytest.mark.parametrize("name", ["media/B6_mulaw_8k.mov", "media/A4_dropped_frames_h264.avi"])
def test_the_first_beep_is_at_the_start(shared, tmp_path, name):
    output = with_sound_of(shared / "faults" / name, tmp_path / "out.mp4")
    np.testing.assert_allclose(beeps(output), [0, 1], atol=0.002)


def test_all_channels_are_copied(shared, tmp_path):
    path = shared / "faults" / "passing" / "B6_aac71.mp4"
    output = with_sound_of(path, tmp_path / "out.mp4")
    assert sound_packets(output) == sound_packets(path)


def test_sound_with_a_gap_before_the_first_frame_is_heard_from_there(shared, tmp_path):
    """The packet before the first frame starts 80 ms before it, and has 23 ms of sound."""
    path = shared / "faults" / "passing" / "A16_no_editlist.mp4"
    output = with_sound_of(path, tmp_path / "out.mp4", num_frames=100)
    np.testing.assert_allclose(beeps(output), np.arange(4), atol=0.002)


@pytest.mark.parametrize(
    "name",
    [
        "A10_audio_longer.mp4",
        "A10_audio_shorter.mp4",
        "A12_start_3600s.mkv",
        "A16_negative_cts.mp4",
        "A16_h264_bframes.avi",
        "A16_xvid_bframes.avi",
        "A8_audio_starts_1s_late.mp4",
        "A8_video_starts_0.7s_late.mkv",
        "A8_video_starts_0.7s_late.mp4",
        "A9_trimmed_stream_copy.mp4",
        "B1_iphone16_aac_plus_apac.mov",
        "B2_aac_from_ts.mkv",
        "B2_aac_from_ts.mov",
        "B6_ac3.mkv",
        "B6_adpcm_ms.avi",
        "B6_alac.mov",
        "B6_eac3.mp4",
        "B6_flac.mkv",
        "B6_mp2.mkv",
        "B6_mp3.avi",
        "B6_mp3_vbr.avi",
        "B6_opus51.webm",
        "B6_pcm_u8_11025.avi",
        "B6_truehd.mkv",
        "B6_vorbis.webm",
        "B6_wavpack.mkv",
    ],
)
def test_sound_that_was_right_stays_so(shared, tmp_path, name):
    path = shared / "faults" / "passing" / name
    info = probe_video(path)
    output = with_sound_of(path, tmp_path / "out.mp4", info.num_frames, info.fps, info.times)
    expected = beeps(path)
    expected = expected[(expected > -0.001) & (expected < info.seconds - 0.03)]
    heard = beeps(output)
    np.testing.assert_allclose(heard[heard < info.seconds - 0.03], expected, atol=0.009)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.ts", "aac"), ("a.mpg", "mp2"), ("a.ts", "mp2"), ("a.ts", "ac3")]
)
def test_sound_of_a_joined_film_stays_in_time(tmp_path, name, codec):
    """Recordings are joined by writing one behind the other, so their clock starts again.

    The sound of each part is shorter than its frames, which last 1.92 s.
    """
    path = tmp_path / name
    write_film(path, codec, seconds=1.9)
    path.write_bytes(5 * path.read_bytes())
    info = probe_video(path)
    assert len(info.clock_offsets) == 4
    assert info.seconds == pytest.approx(5 * 1.92)
    output = with_sound_of(path, tmp_path / "out.mp4", info.num_frames, info.fps, info.times)
    expected = np.add.outer(1.92 * np.arange(5), np.arange(4) / 2).ravel()
    np.testing.assert_allclose(beeps(output), expected, atol=0.005)


@pytest.mark.parametrize("rates", [(44100, 48000), (48000, 32000, 44100)])
def test_sound_whose_kind_changes_within_the_film(tmp_path, rates):
    path = tmp_path / "a.ts"
    parts = [
        write_timed_film(path, 40 * np.arange(51), sound="mp2", sound_rate=rate).read_bytes()
        for rate in rates
    ]
    path.write_bytes(b"".join(parts))
    info = probe_video(path)
    output = with_sound_of(path, tmp_path / "out.mp4", info.num_frames, info.fps, info.times)
    np.testing.assert_allclose(beeps(output), np.arange(4 * len(rates)) / 2, atol=0.03)


@pytest.mark.parametrize(("codec", "first"), [("mjpeg", 0), ("mpeg4", 0.04)])
def test_sound_of_a_film_whose_first_frame_is_damaged(tmp_path, codec, first):
    """The first whole frame stands in for it if the film has an index; else it is left out."""
    path = write_timed_film(tmp_path / "a.mov", 40 * np.arange(51), codec, sound="aac")
    with av.open(str(path)) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.size)
        start, end = packet.pos, packet.pos + packet.size
    content = bytearray(path.read_bytes())
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    info = probe_video(path)
    assert info.num_frames == 50 - (first > 0)
    output = with_sound_of(path, tmp_path / "out.mp4", info.num_frames, info.fps, info.times)
    expected = np.arange(4) / 2 - first
    heard = beeps_by_ffmpeg(output)
    np.testing.assert_allclose(heard[-3:], expected[-3:], atol=0.005)
