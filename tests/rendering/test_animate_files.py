"""Films that `animate_files` makes of pictures and videos, and the input that it refuses."""

import pathlib
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from brightener import SIZE, Brightener, animate, read_levels, write_grey, write_levels
from films import write_film
from PIL import Image

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")


def test_one_picture_by_one_film(tmp_path, source):
    driving = write_levels(tmp_path / "driving.mp4", [10, 20, 50, 30, 10], fps=30000 / 1001)
    (output,) = animate([source], [driving], tmp_path / "new" / "film.mp4")
    assert output == str(tmp_path / "new" / "film.mp4")
    np.testing.assert_allclose(read_levels(output), [50, 60, 90, 70, 50], atol=2)
    info = probe_video(output)
    assert (info.height, info.width) == (SIZE, SIZE)
    assert info.fps == pytest.approx(30000 / 1001, abs=1e-9)


def test_all_pairs_of_several(tmp_path):
    sources = [write_grey(tmp_path / "a.png", 50), write_grey(tmp_path / "b.png", 100)]
    drivings = [
        write_levels(tmp_path / "c.mp4", [0, 10, 20]),
        write_levels(tmp_path / "d.gif", [0, 40]),
    ]
    animator = Brightener()
    outputs = animate(sources, drivings, tmp_path / "out", animator=animator)
    levels_of = {pathlib.Path(path).name: read_levels(path) for path in outputs}
    expected = {
        "c-a.mp4": [50, 60, 70],
        "c-b.mp4": [100, 110, 120],
        "d-a.mp4": [50, 90],
        "d-b.mp4": [100, 140],
    }
    assert list(levels_of) == list(expected)
    for name, levels in expected.items():
        np.testing.assert_allclose(levels_of[name], levels, atol=2)
    assert animator.num_detected == 2 + 3 + 2  # of each picture and of each video once


def test_several_side_by_side(tmp_path):
    sources = [write_grey(tmp_path / "a.png", 50), write_grey(tmp_path / "b.png", 100)]
    driving = write_levels(tmp_path / "c.mp4", [0, 60, 120])
    options = AnimationOptions(side_by_side=True)
    outputs = animate(sources, [driving], tmp_path, options)
    for path, level in zip(outputs, (50, 100), strict=True):
        for i, frame in enumerate(iterate_frames(path)):
            left, _, _, _, right = np.split(frame, np.cumsum([SIZE, 4, SIZE, 4]), axis=1)
            assert left[2:-2, 2:-2].mean() == pytest.approx(level, abs=6)
            assert right[2:-2, 2:-2].mean() == pytest.approx(level + 60 * i, abs=6)


def test_a_pasted_film_has_the_size_of_the_picture(tmp_path):
    source = write_grey(tmp_path / "a.png", 50, shape=(60, 40))
    driving = write_levels(tmp_path / "c.mp4", [0, 100])
    options = AnimationOptions(paste_back=True, crop=(10, 20, 20, 20))
    (output,) = animate([source], [driving], tmp_path / "out.mp4", options)
    first, second = (frame[..., 0].astype(int) for frame in iterate_frames(output))
    assert np.abs(first - 50).max() <= 2
    assert second[30, 20] == pytest.approx(150, abs=3)
    second[18:42, 8:32] = 50
    assert np.abs(second - 50).max() <= 3


def test_pictures_and_videos_are_cropped_separately(tmp_path):
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
    np.testing.assert_allclose(read_levels(output), [60, 110], atol=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (False, True, True)),
        ({"motion_transfer": "absolute"}, (False, False, False)),
        ({"adapt_scale": True}, (True, True, True)),
        ({"motion_transfer": "relative", "adapt_scale": False}, (False, True, True)),
    ],
)
def test_options_change_how_motion_is_transferred(tmp_path, source, options, expected):
    animator = Brightener()
    driving = write_levels(tmp_path / "c.mp4", [0, 50])
    animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(**options), animator=animator)
    assert animator.normalizations == [NormalizationConfig(*expected)]


def test_a_mode_of_transfer_that_the_model_lacks_is_refused_before_the_work_begins(
    tmp_path, source
):
    animator = Brightener()
    driving = write_levels(tmp_path / "c.mp4", [0, 50])
    options = AnimationOptions(motion_transfer="avd")
    with pytest.raises(InputError, match=r"^motion_transfer: expected relative or absolute"):
        animate([source], [driving], tmp_path / "o.mp4", options, animator=animator)
    assert animator.num_detected == 0


