"""Raw frames from standard input and to standard output."""

import io
import pathlib
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from brightener import SIZE, animate, read_levels, write_grey, write_levels
from films import write_film

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.job import Pipes
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")


def test_through_pipes_of_ffmpeg(tmp_path, source):
    write_film(tmp_path / "a.mp4", codec=None, size=(32, 48))
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    with (
        subprocess.Popen(
            [ffmpeg, "-i", tmp_path / "a.mp4", *raw, "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as reader,
        subprocess.Popen(
            [ffmpeg, *raw, "-s", f"{SIZE}x{SIZE}", "-r", "25", "-i", "-", tmp_path / "b.mp4"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as writer,
    ):
        pipes = Pipes(reader.stdout, writer.stdin, RawFormat(32, 48))
        assert animate([source], ["-"], "-", pipes=pipes) == ["-"]
    (output,) = animate([source], [tmp_path / "a.mp4"], tmp_path / "c.mp4")
    np.testing.assert_allclose(read_levels(tmp_path / "b.mp4"), read_levels(output), atol=2)


def test_a_frame_is_written_as_soon_as_it_can_be(source):
    """Frames may come from a webcam, so nothing may wait for the end of the stream."""
    written = io.BytesIO()
    written_before = []

    class Camera(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            if len(written_before) == 5:
                return 0
            written_before.append(len(written.getvalue()))
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    pipes = Pipes(Camera(), written, RawFormat(SIZE, SIZE))
    animate([source], ["-"], "-", pipes=pipes)
    frame = SIZE * SIZE * 3
    assert written_before == [0, frame, 2 * frame, 3 * frame, 4 * frame]
    assert len(written.getvalue()) == 5 * frame


def test_a_pipe_animates_several_pictures(tmp_path):
    sources = [write_grey(tmp_path / "a.png", 50), write_grey(tmp_path / "b.png", 100)]
    frames = np.repeat(np.array([0, 30], np.uint8), SIZE * SIZE * 3).tobytes()
    pipes = Pipes(io.BytesIO(frames), io.BytesIO(), RawFormat(SIZE, SIZE, 10.0))
    outputs = animate(sources, ["-"], tmp_path / "out", pipes=pipes)
    assert [pathlib.Path(path).name for path in outputs] == ["pipe-a.mp4", "pipe-b.mp4"]
    np.testing.assert_allclose(read_levels(outputs[1]), [100, 130], atol=2)
    assert probe_video(outputs[1]).fps == 10
    pipes = Pipes(io.BytesIO(frames), io.BytesIO(), RawFormat(SIZE, SIZE))
    with pytest.raises(InputError, match=r"^side_by_side: would need .*; expected one source"):
        animate(sources, ["-"], tmp_path / "o", AnimationOptions(side_by_side=True), pipes=pipes)


def test_a_reader_that_leaves_ends_the_animation(source, capsys):
    class Closed(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

        def fileno(self):
            return self.file.fileno()

    closed = Closed()
    with open("/dev/null", "wb") as closed.file:
        pipes = Pipes(io.BytesIO(bytes(SIZE * SIZE * 6)), closed, RawFormat(SIZE, SIZE))
        animate([source], ["-"], "-", pipes=pipes)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "standard output was closed; the animation ends there"


def test_raw_frames_cannot_be_marked(tmp_path, source, capsys):
    driving = write_levels(tmp_path / "driving.mp4", [10, 20])
    for marking, count in ((Marking("model"), 1), (None, 0)):
        pipes = Pipes(io.BytesIO(), io.BytesIO())
        animate([source], [driving], "-", pipes=pipes, marking=marking)
        assert len(pipes.output.getvalue()) == 2 * 3 * SIZE * SIZE
        assert capsys.readouterr().err.count("raw frames cannot say that a model made") == count
