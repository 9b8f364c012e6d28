"""The reader of CSV lists."""

import os

import pytest

from fomm_jax.errors import InputError
from input_pipeline.lists import Row, read_rows


def write(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_bytes(text)
    return path


def test_rows_have_the_cells_of_all_columns(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbfb, a ,c\r\n1,2,3\r\n\r\n4\r\n5,6,7,8\r\n")
    assert [*read_rows(path, ("a", "b"))] == [
        Row(path, 2, {"b": "1", "a": "2", "c": "3"}),
        Row(path, 4, {"b": "4", "a": "", "c": ""}),
        Row(path, 5, {"b": "5", "a": "6", "c": "7"}),
    ]


def test_capitals_and_spaces_after_commas_do_not_matter(tmp_path):
    path = write(tmp_path, b'Source, DRIVING , Rest\n"w 0.png", w1.png , "a,b"\n')
    (row,) = read_rows(path, ("source", "driving"))
    assert row.cells == {"source": "w 0.png", "driving": "w1.png ", "Rest": "a,b"}


@pytest.mark.parametrize(
    ("separator", "words"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (" ", "spaces")]
)
def test_another_separator_is_named(tmp_path, separator, words):
    path = write(tmp_path, f"Source{separator}driving\nw0.png{separator}w1.png\n".encode())
    with pytest.raises(InputError) as caught:
        [*read_rows(path, ("source", "driving"))]
    assert str(caught.value) == (
        f"{path}, line 1: has {words} between its columns; expected a CSV file with the columns"
        " source,driving, which are separated by commas"
    )


@pytest.mark.parametrize(
    "line",
    ['source;driving;"start, end"', '"source";"driving"', "name;source;driving;x,y"],
)
def test_another_separator_is_named_although_there_are_commas_and_quotes(tmp_path, line):
    path = write(tmp_path, f"{line}\n1;2;3\n".encode())
    with pytest.raises(InputError, match="line 1: has semicolons between its columns"):
        [*read_rows(path, ("source", "driving"))]


def test_other_separators_may_stand_in_names(tmp_path):
    path = write(tmp_path, b"a,b,c;a;b\n1,2,3\n")
    assert [row.cells for row in read_rows(path, ("a", "b"))] == [
        {"a": "1", "b": "2", "c;a;b": "3"}
    ]


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: is a pipe or a device, expected a CSV file with"):
        [*read_rows(tmp_path / "pipe", ("a",))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"a,b,a\n1,2,3\n",
            ", line 1: has two columns a; expected a CSV file with the columns",
        ),
        (b"a\n1\n", ", line 1: has no column b; expected a CSV file with the columns a,b"),
        (b'a,b\n"1"2,3\n', ", line 2: is damaged"),
        (b"a,b\n\xff,1\n", ": cannot be read (it is not text in UTF-8); expected a CSV file"),
    ],
)
def test_damaged_lists_are_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        [*read_rows(path, ("a", "b"))]
    assert str(caught.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(("row", "length"), [(b"1", 1), (b"1,2,3", 3)])
def test_rows_of_another_length_are_refused_if_they_have_to_be_even(tmp_path, row, length):
    path = write(tmp_path, b"a,b\n" + row + b"\n")
    with pytest.raises(InputError, match=f"line 2: has {length} cells; expected 2"):
        [*read_rows(path, ("a", "b"), even=True)]