def test_a_film_with_a_damaged_end_is_animated_up_to_it(tmp_path, source, capsys):
    write_film(tmp_path / "a.mp4", codec=None, options={"movflags": "faststart"})
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    options = AnimationOptions(crop_driving="none")
    (output,) = animate([source], [tmp_path / "a.mp4"], tmp_path / "film.mp4", options)
    count = len(read_levels(output))
    assert 5 < count < 45
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning:" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"a.mp4: is cut short after frame {count}; the animation ends there")


def test_a_size_that_the_encoder_cannot_take_is_named_before_the_work_begins(tmp_path):
    write_grey(tmp_path / "long.png", 50, (16400, 16))
    driving = write_levels(tmp_path / "c.mp4", [0, 50])
    animator = Brightener()
    options = AnimationOptions(paste_back=True, best_frame=1)
    with pytest.raises(InputError) as caught:
        animate([tmp_path / "long.png"], [driving], tmp_path / "o.mp4", options, animator=animator)
    assert str(caught.value) == (
        f"{tmp_path / 'o.mp4'}: an MP4 file cannot have frames of 16x16400, expected at most 16384"
        " pixels a side"
    )
    assert animator.num_detected == 1  # of the picture
    assert not (tmp_path / "o.mp4").exists()


def test_a_long_picture_costs_little_memory(tmp_path):
    write_grey(tmp_path / "long.png", 50, (20000, 200))
    driving = write_levels(tmp_path / "c.mp4", [0, 50])
    tracemalloc.start()
    options = AnimationOptions(crop="none")
    (output,) = animate([tmp_path / "long.png"], [driving], tmp_path / "o.mp4", options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(read_levels(output)) == 2
    assert peak < 8 * 20000 * 200 * 3  # the model's frame in its size would be 1.2 GB


def test_the_background_of_a_transparent_picture(tmp_path):
    picture = np.zeros((SIZE, SIZE, 4), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    driving = write_levels(tmp_path / "c.mp4", [0, 0])
    for background, level in (((255, 255, 255), 255), ((60, 60, 60), 60)):
        options = AnimationOptions(background=background)
        (output,) = animate([tmp_path / "a.png"], [driving], tmp_path / "o.mp4", options)
        np.testing.assert_allclose(read_levels(output), level, atol=2)


BAD = {
    "animation as picture": (["m.gif"], ["c.mp4"], "o.mp4", r"m\.gif: is an animation, expected a"),
    "folder as picture": (["folder"], ["c.mp4"], "o.mp4", "folder: is a folder, expected a pict"),
    "empty folder as video": (["a.png"], ["folder"], "o.mp4", "folder: has no pictures; expected"),
    "picture as video": (["a.png"], ["a.png"], "o.mp4", r"a\.png: is a picture, expected a video"),
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
def test_bad_input_is_refused_and_no_file_remains(tmp_path, sources, drivings, output, message):
    write_grey(tmp_path / "a.png", 0)
    write_grey(tmp_path / "b.png", 0)
    write_levels(tmp_path / "c.mp4", [0, 1])
    write_levels(tmp_path / "m.gif", [0, 1])
    (tmp_path / "t.txt").write_text("text")
    (tmp_path / "folder").mkdir()
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
    driving = write_levels(tmp_path / "c.mp4", [0, 50])
    options = AnimationOptions(paste_back=True, side_by_side=True)
    with pytest.raises(InputError, match=r"^paste_back, side_by_side: expected one of them"):
        animate([source], [driving], tmp_path / "o.mp4", options)
    with pytest.raises(InputError, match=r"^pipes.raw_format: expected the size"):
        animate([source], ["-"], tmp_path / "o.mp4")
    for over in (source, tmp_path / "link" / source.name, tmp_path / "o.mp4"):
        options = AnimationOptions(save_motion=str(over))
        with pytest.raises(InputError, match="would be written over an input or another output"):
            animate([source], [driving], tmp_path / "o.mp4", options)


MEMORY = """
import resource, sys
sys.path[:0] = ["tests"]
from brightener import AnimationOptions, animate
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
