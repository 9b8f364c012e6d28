"""A user's pictures by a user's videos: which frames are written where, whatever a model makes."""

import dataclasses
import importlib.util
import io
import pathlib
import re
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from films import beeps, write_film

from fomm_jax.animation.motion import Motion
from fomm_jax.animation.motion_transfer import EncodedSource
from fomm_jax.config.schema import Config, DatasetConfig, NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.video_reader import iterate_frames, probe_video
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Credentials, Marking, SourceType
from fomm_jax.rendering.animate_files import Pipes, animate_files
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.types import FrameKeypoints, Keypoints

SIZE = 16
DEFAULT = AnimationOptions()


@pytest.fixture(autouse=True)
def without_detector(monkeypatch):
    """Looking for faces takes time and finds none here."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


class Brightener:
    """In place of an `Animator`: the source, brighter by what the driving frame is since the first.

    The mean level of a frame stands for its keypoints: by that much a triangle has moved.
    """

    config = Config(dataset=DatasetConfig(frame_shape=(SIZE, SIZE, 3)))
    fingerprint = "brightener"

    def __init__(self):
        self.num_detected = 0
        self.normalizations = []

    def encode(self, picture):
        (keypoints,) = self.detect([picture])
        return EncodedSource(picture, Keypoints(keypoints.value[None]), None)

    def detect(self, frames):
        for frame in frames:
            self.num_detected += 1
            moved = np.float32(frame.mean() / 255)
            yield FrameKeypoints(np.array([[0, 0], [0, 1], [1 + moved, 0]], np.float32))

    def check_motion(self, motion):
        if motion.model != self.fingerprint:
            raise InputError("the motion was recorded with another model")

    def animate_keypoints(self, source, keypoints, *, initial, normalization):
        self.normalizations.append(normalization)
        for found in keypoints:
            initial = found if initial is None else initial
            moved = 255 * (found.value - initial.value)[2, 0]
            yield np.rint(source.frame + moved).clip(0, 255).astype(np.uint8)


def animate(
    sources,
    drivings,
    output,
    options=DEFAULT,
    *,
    motions=(),
    animator=None,
    pipes=None,
    marking=None,
):
    return animate_files(
        animator or Brightener(),
        [str(path) for path in sources],
        [str(path) for path in drivings],
        [str(path) for path in motions],
        str(output),
        options,
        pipes or Pipes(io.BytesIO(), io.BytesIO()),
        marking=marking,
    )


def grey(path, level, shape=(SIZE, SIZE)):
    write_picture(path, np.full((*shape, 3), level, np.uint8))
    return path


def ramp(path, levels, shape=(SIZE, SIZE), fps=25):
    with VideoWriter(path, FilmFormat(*shape, fps=fps)) as writer:
        for level in levels:
            writer.write(np.full((*shape, 3), level, np.uint8))
    return path


def levels_of(path):
    return [frame.mean() for frame in iterate_frames(path)]


@pytest.fixture
def source(tmp_path):
    return grey(tmp_path / "source.png", 50)


def test_one_picture_by_one_film(tmp_path, source):
    driving = ramp(tmp_path / "driving.mp4", [10, 20, 50, 30, 10], fps=30000 / 1001)
    (output,) = animate([source], [driving], tmp_path / "new" / "film.mp4")
    assert output == str(tmp_path / "new" / "film.mp4")
    np.testing.assert_allclose(levels_of(output), [50, 60, 90, 70, 50], atol=2)
    info = probe_video(output)
    assert (info.height, info.width) == (SIZE, SIZE)
    assert info.fps == pytest.approx(30000 / 1001, abs=1e-9)


def test_sound_goes_along_unless_it_is_not_wanted(tmp_path, source, capsys):
    write_film(tmp_path / "a.mp4", seconds=1)
    (output,) = animate([source], [tmp_path / "a.mp4"], tmp_path / "film.mp4")
    np.testing.assert_allclose(beeps(output), [0, 0.5], atol=0.005)
    for sound, count in ((True, 2), (False, None)):
        animate([source], [tmp_path / "a.mp4"], output, AnimationOptions(sound=sound))
        found = beeps(output)
        assert (found if found is None else len(found)) == count
    assert "warning" not in capsys.readouterr().err
    animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif")
    warning = capsys.readouterr().err.splitlines()[0]
    assert warning == (
        f"warning: {tmp_path}/film.gif cannot hold sound; that of {tmp_path}/a.mp4 is left out"
    )
    animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif", AnimationOptions(sound=False))
    assert "warning" not in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^--sound: .*film\.gif cannot hold sound; expected"):
        animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif", AnimationOptions(sound=True))
    silent = ramp(tmp_path / "silent.mp4", [0, 9])
    with pytest.raises(InputError, match=r"^--sound: .*silent\.mp4 has no sound"):
        animate([source], [silent], tmp_path / "film.mp4", AnimationOptions(sound=True))


def test_all_pairs_of_several(tmp_path):
    sources = [grey(tmp_path / "a.png", 50), grey(tmp_path / "b.png", 100)]
    drivings = [ramp(tmp_path / "c.mp4", [0, 10, 20]), ramp(tmp_path / "d.gif", [0, 40])]
    animator = Brightener()
    outputs = animate(sources, drivings, tmp_path / "out", animator=animator)
    found = {pathlib.Path(path).name: levels_of(path) for path in outputs}
    expected = {
        "c-a.mp4": [50, 60, 70],
        "c-b.mp4": [100, 110, 120],
        "d-a.mp4": [50, 90],
        "d-b.mp4": [100, 140],
    }
    assert list(found) == list(expected)
    for name, levels in expected.items():
        np.testing.assert_allclose(found[name], levels, atol=2)
    assert animator.num_detected == 2 + 3 + 2  # of each picture and of each video once


def test_several_side_by_side(tmp_path):
    sources = [grey(tmp_path / "a.png", 50), grey(tmp_path / "b.png", 100)]
    driving = ramp(tmp_path / "c.mp4", [0, 60, 120])
    options = AnimationOptions(side_by_side=True)
    outputs = animate(sources, [driving], tmp_path, options)
    for path, level in zip(outputs, (50, 100), strict=True):
        for i, frame in enumerate(iterate_frames(path)):
            left, _, _, _, right = np.split(frame, np.cumsum([SIZE, 4, SIZE, 4]), axis=1)
            assert left[2:-2, 2:-2].mean() == pytest.approx(level, abs=6)
            assert right[2:-2, 2:-2].mean() == pytest.approx(level + 60 * i, abs=6)


def test_pasted_back_the_film_has_the_size_of_the_picture(tmp_path):
    source = grey(tmp_path / "a.png", 50, shape=(60, 40))
    driving = ramp(tmp_path / "c.mp4", [0, 100])
    options = AnimationOptions(paste_back=True, crop=(10, 20, 20, 20))
    (output,) = animate([source], [driving], tmp_path / "out.mp4", options)
    first, second = (frame[..., 0].astype(int) for frame in iterate_frames(output))
    assert np.abs(first - 50).max() <= 2
    assert second[30, 20] == pytest.approx(150, abs=3)
    second[18:42, 8:32] = 50
    assert np.abs(second - 50).max() <= 3


def test_pictures_and_videos_have_crops_of_their_own(tmp_path):
    picture = np.repeat(np.array([10, 60], np.uint8), 20)[None, :, None].repeat(40, 0).repeat(3, 2)
    write_picture(tmp_path / "a.png", picture)
    with VideoWriter(tmp_path / "c.mp4", FilmFormat(40, 80, fps=25)) as writer:
        for level in (0, 50):
            frame = np.full((40, 80, 3), 200, np.uint8)
            frame[:, :40] = level
            writer.write(frame)
    options = AnimationOptions(crop=(24, 8, 16, 32), crop_driving=(0, 0, 36, 40))
    (output,) = animate([tmp_path / "a.png"], [tmp_path / "c.mp4"], tmp_path / "o.mp4", options)
    assert probe_video(output).width == SIZE // 2
    np.testing.assert_allclose(levels_of(output), [60, 110], atol=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (False, True, True)),
        ({"relative": False}, (False, False, False)),
        ({"adapt_scale": True}, (True, True, True)),
        ({"relative": True, "adapt_scale": False}, (False, True, True)),
    ],
)
def test_motion_is_carried_over_as_wanted(tmp_path, source, options, expected):
    animator = Brightener()
    driving = ramp(tmp_path / "c.mp4", [0, 50])
    animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(**options), animator=animator)
    assert animator.normalizations == [NormalizationConfig(*expected)]


@pytest.mark.parametrize(
    ("best_frame", "levels"),
    [(None, [50, 60, 90, 70]), (2, [10, 20, 50, 30]), (3, [30, 40, 70, 50])],
)
def test_motion_starts_from_the_frame_that_is_wanted(tmp_path, source, best_frame, levels):
    driving = ramp(tmp_path / "c.mp4", [10, 20, 50, 30])
    options = AnimationOptions(best_frame=best_frame)
    (output,) = animate([source], [driving], tmp_path / "o.mp4", options)
    np.testing.assert_allclose(levels_of(output), levels, atol=2)


def test_the_best_frame_is_that_of_the_same_shape(tmp_path, capsys):
    sources = [grey(tmp_path / "a.png", 50), grey(tmp_path / "b.png", 19)]
    driving = ramp(tmp_path / "c.mp4", [10, 20, 50, 30])
    options = AnimationOptions(best_frame="auto")
    outputs = animate(sources, [driving], tmp_path, options)
    np.testing.assert_allclose(levels_of(outputs[0]), [10, 20, 50, 30], atol=2)
    np.testing.assert_allclose(levels_of(outputs[1]), [9, 19, 49, 29], atol=2)
    told = [line for line in capsys.readouterr().err.splitlines() if "starts" in line]
    assert told == [
        f"{driving}: motion starts from frame 2, most like {sources[0]} by its keypoints",
        f"{driving}: motion starts from frame 1, most like {sources[1]} by its keypoints",
    ]


def test_a_frame_that_is_not_there(tmp_path, source):
    driving = ramp(tmp_path / "c.mp4", [10, 20])
    with pytest.raises(InputError, match=r"^--best_frame=2: expected less, .*c\.mp4 has 2 frames"):
        animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(best_frame=2))
    with pytest.raises(InputError, match=r"^--best_frame=face: .*\[evaluation\]"):
        animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(best_frame="face"))
    assert not (tmp_path / "o.mp4").exists()


def test_a_motion_goes_without_its_video(tmp_path, source):
    driving = ramp(tmp_path / "c.mp4", [10, 20, 50, 30], fps=12.5)
    motion = tmp_path / "kept" / "c.motion"
    options = AnimationOptions(best_frame="auto", save_motion=str(motion))
    animate([source], [driving], tmp_path / "o.mp4", options)
    kept = Motion.load(motion)
    assert (len(kept), kept.fps, kept.initial, kept.model) == (4, 12.5, 2, "brightener")
    driving.unlink()
    (output,) = animate([source], [], tmp_path / "again.mp4", motions=[motion])
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "o.mp4").read_bytes()
    side = AnimationOptions(side_by_side=True, best_frame=0)
    (output,) = animate([source], [], tmp_path / "side.mp4", side, motions=[motion])
    for frame, level in zip(iterate_frames(output), [50, 60, 90, 70], strict=True):
        assert frame[6:-2, -SIZE + 6 : -6].mean() == pytest.approx(level, abs=6)
        assert frame[:4, SIZE + 12 : SIZE + 16].max() < 60  # no driving frame, away from keypoints
    faces = AnimationOptions(best_frame="face")
    with pytest.raises(InputError, match=r"^--best_frame=face: .*c\.motion shows no faces"):
        animate([source], [], tmp_path / "face.mp4", faces, motions=[motion])


def test_motions_that_cannot_be_used(tmp_path, source):
    driving = ramp(tmp_path / "c.mp4", [10, 20])
    keep = AnimationOptions(save_motion=str(tmp_path / "m"))
    other = Brightener()
    other.fingerprint = "other"
    animate([source], [driving], tmp_path / "o.mp4", keep, animator=other)
    with pytest.raises(InputError, match=r"/m: the motion was recorded with another model"):
        animate([source], [], tmp_path / "p.mp4", motions=[tmp_path / "m"])
    with pytest.raises(InputError, match=r"c\.mp4: "):
        animate([source], [], tmp_path / "p.mp4", motions=[driving])
    second = ramp(tmp_path / "d.mp4", [10, 20])
    with pytest.raises(InputError, match=r"^--save_motion: expected one video, got 2"):
        animate([source], [driving, second], tmp_path / "out", keep)
    nowhere = AnimationOptions(save_motion=str(tmp_path / "o.mp4" / "m"))
    with pytest.raises(InputError, match=r"/o\.mp4/m: cannot be written"):
        animate([source], [driving], tmp_path / "p.mp4", nowhere)


def test_smoothing_calms_and_tells(tmp_path, source, capsys):
    driving = ramp(tmp_path / "c.mp4", [100, 110] * 10)
    animate([source], [driving], tmp_path / "rough.mp4")
    assert "jitter" not in capsys.readouterr().err
    (output,) = animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(smooth=True))
    assert np.ptp(levels_of(output)[5:]) < 0.5 * np.ptp(levels_of(tmp_path / "rough.mp4")[5:])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "jitter" in line]
    before, after = re.search(r"of the keypoints ([.\d]+), smoothed ([.\d]+)$", line).groups()
    shaking = np.abs(np.diff(levels_of(driving), 2)).mean() / 255
    assert float(before) == pytest.approx(shaking / 3, abs=1e-5)  # one of three points moves
    assert float(after) < float(before) / 2


def test_a_damaged_end_is_told_and_what_comes_before_is_used(tmp_path, source, capsys):
    write_film(tmp_path / "a.mp4", codec=None, options={"movflags": "faststart"})
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    options = AnimationOptions(crop_driving="none")
    (output,) = animate([source], [tmp_path / "a.mp4"], tmp_path / "film.mp4", options)
    count = len(levels_of(output))
    assert 5 < count < 45
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning:" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"a.mp4: is cut short after frame {count}; the animation ends there")


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
    np.testing.assert_allclose(levels_of(tmp_path / "b.mp4"), levels_of(output), atol=2)


def test_a_frame_is_written_as_soon_as_it_can_be(source):
    """With a webcam at one end and a window at the other nothing may wait for the end."""
    written = io.BytesIO()
    seen = []

    class Camera(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            if len(seen) == 5:
                return 0
            seen.append(len(written.getvalue()))
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    pipes = Pipes(Camera(), written, RawFormat(SIZE, SIZE))
    animate([source], ["-"], "-", pipes=pipes)
    frame = SIZE * SIZE * 3
    assert seen == [0, frame, 2 * frame, 3 * frame, 4 * frame]
    assert len(written.getvalue()) == 5 * frame


def test_pipes_go_with_several_pictures_too(tmp_path):
    sources = [grey(tmp_path / "a.png", 50), grey(tmp_path / "b.png", 100)]
    frames = np.repeat(np.array([0, 30], np.uint8), SIZE * SIZE * 3).tobytes()
    pipes = Pipes(io.BytesIO(frames), io.BytesIO(), RawFormat(SIZE, SIZE, 10.0))
    outputs = animate(sources, ["-"], tmp_path / "out", pipes=pipes)
    assert [pathlib.Path(path).name for path in outputs] == ["pipe-a.mp4", "pipe-b.mp4"]
    np.testing.assert_allclose(levels_of(outputs[1]), [100, 130], atol=2)
    assert probe_video(outputs[1]).fps == 10
    pipes = Pipes(io.BytesIO(frames), io.BytesIO(), RawFormat(SIZE, SIZE))
    with pytest.raises(InputError, match=r"^--side_by_side: would need .*; expected one --source"):
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


BAD = {
    "picture as video": (["a.png"], ["a.png"], "o.mp4", r"a\.png: is a picture, expected a video"),
    "video as picture": (["c.mp4"], ["c.mp4"], "o.mp4", r"c\.mp4: is a video, expected a picture"),
    "text as picture": (["t.txt"], ["c.mp4"], "o.mp4", r"t\.txt: cannot be read as a picture"),
    "text as video": (["a.png"], ["t.txt"], "o.mp4", r"t\.txt: cannot be read as a video"),
    "no picture": (["none.png"], ["c.mp4"], "o.mp4", r"none\.png: there is no such file"),
    "no video": (["a.png"], ["none.mp4"], "o.mp4", r"none\.mp4: there is no such file"),
    "unknown suffix": (["a.png"], ["c.mp4"], "o.xyz", r"o\.xyz: expected .* \.mp4 or \.gif"),
    "file in place of a folder": (["a.png"], ["c.mp4"], "t.txt/o.mp4", r"o\.mp4: cannot be writ"),
    "several to one file": (["a.png"] * 2 + ["b.png"], ["c.mp4"], "o.mp4", "expected a folder"),
    "video as output": (["a.png"], ["c.mp4"], "c.mp4", r"c\.mp4: would be written over an input"),
    "second of two": (["a.png"], ["c.mp4", "t.txt"], "out", r"t\.txt: cannot be read as a video"),
}


@pytest.mark.parametrize(("sources", "drivings", "output", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_told_and_nothing_stays(tmp_path, sources, drivings, output, message):
    grey(tmp_path / "a.png", 0)
    grey(tmp_path / "b.png", 0)
    ramp(tmp_path / "c.mp4", [0, 1])
    (tmp_path / "t.txt").write_text("text")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message) as error:
        animate(
            [tmp_path / name for name in sources],
            [tmp_path / name for name in drivings],
            tmp_path / output,
        )
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_options_that_exclude_each_other(tmp_path, source):
    (tmp_path / "link").symlink_to(tmp_path)
    driving = ramp(tmp_path / "c.mp4", [0, 50])
    options = AnimationOptions(paste_back=True, side_by_side=True)
    with pytest.raises(InputError, match=r"^--paste_back, --side_by_side: expected one of them"):
        animate([source], [driving], tmp_path / "o.mp4", options)
    with pytest.raises(InputError, match=r"^--pipe_size: expected WIDTHxHEIGHT"):
        animate([source], ["-"], tmp_path / "o.mp4")
    for over in (source, tmp_path / "link" / source.name, tmp_path / "o.mp4"):
        options = AnimationOptions(save_motion=str(over))
        with pytest.raises(InputError, match="would be written over an input or another output"):
            animate([source], [driving], tmp_path / "o.mp4", options)


MEMORY = """
import resource, sys
sys.path[:0] = ["tests", "tests/rendering"]
from test_animate_files import AnimationOptions, animate
for driving in sys.argv[2:]:
    animate([sys.argv[1]], [driving], driving + ".out.mp4", AnimationOptions(side_by_side=True))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_long_film_needs_no_more_memory_than_a_short_one(tmp_path, source):
    pattern = np.arange(256, dtype=np.uint8)[:, None, None].repeat(256, 1).repeat(3, 2)
    films = []
    for count in (100, 400):  # the frames of the second, 256 x 256 each, have 79 MB
        films.append(tmp_path / f"{count}.mp4")
        with VideoWriter(films[-1], FilmFormat(256, 256, fps=25)) as writer:
            for i in range(count):
                writer.write(np.roll(pattern, i, axis=0))
    printed = subprocess.run(
        [sys.executable, "-c", MEMORY, source, films[0], films[1]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    short, long = (int(line) / 1024 for line in printed.split())
    assert long - short < 20


@pytest.mark.parametrize(
    ("options", "source_type"),
    [
        (DEFAULT, SourceType.CREATED),
        (AnimationOptions(paste_back=True), SourceType.EDITED),
        (AnimationOptions(side_by_side=True), SourceType.COMPOSITE),
    ],
)
def test_film_says_what_of_it_is_generated(tmp_path, source, options, source_type):
    write_film(tmp_path / "a.mp4", seconds=1)
    (output,) = animate(
        [source], [tmp_path / "a.mp4"], tmp_path / "film.mp4", options, marking=Marking("model")
    )
    marks = read_marks(output)
    assert marks.found == {"comment": source_type, "XMP": source_type}
    assert len(beeps(output)) == 2  # sound is there too
    animate([source], [tmp_path / "a.mp4"], output, options)
    assert read_marks(output).found == {}


def test_pair_is_told_to_the_manifest(tmp_path, source, monkeypatch):
    """Each film of several is marked with its own picture and video, and a pipe with no file."""
    marked = {}

    def record(path, film_format, *, marking, **_):
        marked[pathlib.Path(path).name] = marking
        return VideoWriter(path, film_format)

    monkeypatch.setattr("fomm_jax.rendering.animate_files.VideoWriter", record)
    other, driving = grey(tmp_path / "other.png", 80), ramp(tmp_path / "d.mp4", [10, 20])
    marking = Marking("model", credentials=Credentials("certificate", "key", "es256"))
    animate([source, other], [driving], tmp_path / "made", marking=marking)
    pipes = Pipes(io.BytesIO(bytes(3 * SIZE * SIZE)), io.BytesIO(), RawFormat(SIZE, SIZE))
    animate([source], ["-"], tmp_path / "made" / "piped.mp4", pipes=pipes, marking=marking)
    assert marked == {
        "d-source.mp4": dataclasses.replace(marking, source=str(source), driving=str(driving)),
        "d-other.mp4": dataclasses.replace(marking, source=str(other), driving=str(driving)),
        "piped.mp4": dataclasses.replace(marking, source=str(source)),
    }


def test_raw_frames_cannot_be_marked(tmp_path, source, capsys):
    driving = ramp(tmp_path / "driving.mp4", [10, 20])
    for marking, count in ((Marking("model"), 1), (None, 0)):
        pipes = Pipes(io.BytesIO(), io.BytesIO())
        animate([source], [driving], "-", pipes=pipes, marking=marking)
        assert len(pipes.output.getvalue()) == 2 * 3 * SIZE * SIZE
        assert capsys.readouterr().err.count("raw frames cannot say that a model made") == count
