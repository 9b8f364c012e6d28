"""Films for tests, with sound or marks."""

from fractions import Fraction

import av
import numpy as np

from fomm_jax.media.video_writer import FilmFormat, VideoWriter


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
    rate = 44100
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        video.height, video.width, video.pix_fmt = height, width, "yuv420p"
        tick = 1 / Fraction(fps).limit_denominator(1001)
        video.codec_context.time_base = tick
        sound = container.add_stream(codec, rate=rate) if codec else None
        if sound:
            sound.layout = "mono"
        for i in range(round(seconds * fps)):
            noise = np.random.default_rng(i).integers(0, 256, (height, width), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "gray")
            frame.pts, frame.time_base = i + round(video_delay * fps), tick
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            time = np.arange(round(seconds * rate)) / rate
            wave = 0.5 * np.sin(2 * np.pi * 440 * time) * (time % 0.5 < 0.05)
            resampler = av.AudioResampler(sound.format, sound.layout, rate)
            for start in range(0, len(wave), 1024):
                samples = wave[None, start : start + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = start + round(sound_delay * rate)
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
            samples = np.abs(frame.to_ndarray()).reshape(-1)
            samples = samples / np.iinfo(np.int16).max if samples.dtype == np.int16 else samples
            times = float(frame.pts * frame.time_base) + np.arange(len(samples)) / frame.rate
            loud += times[samples > 0.25].tolist()
    loud = np.array(loud) - first
    return loud[np.diff(loud, prepend=-1) > 0.2]


def sound_packets(path):
    """Return the packets of the sound track as bytes."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


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
