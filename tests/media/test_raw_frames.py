"""Raw frames through pipes, as FFmpeg has them."""

import io
import os
import subprocess
import threading

import imageio_ffmpeg
import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat, RawWriter, parse_raw_format, read_raw_frames

FORM = RawFormat(height=6, width=4)
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)


def test_the_format_as_flags_tell_it():
    assert parse_raw_format("640x480", "25") == RawFormat(480, 640, 25.0)
    assert parse_raw_format("4x6", "30000/1001").fps == 30000 / 1001
    assert parse_raw_format("4x6", "12.5").fps == 12.5


@pytest.mark.parametrize("size", [None, "", "640", "640x", "0x480", "640X480", "-4x6", "4x6x3"])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match=f"^--pipe_size={size or ''}: expected WIDTHxHEIGHT"):
        parse_raw_format(size, "25")


@pytest.mark.parametrize("fps", ["", "0", "-1", "abc", "1/0", "nan"])
def test_other_rates_are_refused(fps):
    with pytest.raises(InputError, match=f"^--fps={fps}: expected a number above 0"):
        parse_raw_format("4x6", fps)


def test_frames_come_as_soon_as_they_are_whole_however_the_pipe_cuts_them():
    reading, writing = (
        os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
    )

    def write():
        data = FRAMES.tobytes()
        for start in range(0, len(data), 50):
            writing.write(data[start : start + 50])
            writing.flush()
        writing.close()

    with reading:
        thread = threading.Thread(target=write)
        thread.start()
        arrived = list(read_raw_frames(reading, FORM, "pipe"))
        thread.join()
    np.testing.assert_array_equal(arrived, FRAMES)


def test_a_part_of_a_frame_at_the_end_is_told(capsys):
    data = FRAMES.tobytes()
    frames = read_raw_frames(io.BytesIO(data[:-1]), FORM, "standard input")
    np.testing.assert_array_equal(list(frames), FRAMES[:4])
    assert capsys.readouterr().err == (
        "warning: standard input: ended within frame 5, which is left out; is --pipe_size right?\n"
    )
    list(read_raw_frames(io.BytesIO(data), FORM, "standard input"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("num_bytes", [0, 71])
def test_no_frame_at_all(num_bytes):
    with pytest.raises(
        InputError, match=rf"^pipe: ended after {num_bytes} bytes, expected 72 .*4x6"
    ):
        list(read_raw_frames(io.BytesIO(bytes(num_bytes)), FORM, "pipe"))


def test_what_is_written_is_what_ffmpeg_reads(tmp_path):
    path = tmp_path / "a.raw"
    with path.open("wb") as file, RawWriter(file) as writer:
        for frame in FRAMES:
            writer.write(frame[:, ::-1])  # a view: not contiguous
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "4x6"]
    copied = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), *raw, "-i", str(path), "-vf", "hflip", *raw, "-"],
        capture_output=True,
        check=True,
    ).stdout
    found = list(read_raw_frames(io.BytesIO(copied), FORM, "pipe"))
    np.testing.assert_array_equal(found, FRAMES)


def test_a_pipe_that_nobody_reads_ends_the_writing():
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "wb")
    with pytest.raises(BrokenPipeError), RawWriter(stream) as writer:
        writer.write(FRAMES[0])
    stream.close()  # which would raise again
