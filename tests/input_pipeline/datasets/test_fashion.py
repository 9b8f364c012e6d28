"""The lists of the fashion videos."""

import re

import pytest

from fomm_jax.errors import InputError
from input_pipeline.datasets.fashion import Fashion


def test_the_videos_of_both_lists_are_selected(tmp_path):
    for name in ("A1.mp4", "B2.mp4", "unlisted.mp4"):
        (tmp_path / name).touch()
    train, test = tmp_path / "fashion_train.txt", tmp_path / "fashion_test.txt"
    train.write_text("https://example.org/x/A1.mp4\r\nhttps://example.org/x/C3.mp4\r\n")
    test.write_text("https://example.org/x/B2.mp4")
    selection = Fashion.select_clips(tmp_path)
    assert [(clip.name, clip.path, clip.start, clip.end) for clip in selection.train] == [
        ("A1.mp4", tmp_path / "A1.mp4", 0.0, None)
    ]
    assert [clip.name for clip in selection.test] == ["B2.mp4"]
    assert selection.missing == ["C3.mp4"]
    for content, message in (
        (b"https://example.org/x/", "https://example.org/x/ does not end in a file name"),
        (b" \n", "is empty; expected the address of a video on each line"),
        (b"\xff", "cannot be read (it is not text in UTF-8)"),
    ):
        test.write_bytes(content)
        with pytest.raises(InputError, match=f"^{re.escape(f'{test}: {message}')}"):
            Fashion.select_clips(tmp_path)
    test.unlink()
    with pytest.raises(InputError, match=r"fashion_test.txt: there is no such file"):
        Fashion.select_clips(tmp_path)
    test.write_text("https://example.org/x/D4.mp4")
    train.write_text("https://example.org/x/C3.mp4")
    with pytest.raises(InputError, match=r"holds none of the 2 videos .* such as C3\.mp4"):
        Fashion.select_clips(tmp_path)
