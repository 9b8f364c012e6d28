"""Raw frames through pipes, in the format that FFmpeg uses."""

import io
import os
import subprocess
import threading

import imageio_ffmpeg
import numpy as np
import pytest

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat, RawWriter, read_raw_frames

FORM = RawFormat(height=6, width=4)
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)


def test_frames_are_whole_however_the_pipe_cuts_them():
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


def test_a_partial_frame_at_the_end_is_left_out_with_a_warning(capsys):
    data = FRAMES.tobytes()
    frames = read_raw_frames(io.BytesIO(data[:-1]), FORM, "standard input")
    np.testing.assert_array_equal(list(frames), FRAMES[:4])
    assert capsys.readouterr().err == (
        "warning: standard input: ended within frame 5, which is left out;"
        " was 4x6 the right size?\n"
    )
    list(read_raw_frames(io.BytesIO(data), FORM, "standard input"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("num_bytes", [0, 71])
def test_a_stream_without_a_whole_frame_is_refused(num_bytes):
    with pytest.raises(
        InputError, match=rf"^pipe: ended after {num_bytes} bytes, expected 72 .*4x6"
    ):
        list(read_raw_frames(io.BytesIO(bytes(num_bytes)), FORM, "pipe"))


def test_ffmpeg_reads_and_writes_the_same_format(tmp_path):
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
    mirrored = list(read_raw_frames(io.BytesIO(copied), FORM, "pipe"))
    np.testing.assert_array_equal(mirrored, FRAMES)


def test_writing_to_a_pipe_without_a_reader_raises():
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "wb")
    with pytest.raises(BrokenPipeError), RawWriter(stream) as writer:
        writer.write(FRAMES[0])
    stream.close()  # raises if the pipe was not redirected


def test_a_full_disk_is_reported():
    with (
        pytest.raises(InputError, match=r"^standard output: cannot be written \(No space left"),
        open("/dev/full", "wb") as full,
        RawWriter(full) as writer,
    ):
        writer.write(np.zeros((32, 48, 3), np.uint8))
