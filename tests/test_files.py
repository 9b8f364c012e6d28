"""Checks of paths, and files that appear whole or not at all."""

import os

import pytest

from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.files import check_can_write, check_is_file, replacing
from fomm_jax.readable import readable

LONG = 250 * "x" + ".png.mp4"  # longer than the 255 bytes that file systems allow


def write(path, text="new"):
    with replacing(path) as unfinished:
        unfinished.write_text(text)


@pytest.mark.parametrize("name", [80 * "映" + ".mp4", 251 * "x" + ".mp4", "a.mp4"])
def test_a_name_may_be_as_long_as_the_file_system_allows(name, tmp_path):
    check_can_write(tmp_path / "new folder" / name)
    write(tmp_path / "new folder" / name)
    assert os.listdir(tmp_path / "new folder") == [name]


def test_a_symbolic_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "old").write_text("old")
    for link, target in (("to_file", "old"), ("to_nothing", "there/new"), ("chain", "to_file")):
        (tmp_path / link).symlink_to(tmp_path / target)
        check_can_write(tmp_path / link)
        write(tmp_path / link, link)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / target).read_text() == link
    assert os.listdir(tmp_path / "there") == ["new"]


@pytest.fixture
def places(tmp_path):
    """Paths at which there is something else than a file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to pipe").symlink_to(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_text("old")
    return tmp_path


BAD_OUTPUTS = {
    "pipe": "is a pipe or a device",
    "link to pipe": "is a pipe or a device",
    "folder": "is a folder, expected the name of a file",
    "loop": "cannot be written (Too many levels of symbolic links)",
    "file/film.mp4": "cannot be written (",
    LONG: "cannot be written (File name too long)",
    f"none/{LONG}/film.mp4": "cannot be written (File name too long)",
}


@pytest.mark.parametrize(("name", "message"), BAD_OUTPUTS.items(), ids=range(len(BAD_OUTPUTS)))
def test_what_cannot_be_replaced_is_named_before_and_after_the_work(name, message, places):
    for use in (check_can_write, write):
        with pytest.raises(InputError) as caught:
            use(places / name)
        assert str(caught.value).startswith(f"{places / name}: {message}")
    assert sorted(os.listdir(places)) == ["file", "folder", "link to pipe", "loop", "pipe"]
    assert (places / "file").read_text() == "old"


BAD_INPUTS = {
    "none": "there is no such file, expected a picture",
    "file/none": "there is no such file, expected a picture",
    "folder": "is a folder, expected a picture",
    "pipe": "is a pipe or a device, expected a picture in a file",
    "loop": "cannot be read (Too many levels of symbolic links); expected a picture",
    LONG: "cannot be read (File name too long); expected a picture",
}


@pytest.mark.parametrize(("name", "message"), BAD_INPUTS.items(), ids=range(len(BAD_INPUTS)))
def test_what_cannot_be_read_is_named(name, message, places):
    with pytest.raises(InputError) as caught:
        check_is_file(places / name, "a picture")
    assert str(caught.value) == f"{places / name}: {message}"


def test_a_folder_without_permission(monkeypatch, tmp_path):
    """Root, as which tests may run, has every permission."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(InputError, match=rf"^{tmp_path}/new/a.mp4: .*no permission for {tmp_path}"):
        check_can_write(tmp_path / "new" / "a.mp4")


def test_what_the_operating_system_says_about_a_path_is_one_line(capsys, tmp_path):
    for error in (PermissionError(13, "Permission denied", b"a\xe9"), OSError(36, "Too long", "b")):
        with pytest.raises(SystemExit, match=r"^2$"), one_line_errors():
            raise error
        name = readable(os.fsdecode(error.filename))
        assert capsys.readouterr().err.endswith(f": {name}: cannot be used ({error.strerror})\n")
    with pytest.raises(BrokenPipeError), one_line_errors():
        raise BrokenPipeError(32, "Broken pipe")
