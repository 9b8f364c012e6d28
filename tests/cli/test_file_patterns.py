"""Patterns of file names."""

import pytest

from fomm_jax.cli.file_patterns import expand_patterns
from fomm_jax.errors import InputError


def test_patterns_stand_for_files_in_order(tmp_path):
    for name in ("b1.png", "b0.png", "a.jpg", "[odd].png"):
        (tmp_path / name).write_text("")
    paths = expand_patterns(
        [f"{tmp_path}/b*.png", f"{tmp_path}/[odd].png", f"{tmp_path}/none.png", "-"], "--source"
    )
    assert [name.removeprefix(f"{tmp_path}/") for name in paths] == [
        "b0.png", "b1.png", "[odd].png", "none.png", "-"
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"^--source=.*/\*\.gif: there is no such file$"):
        expand_patterns([f"{tmp_path}/*.gif"], "--source")
