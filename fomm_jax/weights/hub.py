"""Models on the Hugging Face Hub: their addresses, and how they get here and there.

A repository has the file `model.safetensors`. The configuration is in its metadata, or beside it in
`config.json`. The package huggingface_hub, an extra, fetches and sends. It keeps what it has
fetched in its cache, from which models are read where there is no network.
"""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from tqdm import tqdm

from fomm_jax.errors import InputError, naming
from fomm_jax.user_paths import HUB_PREFIX

ADDRESS = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^@\s]+))?")
EXPECTED = "expected hf:ORGANISATION/NAME or hf:ORGANISATION/NAME@REVISION"
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
# The libraries that huggingface_hub speaks through, in its different versions.
HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


class Address(NamedTuple):
    """A model on the hub."""

    repository: str  # ORGANISATION/NAME
    revision: str | None  # a branch, a tag or a commit; None is the main branch


def is_on_hub(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the address of a model on the hub."""
    return os.fspath(path).startswith(HUB_PREFIX)


def parse_address(text: str) -> Address:
    """Return the parts of an address.

    Raises:
      InputError: the text is no address on the hub.
    """
    match = ADDRESS.fullmatch(text)
    if match is None:
        raise InputError(f"{text}: is no model on the hub; {EXPECTED}")
    return Address(match["repository"], match["revision"])


def local_path(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the path of a model on this computer; one on the hub is fetched, others stay.

    Raises:
      InputError: it cannot be fetched and is not in the cache, or the package is not installed.
    """
    if not is_on_hub(path):
        return path
    address = os.fspath(path)
    repository, revision = parse_address(address)
    with naming(address):
        hub = _library()
        with _one_line_errors(hub):
            folder = hub.snapshot_download(
                repository,
                revision=revision,
                allow_patterns=[WEIGHTS, CONFIG],
                tqdm_class=_TerminalBar,
            )
        weights = pathlib.Path(folder) / WEIGHTS
        if not weights.is_file():
            raise InputError(f"has no {WEIGHTS}; expected a model that `push_to_hub` has sent")
    return weights


@contextlib.contextmanager
def sending(repository: str, *, private: bool) -> Iterator[pathlib.Path]:
    """Give the block an empty folder, and send what it then holds, as one commit.

    A repository that does not exist is made.

    Args:
      repository: ORGANISATION/NAME, or a user's name in place of the organisation's.
      private: whether a new repository is private.

    Raises:
      InputError: it cannot be sent, or the package is not installed.
    """
    address = f"{HUB_PREFIX}{repository}"
    if parse_address(address).revision:
        raise InputError(f"{repository}: expected ORGANISATION/NAME without a revision")
    with naming(address):
        hub = _library()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        yield folder
        files = [hub.CommitOperationAdd(file.name, file) for file in sorted(folder.iterdir())]
        with naming(address), _one_line_errors(hub):
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            api.create_commit(repository, files, commit_message="Add the model")


def _library() -> Any:
    try:
        import huggingface_hub.errors
        from huggingface_hub.utils import logging
    except ImportError as error:
        raise InputError(
            "needs the package huggingface_hub: `pip install fomm_jax[hub]`"
        ) from error
    # Its warnings would come before the line that says the same.
    logging.set_verbosity_error()
    return huggingface_hub


class _TerminalBar(tqdm):
    """A progress bar that is shown on a terminal alone."""

    def __init__(self, *arguments: Any, **options: Any):
        options.pop("name", None)  # of huggingface_hub's own bars
        super().__init__(*arguments, **options | {"disable": None})


@contextlib.contextmanager
def _one_line_errors(hub: Any) -> Iterator[None]:
    """Turn what huggingface_hub raises into an InputError."""
    try:
        yield
    except Exception as error:
        reason = _reason(hub, error)
        if reason is None:
            raise
        raise InputError(reason) from error


def _reason(hub: Any, error: Exception) -> str | None:
    """Say in one line why the hub refused or cannot be reached; None for errors of another kind."""
    errors = hub.errors
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__
        is_off = cause is None or isinstance(cause, errors.OfflineModeIsEnabled)
        why = "HF_HUB_OFFLINE is set" if is_off else _reason(hub, cause) or _one_line(cause)
        return f"is not in the cache of this computer, and cannot be fetched: {why}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "cannot be reached: HF_HUB_OFFLINE is set"
    if isinstance(error, errors.GatedRepoError):
        return "access to it is granted on request; ask on its page, then log in by `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            "there is no such repository, or it is private; expected the name of another one, or a"
            " login by `hf auth login`"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return "there is no such revision; expected a branch, a tag or a commit of the repository"
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return "permission is refused; expected a login by `hf auth login`, with that right"
        return f"the hub answers {status}"
    if type(error).__module__.split(".")[0] in HTTP_LIBRARIES or isinstance(error, ConnectionError):
        return f"the hub does not answer: {_one_line(error)}"
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return _reason(hub, error.__cause__)  # the upload of one file has failed
    if isinstance(error, OSError):
        return f"cannot be kept here ({error.strerror or _one_line(error)})"
    if isinstance(error, ValueError):  # for names and model cards that the hub does not accept
        return _one_line(error)
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
