"""Sound is copied, bit for bit if the format permits, and stays in time."""

import av
import numpy as np
import pytest
from films import beeps, sound_packets, write_film

from fomm_jax.errors import InputError
from fomm_jax.media.sound import has_sound
from fomm_jax.media.video_writer import FilmFormat, VideoWriter


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


def test_sound_ends_with_the_frames(tmp_path):
    write_film(tmp_path / "a.mp4")
    for num_frames, num_beeps in ((50, 4), (31, 3), (5, 1)):
        output = with_sound_of(tmp_path / "a.mp4", tmp_path / "out.mp4", num_frames)
        assert len(beeps(output)) == num_beeps
        with av.open(str(output)) as container:
            assert container.duration / 1e6 == pytest.approx(num_frames / 25, abs=0.025)


def test_a_film_without_sound_gives_a_film_without_sound(tmp_path):
    write_film(tmp_path / "a.mp4", codec=None)
    assert not has_sound(tmp_path / "a.mp4")
    assert beeps(with_sound_of(tmp_path / "a.mp4", tmp_path / "out.mp4")) is None
    write_film(tmp_path / "b.mp4")
    assert has_sound(tmp_path / "b.mp4")


def test_damaged_sound_ends_at_the_damage(tmp_path):
    write_film(tmp_path / "a.mkv", "libmp3lame")
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: 6 * len(whole) // 10])
    output = with_sound_of(tmp_path / "a.mkv", tmp_path / "out.mp4")
    heard = beeps(output)
    assert 1 <= len(heard) < 4
    np.testing.assert_allclose(heard, np.arange(len(heard)) / 2, atol=0.03)


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
