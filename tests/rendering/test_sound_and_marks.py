"""What a film carries besides its frames: sound, and marks that say how it was made."""

import dataclasses
import io
import pathlib

import numpy as np
import pytest
from brightener import DEFAULT, SIZE, animate, write_grey, write_levels
from films import beeps, write_film

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.writing.video_writer import VideoWriter
from fomm_jax.provenance.mark import Credentials, Marking, SourceType
from fomm_jax.rendering.job import Pipes
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")


def test_sound_is_copied_unless_the_user_says_no(tmp_path, source, capsys):
    write_film(tmp_path / "a.mp4", seconds=1)
    (output,) = animate([source], [tmp_path / "a.mp4"], tmp_path / "film.mp4")
    np.testing.assert_allclose(beeps(output), [0, 0.5], atol=0.005)
    animate([source], [tmp_path / "a.mp4"], output, AnimationOptions(sound=True))
    assert len(beeps(output)) == 2
    animate([source], [tmp_path / "a.mp4"], output, AnimationOptions(sound=False))
    assert beeps(output) is None
    assert "warning" not in capsys.readouterr().err
    animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif")
    warning = capsys.readouterr().err.splitlines()[0]
    assert warning == (
        f"warning: {tmp_path}/film.gif cannot hold sound; that of {tmp_path}/a.mp4 is left out"
    )
    animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif", AnimationOptions(sound=False))
    assert "warning" not in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^sound: .*film\.gif cannot hold sound; expected"):
        animate([source], [tmp_path / "a.mp4"], tmp_path / "film.gif", AnimationOptions(sound=True))
    silent = write_levels(tmp_path / "silent.mp4", [0, 9])
    with pytest.raises(InputError, match=r"^sound: .*silent\.mp4 has no sound"):
        animate([source], [silent], tmp_path / "film.mp4", AnimationOptions(sound=True))


@pytest.mark.parametrize(
    ("options", "source_type"),
    [
        (DEFAULT, SourceType.CREATED),
        (AnimationOptions(paste_back=True), SourceType.EDITED),
        (AnimationOptions(side_by_side=True), SourceType.COMPOSITE),
    ],
)
def test_a_film_says_which_part_of_it_is_generated(tmp_path, source, options, source_type):
    write_film(tmp_path / "a.mp4", seconds=1)
    (output,) = animate(
        [source], [tmp_path / "a.mp4"], tmp_path / "film.mp4", options, marking=Marking("model")
    )
    marks = read_marks(output)
    assert marks.terms == {"comment": source_type, "XMP": source_type}
    assert len(beeps(output)) == 2  # sound is there too
    animate([source], [tmp_path / "a.mp4"], output, options)
    assert read_marks(output).terms == {}


def test_the_marking_names_the_inputs(tmp_path, source, monkeypatch):
    """Each of several films names its own picture and video; a film from a pipe names no video."""
    marked = {}

    def record(path, film_format, *, marking, **_):
        marked[pathlib.Path(path).name] = marking
        return VideoWriter(path, film_format)

    monkeypatch.setattr("fomm_jax.rendering.animate_files.VideoWriter", record)
    other, driving = (
        write_grey(tmp_path / "other.png", 80),
        write_levels(tmp_path / "d.mp4", [10, 20]),
    )
    marking = Marking("model", credentials=Credentials("certificate", "key", "es256"))
    animate([source, other], [driving], tmp_path / "made", marking=marking)
    pipes = Pipes(io.BytesIO(bytes(3 * SIZE * SIZE)), io.BytesIO(), RawFormat(SIZE, SIZE))
    animate([source], ["-"], tmp_path / "made" / "piped.mp4", pipes=pipes, marking=marking)
    assert marked == {
        "d-source.mp4": dataclasses.replace(marking, source=str(source), driving=str(driving)),
        "d-other.mp4": dataclasses.replace(marking, source=str(other), driving=str(driving)),
        "piped.mp4": dataclasses.replace(marking, source=str(source)),
    }
