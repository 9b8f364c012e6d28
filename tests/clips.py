"""Clips as other programs write them, for tests of reading."""

import re
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np

NUM_FRAMES = 40


def noisy_frame(i):
    """Draw noise above, so that packets are long, and the level 6 i below."""
    frame = np.full((48, 64, 3), 6 * i, np.uint8)
    frame[:24] = np.random.default_rng(i).integers(0, 256, (24, 64, 3))
    return frame


def gliding_frame(i):
    """Draw a gliding pattern, which encoders predict, that darkens, so that frames differ."""
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
    format=None,
    **options,
):
    """Write a clip as other programs do: with B frames, groups of pictures, rotation marks.

    It takes eight parameters because each test changes one property of the clip.

    Args:
      path: the file to write.
      codec: the encoder.
      rotation: the rotation mark in degrees, if there is one.
      faststart: put the index before the frames.
      pix_fmt: the format of the pixels.
      draw: a function that draws the frame of a number.
      format: the container; by default that of the suffix.
      milliseconds: the time of each frame; by default there are 25 a second.
      options: the encoder's options.
    """
    movflags = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", format=format, options=movflags) as container:
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


def without_beginning(path, target):
    """Write a copy of a video whose edit list leaves out the first 15 frames."""
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


def shown_by_ffmpeg(path, shape):
    """Return all frames as FFmpeg's own program shows them, (t, h, w, 3)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(shown, np.uint8).reshape(-1, *shape)


def times_by_ffmpeg(path):
    """Return when FFmpeg's own program shows each frame, in seconds from the first, (t,)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-vf", "showinfo"]
    command += ["-an", "-fps_mode", "passthrough", "-f", "null", "-"]
    lines = subprocess.run(command, capture_output=True, check=True).stderr.decode("latin1")
    times = np.array([float(time) for time in re.findall(r" pts_time:\s*(\S+)", lines)])
    return times - times[0]


def mean_difference(a, b):
    """Return the mean absolute difference of two videos, in the frame where it is largest."""
    return np.abs(np.asarray(a, int) - np.asarray(b, int)).mean(axis=(1, 2, 3)).max()
