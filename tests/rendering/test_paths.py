"""Names of the films."""

import pytest

from fomm_jax.errors import InputError
from fomm_jax.rendering.paths import output_paths


def test_one_pair_is_written_to_the_file_itself(tmp_path):
    output = str(tmp_path / "new" / "Film.MP4")
    assert output_paths(["a.png"], ["b.mp4"], output) == {("a.png", "b.mp4"): output}
    assert output_paths(["a.png"], ["-"], "-") == {("a.png", "-"): "-"}


def test_one_pair_may_go_into_a_folder(tmp_path):
    for folder in (str(tmp_path), f"{tmp_path}/new/"):
        (path,) = output_paths(["x/a.png"], ["y/b.c.mp4"], folder).values()
        assert path == f"{folder.rstrip('/')}/b.c-a.mp4"


def test_in_a_bucket_what_is_no_film_is_a_folder():
    for output, path in (
        ("gs://bucket/films", "gs://bucket/films/b-a.mp4"),
        ("gs://bucket/film.gif", "gs://bucket/film.gif"),
    ):
        assert output_paths(["a.png"], ["b.mp4"], output) == {("a.png", "b.mp4"): path}


def test_all_pairs_of_several(tmp_path):
    folder = tmp_path / "new.v2"
    paths = output_paths(["a.png", "b.png"], ["c.mp4", "-"], str(folder))
    assert list(paths.items()) == [
        (("a.png", "c.mp4"), f"{folder}/c-a.mp4"),
        (("b.png", "c.mp4"), f"{folder}/c-b.mp4"),
        (("a.png", "-"), f"{folder}/pipe-a.mp4"),
        (("b.png", "-"), f"{folder}/pipe-b.mp4"),
    ]


@pytest.mark.parametrize("output", ["out.avi", "out", "out.png"])
def test_other_kinds_of_files_are_refused(output):
    with pytest.raises(InputError, match=f"^output={output}: expected .* in .mp4 or .gif"):
        output_paths(["a.png"], ["b.mp4"], output)


@pytest.mark.parametrize("output", ["out.mp4", "out.GIF", "-"])
def test_several_need_a_folder(output):
    with pytest.raises(InputError, match=f"^output={output}: .* 2 animations of 2 pictures by 1"):
        output_paths(["a.png", "b.png"], ["b.mp4"], output)


def test_one_file_for_two_pairs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"b-a\.mp4: would be .* x/a\.png .* y/a\.jpg and b\.mp4"):
        output_paths(["x/a.png", "y/a.jpg"], ["b.mp4"], str(tmp_path))
    paths = output_paths(["x/a.png", "x/a.png"], ["b.mp4"], str(tmp_path))  # the same picture twice
    assert list(paths) == [("x/a.png", "b.mp4")]
