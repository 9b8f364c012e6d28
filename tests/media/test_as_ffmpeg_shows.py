"""Films of generated times, turns, pixels and sound, as FFmpeg's own program shows them."""

import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
from clips import gliding_frame, mean_difference, times_by_ffmpeg
from films import add_sound, beeps_by_ffmpeg, mux_beeps
from hypothesis import given, settings
from hypothesis import strategies as st

from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter

CODECS = {  # of frames and sound, by the name of a file
    "a.mp4": ("libx264", "aac"),
    "a.mov": ("mpeg4", "pcm_s16le"),
    "a.mkv": ("libx264", "flac"),
}
TICK = Fraction(1, 1000)

# FFmpeg turns frames before it filters them, and then stretches them in one direction.
SQUARE = "scale=w='if(gt(sar,1),round(iw*sar),iw)':h='if(lt(sar,1),round(ih/sar),ih)'"


def write_phone_film(path, edges, turn, aspect, delays):
    """Write a film as phones do, with a beep at the start of each half second.

    Args:
      path: the file to write.
      edges: milliseconds at which the frames are shown, from 0, and at which the last one ends.
      turn: the degrees by which players turn the frames.
      aspect: the width of a pixel by its height.
      delays: milliseconds before the first frame and before the first sound.
    """
    codec, sound = CODECS[path.name]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.time_base = TICK
        stream.bit_rate = 2_000_000
        stream.set_display_rotation(turn)
        track = add_sound(container, sound, 48000)
        starts = [int(edge) + delays[0] for edge in edges]
        durations = dict(zip(starts, np.diff(starts).tolist(), strict=False))
        for number, start in enumerate([*starts[:-1], None]):
            frame = None
            if start is not None:
                frame = av.VideoFrame.from_ndarray(gliding_frame(number), "rgb24")
                frame.pts, frame.time_base = start, TICK
            for packet in stream.encode(frame):
                packet.duration = durations[packet.pts]
                container.mux(packet)
        mux_beeps(container, track, edges[-1] / 1000, delays[1] / 1000)


def shown_by_ffmpeg(path, filters):
    """Return all frames as FFmpeg's own program shows them, (t, h, w, 3)."""
    sized = path.with_suffix(".nut")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-i", str(path), "-vf", filters, "-an"]
    command += ["-fps_mode", "passthrough", "-c:v", "rawvideo", "-pix_fmt", "rgb24", str(sized)]
    subprocess.run(command, check=True, capture_output=True)
    with av.open(str(sized)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@settings(max_examples=5, deadline=None)
@given(
    name=st.sampled_from(sorted(CODECS)),
    intervals=st.lists(st.integers(10, 400), min_size=2, max_size=12),
    turn=st.sampled_from([0, 90, 180, 270]),
    aspect=st.fractions(Fraction(1, 2), 2, max_denominator=16),
    delays=st.tuples(st.integers(0, 200), st.integers(0, 200)),
)
def test_films_are_read_and_written_as_ffmpeg_shows_them(
    folder, name, intervals, turn, aspect, delays
):
    path, output = folder / name, folder / "out.mp4"
    edges = np.cumsum([0, 600, *intervals])  # so that there are beeps
    write_phone_film(path, edges, turn, aspect, delays)

    info = probe_video(path)
    times = np.arange(info.num_frames + 1) / info.fps if info.times is None else info.times
    np.testing.assert_allclose(times, edges / 1000, atol=0.0011)
    np.testing.assert_allclose(times[:-1], times_by_ffmpeg(path), atol=0.0011)
    frames = list(iterate_frames(path))
    assert frames[0].shape == (info.height, info.width, 3)
    assert mean_difference(frames, shown_by_ffmpeg(path, SQUARE)) < 3

    film_format = FilmFormat(info.height, info.width, fps=info.fps, times=info.times)
    with VideoWriter(output, film_format, sound_from=path) as writer:
        for frame in frames:
            writer.write(frame)
    np.testing.assert_allclose(times_by_ffmpeg(output), edges[:-1] / 1000, atol=0.0011)
    assert probe_video(output).seconds == pytest.approx(edges[-1] / 1000, abs=0.0011)
    crop = f"crop={info.width}:{info.height}:0:0:exact=1"  # sizes in MP4 are even
    assert mean_difference(frames, shown_by_ffmpeg(output, f"format=rgb24,{crop}")) < 4
    expected, heard = beeps_by_ffmpeg(path), beeps_by_ffmpeg(output)
    whole = expected[(expected > -0.005) & (expected < times[-1] - 0.06)]  # those that are not cut
    assert len(whole) > 0
    for beep in whole:
        assert np.abs(heard - beep).min() < 0.012
    assert len(whole) <= len(heard) <= len(expected)
