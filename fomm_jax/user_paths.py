"""Paths as users write them on a command line or in a configuration."""

import os
import re
import sys

from fomm_jax.buckets import ADDRESS, is_in_bucket
from fomm_jax.errors import InputError

HUB_PREFIX = "hf:"  # of the address of a model on the Hugging Face Hub
_ADDRESS = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]+://|{HUB_PREFIX}")


def parse_path(text: str) -> str:
    """Return the path that a user means; a leading `~` stands for the home folder.

    Raises:
      InputError: the text is empty, or the address of something on a network.
    """
    if not text:
        raise InputError("is empty, expected a path")
    if _ADDRESS.match(text) and not os.path.lexists(text):
        raise InputError("is an address, which is not fetched; expected a path on this computer")
    return expand_home(text)


def parse_stored_path(text: str) -> str:
    """Return the path that a user means where it may lead into a bucket.

    Raises:
      InputError: the text is empty, or an address that is not one in a bucket.
    """
    if not _ADDRESS.match(text) or os.path.lexists(text):
        return parse_path(text)
    if not ADDRESS.match(text):
        raise InputError(
            "is an address, which is not fetched; expected a path on this computer, or"
            " gs://BUCKET/FOLDER"
        )
    return text.rstrip("/")


def parse_model_path(text: str) -> str:
    """Return the path of a model that a user means, or its address on the Hugging Face Hub.

    Raises:
      InputError: the text is empty, or an address of another kind.
    """
    return text if text.startswith(HUB_PREFIX) else parse_stored_path(text)


def expand_home(path: str) -> str:
    """Replace a leading `~` or `~user` by the home folder, as a shell does.

    A shell leaves it alone after `=`, so `output=~/film.mp4` arrives with it. The name of an
    unknown user stays as it is, since a file may be called `~backup.mp4`.

    Raises:
      InputError: the path begins with `~/`, and the home folder is not known.
    """
    expanded = os.path.expanduser(path)
    if expanded == "~" or expanded.startswith("~/"):
        raise InputError(f"{path}: the home folder is not known, expected a path without ~")
    return expanded


def check_current_folder() -> None:
    """Raise an `InputError` if the current folder was deleted, which libraries cannot stand."""
    try:
        os.getcwd()
    except OSError as error:
        raise InputError(
            "the current folder is not there any more; expected a start in one that exists"
        ) from error


def check_is_text(path: str | os.PathLike[str]) -> None:
    """Check a path that a library gets which takes names in UTF-8 alone, as Orbax does.

    Raises:
      InputError: a name in it, or in the current folder where it begins there, is not UTF-8; or
        the locale, such as C, makes Python read no such names.
    """
    full = os.fspath(path) if is_in_bucket(path) else os.path.abspath(path)
    try:
        full.encode()
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        raise InputError(
            f"{full}: the name is not text in {encoding}, the encoding of names here; expected"
            " another name" + ("" if encoding == "utf-8" else ", or a locale with UTF-8")
        ) from error
