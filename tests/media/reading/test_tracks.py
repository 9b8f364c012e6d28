"""The film and its sound are chosen among the tracks of a file."""

import av
import numpy as np
import pytest
from films import add_sound, beeps, mux_beeps, without_decoder, write_film

from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.sound import SoundState, inspect_sound
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter


def write_tracks(path, tracks, sounds=()):
    """Write a file of several tracks of grey frames.

    Args:
      path: the file to write.
      tracks: codec, number of frames, side and disposition of each track. The grey level of its
        frames is 50 times its number.
      sounds: encoders of tracks of sound, of half a second.
    """
    with av.open(str(path), "w") as container:
        streams = []
        for codec, _, side, disposition in tracks:
            stream = container.add_stream(codec, rate=25)
            stream.height = stream.width = side
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        added = [add_sound(container, codec) for codec in sounds]
        for number, (stream, (_, num_frames, side, _)) in enumerate(
            zip(streams, tracks, strict=True)
        ):
            for _ in range(num_frames):
                frame = np.full((side, side, 3), 50 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(stream.encode(None))
        for sound in added:
            mux_beeps(container, sound, 1, 0)
    return path


DEFAULT, OTHER, COVER = 1, 0, 1024


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    ("tracks", "film"),
    [
        ([("mjpeg", 1, 32, DEFAULT), ("libx264", 25, 32, OTHER)], 1),
        ([("mjpeg", 3, 64, DEFAULT), ("libx264", 25, 32, OTHER)], 1),
        ([("mjpeg", 25, 32, DEFAULT), ("libx264", 25, 144, OTHER)], 1),
        ([("libx264", 25, 32, OTHER), ("libx264", 25, 32, DEFAULT)], 1),
        ([("libx264", 25, 32, DEFAULT), ("libx264", 25, 64, DEFAULT)], 1),
        ([("libx264", 25, 32, DEFAULT), ("libx264", 25, 32, DEFAULT)], 0),
    ],
)
def test_the_film_is_chosen_among_the_tracks(tmp_path, suffix, tracks, film):
    path = write_tracks(tmp_path / f"a{suffix}", tracks)
    assert probe_video(path).num_frames == 25
    assert next(iterate_frames(path)).mean() == pytest.approx(50 * film, abs=3)


def test_a_cover_picture_is_not_a_film(tmp_path):
    path = write_tracks(tmp_path / "a.mp4", [("mjpeg", 1, 32, COVER)], ["aac"])
    with pytest.raises(InputError, match=r"a\.mp4: has no video, only a cover picture"):
        probe_video(path)


def test_a_sound_track_that_can_be_decoded_is_chosen(tmp_path):
    film = [("libx264", 25, 32, DEFAULT)]
    path = write_tracks(tmp_path / "a.mp4", film, ["aac", "aac"])
    without_decoder(path, 1)
    assert inspect_sound(path) is SoundState.USABLE
    with VideoWriter(tmp_path / "b.mp4", FilmFormat(32, 32, fps=25), sound_from=path) as writer:
        for _ in range(25):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    np.testing.assert_allclose(beeps(tmp_path / "b.mp4"), [0, 0.5], atol=0.005)


def test_sound_that_cannot_be_decoded_is_noticed(tmp_path):
    write_film(tmp_path / "a.mp4", seconds=1)
    without_decoder(tmp_path / "a.mp4", 1)
    assert inspect_sound(tmp_path / "a.mp4") is SoundState.UNDECODABLE


def test_sound_of_noise_in_place_of_packets_is_noticed(tmp_path):
    """FFmpeg knows the codec, and cannot decode a packet, as with encrypted tracks."""
    write_film(tmp_path / "a.mp4", seconds=1)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    with av.open(str(tmp_path / "a.mp4")) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    for position, size in places:
        data[position : position + size] = b"\xff" * size
    (tmp_path / "a.mp4").write_bytes(data)
    assert inspect_sound(tmp_path / "a.mp4") is SoundState.UNDECODABLE


@pytest.mark.parametrize(
    ("name", "num_frames", "sound"),
    [
        ("media/B1b_apac_first_then_aac.mov", 50, SoundState.USABLE),
        ("media/B1c_only_track_is_ac4.mp4", 25, SoundState.UNDECODABLE),
        ("media/E16_drone_thumbnail_track_first.mp4", 25, SoundState.NONE),
        ("passing/B1_iphone16_aac_plus_apac.mov", 50, SoundState.USABLE),
        ("passing/B3_default_is_second_track_2000Hz.mkv", 50, SoundState.USABLE),
        ("passing/B4_empty_audio_track.mkv", 50, SoundState.NONE),
        ("passing/B4_empty_audio_track.mp4", 50, SoundState.NONE),
        ("passing/E16_cover_attachment.mkv", 25, SoundState.NONE),
        ("passing/E16_cover_first.mp4", 25, SoundState.USABLE),
        ("passing/E18_timecode_subs_audio_first.mov", 25, SoundState.USABLE),
        ("passing/E19_latin1_stream_title.mkv", 25, SoundState.NONE),
        ("passing/E19_latin1_title.mp4", 25, SoundState.NONE),
    ],
)
def test_tracks_of_real_kinds_of_files(shared, name, num_frames, sound):
    path = shared / "faults" / name
    assert probe_video(path).num_frames == num_frames
    assert inspect_sound(path) is sound


def test_a_song_with_a_cover_is_no_film(shared):
    with pytest.raises(InputError, match="has no video, only a cover picture"):
        probe_video(shared / "faults" / "media" / "E15_song_with_cover.m4a")


def test_the_default_track_of_sound_is_taken(shared, tmp_path):
    path = shared / "faults" / "passing" / "B3_default_is_second_track_2000Hz.mkv"
    with VideoWriter(tmp_path / "a.mp4", FilmFormat(16, 16, fps=25), sound_from=path) as writer:
        for _ in range(50):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        rate = container.streams.audio[0].rate
        samples = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(audio=0)], dtype=np.float64
        )
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(2000, abs=5)
