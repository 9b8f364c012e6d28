"""Paths that may lead into a bucket of Google's storage, which begin with gs://.

`to_path` makes such a path. Whoever has it need not ask where it leads: it has the methods of
`pathlib.Path`. gcsfs does the work, by way of etils. It tries again when a bucket refuses for the
moment, for half a minute in all, and each time a line says so.
"""

import dataclasses
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
from typing import TYPE_CHECKING, Any, TypeAlias

from fomm_jax.errors import InputError

if TYPE_CHECKING:  # it takes a tenth of a second to load
    from etils import epath

AnyPath: TypeAlias = "pathlib.Path | epath.Path"

PREFIX = "gs://"
# The rules of Google for names of buckets, without those for dots.
ADDRESS = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/|$)")
# Of TensorStore: half a minute in all, as of gcsfs. By itself it would try 32 times, without a
# word, for a quarter of an hour.
TENSORSTORE_RETRIES = {"max_retries": 6, "max_delay": "8s"}


def is_in_bucket(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path leads into a bucket."""
    return os.fspath(path).startswith(PREFIX)


def to_path(path: str | os.PathLike[str]) -> AnyPath:
    """Return a path on this computer or in a bucket.

    Raises:
      InputError: it leads into a bucket, and gcsfs is not installed.
    """
    if not is_in_bucket(path):
        return pathlib.Path(path)
    _set_up()
    from etils import epath

    return epath.Path(path)


def absolute(path: str | os.PathLike[str]) -> AnyPath:
    """Return a path that does not depend on the current folder.

    Raises:
      InputError: as in `to_path`.
    """
    return to_path(path) if is_in_bucket(path) else pathlib.Path(path).absolute()


def list_folder(folder: AnyPath) -> list[AnyPath]:
    """List what is in a folder; nothing if it is missing or no folder."""
    try:
        return [entry for entry in folder.iterdir() if entry.name]
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_tree(folder: AnyPath) -> None:
    """Remove a folder and all that is in it, if it is there."""
    if isinstance(folder, pathlib.Path):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.rmtree(missing_ok=True)


def list_objects(folder: AnyPath) -> dict[str, list[Any]]:
    """List the objects below a folder in a bucket.

    Returns:
      Size and checksum (CRC-32C, as Google writes it) by the path below the folder.
    """
    start = os.fspath(folder).removeprefix(PREFIX) + "/"
    objects = file_system().find(os.fspath(folder), detail=True)
    return {
        name.removeprefix(start): [details["size"], details.get("crc32c")]
        for name, details in sorted(objects.items())
    }


@dataclasses.dataclass(frozen=True)
class SeenObject:
    """An object as it was when the bucket was asked."""

    content: bytes
    generation: str  # changes whenever the object is written
    updated: str  # when it was written last, in the form of ISO 8601
    now: str  # when the bucket answered, in the form of HTTP


def create_object(path: AnyPath, content: bytes, generation: str) -> str | None:
    """Write an object on the condition that nobody else has written it since.

    Args:
      path: the object.
      content: what it holds afterwards.
      generation: the generation that the object has to have now; "0" if it must not exist.

    Returns:
      The generation that the object has now; None if the condition is not met.
    """
    files = file_system()
    bucket, key, _ = files.split_path(os.fspath(path))
    address = f"{files.base.removesuffix('storage/v1/')}upload/storage/v1/b/{{}}/o"
    part = b"--=\r\nContent-Type: application/json\r\n\r\n"
    body = part + json.dumps({"name": key}).encode() + b"\r\n" + part + content + b"\r\n--=--"
    headers = {"Content-Type": 'multipart/related; boundary="="'}
    try:
        _, answer = files.call(
            "POST", address, bucket, uploadType="multipart", ifGenerationMatch=generation,
            headers=headers, data=body,
        )  # fmt: skip
    except FileExistsError:  # gcsfs's word for the status 412
        return None
    return str(json.loads(answer)["generation"])


def read_object(path: AnyPath) -> SeenObject | None:
    """Read an object with its generation; None if there is none."""
    files = file_system()
    bucket, key, _ = files.split_path(os.fspath(path))
    try:
        headers, answer = files.call("GET", "b/{}/o/{}", bucket, key)
        details = json.loads(answer)
        generation = str(details["generation"])
        _, content = files.call("GET", "b/{}/o/{}", bucket, key, alt="media", generation=generation)
    except FileNotFoundError:
        return None
    return SeenObject(content, generation, details["updated"], headers["Date"])


def delete_object(path: AnyPath, generation: str) -> None:
    """Delete an object if it still has a generation."""
    files = file_system()
    bucket, key, _ = files.split_path(os.fspath(path))
    files.call("DELETE", "b/{}/o/{}", bucket, key, ifGenerationMatch=generation)


def file_system() -> Any:
    """Return gcsfs's file system, the one that `to_path` uses, for what paths have no method for.

    Raises:
      InputError: gcsfs is not installed.
    """
    _set_up()
    import fsspec
    from etils.epath import backend

    file_system = backend.fsspec_backend.fs(PREFIX)
    assert isinstance(file_system, fsspec.AbstractFileSystem)
    return file_system


def describe_failure(path: str | os.PathLike[str], error: BaseException) -> str | None:
    """Say in a few words why a bucket refused or did not answer; None if that is not the reason.

    Args:
      path: the path in the bucket.
      error: what was raised, by gcsfs, by TensorStore or by a library below them.
    """
    bucket = os.fspath(path).removeprefix(PREFIX).split("/")[0]
    text = " ".join(str(error).split())
    module = type(error).__module__.split(".")[0]
    if module == "google" or _status(error) == 401:
        return (
            "credentials are missing or have expired; expected those of"
            " `gcloud auth application-default login` or of a service account"
        )
    if _status(error) == 403:
        return f"no permission in the bucket {bucket}"
    if isinstance(error, FileNotFoundError) or _status(error) == 404:
        return f"there is no bucket {bucket}, or no such object in it"
    if status := _status(error):
        return f"the bucket {bucket} goes on to answer {status}"
    if (
        module in ("aiohttp", "requests", "asyncio", "gcsfs", "fsspec")
        or isinstance(error, OSError | TimeoutError)
        or "curl_code=" in text  # of TensorStore, whose errors are ValueErrors
    ):
        return f"the bucket {bucket} does not answer: {text or type(error).__name__}"
    return None


def find_refusal(path: str | os.PathLike[str], error: BaseException | None) -> str | None:
    """Say why a bucket refused, if that is the cause of an error; a missing object is no refusal.

    Args:
      path: the path in the bucket.
      error: what was raised by a library that may have a cause of its own below it.
    """
    while error is not None:
        is_missing = isinstance(error, FileNotFoundError) or _status(error) == 404
        if not is_missing and (reason := describe_failure(path, error)):
            return reason
        error = error.__cause__
    return None


def _status(error: BaseException) -> int | None:
    """Return the status of HTTP that an error stands for, if it does for any."""
    text = str(error)
    if text.startswith("Forbidden: "):
        return 403
    code = getattr(error, "code", None)  # of gcsfs
    if match := re.search(r"http_response_code='(\d+)'", text):  # of TensorStore
        code = match[1]
    return int(code) if code is not None and str(code).isdecimal() else None


@functools.cache
def _set_up() -> None:
    """Choose once how gcsfs and etils work."""
    if importlib.util.find_spec("gcsfs") is None:
        raise InputError(f"{PREFIX}: buckets need the package gcsfs; expected it to be installed")
    # gcsfs would ask each bucket for its kind by gRPC, and wait a minute where nobody answers.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    os.environ.setdefault("EPATH_USE_TF", "false")  # etils would prefer TensorFlow to gcsfs
    from fomm_jax import bucket_client

    bucket_client.set_up()
