"""The client of Google's storage: gcsfs, with our patience and our lines.

This module loads gcsfs, which takes a second; `buckets` imports it when a path leads into a bucket.
"""

import logging
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import fsspec
import fsspec.config
from gcsfs.core import GCSFileSystem
from gcsfs.retry import is_retriable

CONNECT_SECONDS = 10.0  # to wait for a connection
ANSWER_SECONDS = 30.0  # to wait for an answer, before the next attempt

logger = logging.getLogger(__name__)


def set_up() -> None:
    """Choose how gcsfs works, for all paths of etils."""
    settings = {
        # An emulator wants no credentials. Without a choice, gcsfs looks for them in vain for half
        # a minute, and then goes on without.
        "token": "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default",
        "use_listings_cache": False,  # other processes write, too
        "requests_timeout": aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS
        ),
    }
    for name in ("gcs", "gs"):
        fsspec.register_implementation(name, FileSystem, clobber=True)
        fsspec.config.conf.setdefault(name, {}).update(settings)
    library = logging.getLogger("gcsfs")
    library.setLevel(logging.DEBUG)
    library.propagate = False
    library.addHandler(_RetryHandler())
    logging.getLogger("google.auth").setLevel(logging.CRITICAL)


def _share_patience(request: Any) -> Callable[..., Awaitable[Any]]:
    """Let a kind of request give up at once where another one has given up the bucket.

    Args:
      request: a method that gcsfs has wrapped so that it tries six times, in half a minute.
    """

    async def ask(self: "FileSystem", *arguments: Any, **options: Any) -> Any:
        attempts = request.__wrapped__ if self.has_given_up else request
        try:
            answer = await attempts(self, *arguments, **options)
        except Exception as error:
            self.has_given_up = is_retriable(error)  # any other error is an answer
            raise
        self.has_given_up = False
        return answer

    return ask


class FileSystem(GCSFileSystem):
    """Google's storage, whose requests are patient together, not each by itself.

    To remove a folder takes dozens of requests. If each tried for half a minute, a run would not
    notice for many minutes that its bucket refuses everything. After one request has tried in vain,
    every other one tries once, until one succeeds.

    Attributes:
      has_given_up: whether the last request tried in vain.
    """

    has_given_up = False
    _request = _share_patience(GCSFileSystem._request)
    _get_file_request = _share_patience(GCSFileSystem._get_file_request)
    # The requests that it makes try often enough.
    _get_file_concurrent = GCSFileSystem._get_file_concurrent.__wrapped__


class _RetryHandler(logging.Handler):
    """Shows in a line of ours that gcsfs tries again, and nothing else of what it logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        if match := re.search(r"retrying after exception: (.*)", record.getMessage(), re.DOTALL):
            reason = " ".join(match[1].split())
            logger.warning("the bucket does not answer as it should (%s); trying again", reason)
