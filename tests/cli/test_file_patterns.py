"""Patterns of file names."""

import pytest

from fomm_jax.cli.file_patterns import expand_patterns
from fomm_jax.errors import InputError


def expand(folder, *names):
    """Expand names in a folder, and return the paths relative to it."""
    paths = expand_patterns([f"{folder}/{name}" for name in names], "--source")
    return [path.removeprefix(f"{folder}/") for path in paths]


def test_patterns_stand_for_files_in_order(tmp_path):
    for name in ("b1.png", "b0.png", "a.jpg", "[odd].png"):
        (tmp_path / name).write_text("")
    assert expand(tmp_path, "b*.png", "[odd].png", "none.png") == [
        "b0.png", "b1.png", "[odd].png", "none.png"
    ]  # fmt: skip
    assert expand_patterns(["-"], "--source") == ["-"]
    with pytest.raises(InputError, match=r"^--source=.*/\*\.gif: there is no such file$"):
        expand(tmp_path, "*.gif")


def test_brackets_in_the_names_of_folders_are_literal(tmp_path):
    for album in ("[2024] album", "2 album", "what?"):
        (tmp_path / album / "[a]").mkdir(parents=True)
        for name in ("1.png", "2.png", "[a]/3.png"):
            (tmp_path / album / name).write_text("")
    in_album = ["[2024] album/1.png", "[2024] album/2.png"]
    assert expand(tmp_path, "[2024] album/*.png") == in_album
    assert expand(tmp_path, "[[]2024] album/*.png") == in_album
    assert expand(tmp_path, "what?/?.png") == ["what?/1.png", "what?/2.png"]
    # The folder [a] is in each of the albums.
    assert expand(tmp_path, "*/[a]/*.png") == [
        "2 album/[a]/3.png", "[2024] album/[a]/3.png", "what?/[a]/3.png"
    ]  # fmt: skip
    assert expand(tmp_path, "[2024] album/**/*.png") == sorted(
        [*in_album, "[2024] album/[a]/3.png"]
    )
    # Where nothing of that name exists, brackets stand for one of the characters in them.
    assert expand(tmp_path, "[0-9] album/1.png") == ["2 album/1.png"]
