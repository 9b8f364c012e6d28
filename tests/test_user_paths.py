"""Paths as users write them and as they are shown."""

import os

import pytest

from fomm_jax.errors import InputError
from fomm_jax.readable import readable
from fomm_jax.user_paths import (
    check_is_text,
    parse_model_path,
    parse_path,
    parse_stored_path,
)

NAME = os.fsdecode(b"caf\xe9.png")


def test_a_leading_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_path("~/film.mp4") == "/home/me/film.mp4"
    assert parse_path("~") == "/home/me"
    for same in ("a/~/film.mp4", "~backup.mp4", "-", "./~", NAME, "C:\\film.mp4", "a:b.mp4"):
        assert parse_path(same) == same


def test_an_unknown_home_folder_is_no_folder_named_tilde(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(InputError, match=r"^~/a: the home folder is not known"):
        parse_path("~/a")


@pytest.mark.parametrize(
    "text", ["https://example.org/a.mp4", "file:///a.mp4", "gs://b/a", "s3://b", "hf:a/b"]
)
def test_an_address_is_named_as_one_that_is_not_fetched(text):
    with pytest.raises(InputError, match=r"^is an address, which is not fetched; expected a path"):
        parse_path(text)


@pytest.mark.parametrize(
    "text", ["https://example.org/W", "s3://bucket/W", "gs://", "gs:///W", "hf:a/b"]
)
def test_only_buckets_of_google_may_hold_a_run(text):
    with pytest.raises(InputError, match=r"expected a path on this computer, or gs://BUCKET/"):
        parse_stored_path(text)
    assert parse_stored_path("gs://bucket-1/a/W/") == "gs://bucket-1/a/W"
    assert parse_stored_path("gs://bucket.example.org") == "gs://bucket.example.org"
    assert parse_stored_path("a/W") == "a/W"


def test_a_model_may_be_on_the_hub():
    assert parse_model_path("hf:org/name@v1") == "hf:org/name@v1"
    assert parse_model_path("gs://bucket-1/W/") == "gs://bucket-1/W"
    assert parse_model_path("a/W") == "a/W"
    with pytest.raises(InputError, match=r"^is an address, which is not fetched"):
        parse_model_path("https://huggingface.co/org/name")


def test_no_path_at_all():
    with pytest.raises(InputError, match=r"^is empty, expected a path$"):
        parse_path("")


def test_a_path_that_exists_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab:").mkdir()
    (tmp_path / "ab:" / "film.mp4").write_text("")
    assert parse_path("ab://film.mp4") == "ab://film.mp4"


def test_names_that_are_not_utf_8_are_shown_and_refused():
    assert readable(f"The animation is in {NAME}") == r"The animation is in caf\xe9.png"
    assert readable("Grüße 映") == "Grüße 映"
    check_is_text("Grüße 映")
    with pytest.raises(InputError, match=r"the name is not text in utf-8, the encoding of names"):
        check_is_text(NAME)


def test_the_current_folder_belongs_to_the_name(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path / NAME)
    with pytest.raises(InputError, match="the name is not text"):
        check_is_text("W")
