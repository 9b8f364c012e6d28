"""Films for tests, with sound or marks."""

import re
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np

from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter


def write_film(
    path,
    codec="aac",
    *,
    fps=25,
    seconds=2,
    size=(32, 48),
    video_delay=0.0,
    sound_delay=0.0,
    options=None,
):
    """Write a film of grey noise whose sound is a beep of 50 ms at the start of each half second.

    It takes eight parameters because each test changes one property of the film.

    Args:
      path: the file to write.
      codec: the sound's encoder; None writes a film without sound.
      fps: frames a second.
      seconds: the length of the film.
      size: the height and width of a frame.
      video_delay, sound_delay: seconds before the first frame and before the first sound.
      options: options of the container.
    """
    height, width = size
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        video.height, video.width, video.pix_fmt = height, width, "yuv420p"
        tick = 1 / Fraction(fps).limit_denominator(1001)
        video.codec_context.time_base = tick
        sound = add_sound(container, codec) if codec else None
        for i in range(round(seconds * fps)):
            noise = np.random.default_rng(i).integers(0, 256, (height, width), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "gray")
            frame.pts, frame.time_base = i + round(video_delay * fps), tick
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            mux_beeps(container, sound, seconds, sound_delay)


def write_timed_film(path, edges, codec="libx264", *, sound=None, sound_rate=44100, delays=(0, 0)):
    """Write a film of levels whose frames are shown at given times, with beeps as `write_film`.

    Args:
      path: the file to write.
      edges: milliseconds at which the frames are shown, from 0, and at which the last one ends. In
        AVI they are multiples of 40.
      codec: the encoder of the frames.
      sound: the encoder of the sound; None writes a film without sound.
      sound_rate: samples a second.
      delays: milliseconds before the first frame and before the first sound.
    """
    tick = Fraction(1, 25) if path.suffix == ".avi" else Fraction(1, 1000)
    units = [round(Fraction(int(edge) + delays[0], 1000) / tick) for edge in edges]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.height, video.width = 32, 48
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.time_base = tick
        track = add_sound(container, sound, sound_rate) if sound else None
        durations = dict(zip(units, np.diff(units).tolist(), strict=False))
        for i, unit in enumerate([*units[:-1], None]):
            frame = None
            if unit is not None:
                level = np.full((32, 48, 3), 20 + 10 * (i % 20), np.uint8)
                frame = av.VideoFrame.from_ndarray(level, "rgb24")
                frame.pts, frame.time_base = unit, tick
            for packet in video.encode(frame):
                packet.duration = durations[packet.pts]
                container.mux(packet)
        if track:
            mux_beeps(container, track, edges[-1] / 1000, delays[1] / 1000)
    return path


def add_sound(container, codec, rate=44100):
    """Add a mono track to a file that is being written."""
    sound = container.add_stream(codec, rate=rate)
    sound.layout = "mono"
    return sound


def mux_beeps(container, sound, seconds, delay):
    """Fill a track with a beep of 50 ms at the start of each half second, after a delay."""
    rate = sound.rate
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * 440 * time) * (time % 0.5 < 0.05)
    resampler = av.AudioResampler(sound.format, sound.layout, rate, sound.frame_size or None)
    for start in range(0, len(wave), 1024):
        samples = wave[None, start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = start + round(delay * rate)
        for resampled in resampler.resample(frame):
            container.mux(sound.encode(resampled))
    container.mux(sound.encode(None))


def beeps(path):
    """Return when beeps start, in seconds from the first frame as played; None without sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        video = container.streams.video[0]
        first = float(video.start_time * video.time_base)
        loud = []
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().reshape(-1)
            if samples.dtype.kind in "iu":
                samples = samples / np.iinfo(samples.dtype).max - (samples.dtype.kind == "u") / 2
            samples = np.abs(samples)
            times = float(frame.pts * frame.time_base) + np.arange(len(samples)) / frame.rate
            loud += times[samples > 0.25].tolist()
    loud = np.array(loud) - first
    return loud[np.diff(loud, prepend=-1) > 0.2]


def beeps_by_ffmpeg(path):
    """Return when FFmpeg's own program plays beeps, in seconds from the first frame."""
    rate = 48000
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)]
    command += ["-map", "0:v", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"]
    command += ["-map", "0:a", "-af", "aresample=async=1:first_pts=0", "-ac", "1"]
    command += ["-ar", str(rate), "-f", "f32le", "-"]
    played = subprocess.run(command, capture_output=True, check=True)
    first = float(re.search(rb" pts_time:\s*(\S+)", played.stderr)[1])
    samples = np.abs(np.frombuffer(played.stdout, np.float32))
    times = np.flatnonzero(samples > samples.max() / 4) / rate
    return times[np.diff(times, prepend=-1) > 0.2] - first


def sound_packets(path):
    """Return the packets of the sound track as bytes."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def without_decoder(path, num_tracks):
    """Change the AAC of the first few sound tracks of an MP4 file to a codec that nobody knows."""
    data = path.read_bytes()
    data = data.replace(b"mp4a", b"wxyz", num_tracks).replace(b"esds", b"free", num_tracks)
    path.write_bytes(data)


def write_noise(path, marking, *, num_frames=5, sound_from=None):
    """Write a film of noise with a marking; return its path."""
    rng = np.random.default_rng(0)
    film_format = FilmFormat(32, 48, fps=25)
    with VideoWriter(path, film_format, sound_from=sound_from, marking=marking) as writer:
        for _ in range(num_frames):
            writer.write(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    return path


def write_silent_film(path, height, width, num_frames=7, fps=12.5):
    """Write a silent film of coloured noise."""
    rng = np.random.default_rng(0)
    with VideoWriter(path, FilmFormat(height, width, fps=fps)) as writer:
        for _ in range(num_frames):
            writer.write(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
