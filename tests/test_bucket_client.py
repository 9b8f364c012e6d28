"""How long requests to a bucket are tried, one by one and together."""

import types

import pytest
from bucket_proxy import faulty
from bucket_server import make_bucket, variables

from fomm_jax.bucket_client import FileSystem


async def at_once(seconds):
    """Do not wait."""


@pytest.fixture
def files(bucket_server, monkeypatch):
    """A file system of its own behind a proxy, and the faults of the proxy."""
    monkeypatch.setattr("gcsfs.retry.asyncio", types.SimpleNamespace(sleep=at_once))
    with faulty(bucket_server) as (url, faults):
        for name, value in variables(url).items():
            monkeypatch.setenv(name, value)
        yield FileSystem(token="anon", use_listings_cache=False, endpoint_url=url), faults


@pytest.mark.parametrize("status", [429, 503])
def test_requests_are_patient_together(bucket_server, files, status):
    system, faults = files
    make_bucket(bucket_server, name := f"patience-{status}")
    names = [f"{name}/{number}" for number in range(20)]
    system.pipe({path: b"content" for path in names})
    faults.status = status
    for attempts in (6, 1):
        faults.met = 0
        with pytest.raises(Exception, match=f"a fault, {status}"):
            system.cat_file(names[0])
        assert faults.met == attempts
    faults.met = 0
    with pytest.raises(Exception, match=f"a fault, {status}"):
        system.rm(names)
    assert faults.met == len(names)
    faults.status = 0
    assert system.cat_file(names[0]) == b"content"
    faults.status, faults.met = status, 0
    with pytest.raises(Exception, match=f"a fault, {status}"):
        system.cat_file(names[0])
    assert faults.met == 6


def test_a_file_is_fetched_with_the_same_patience(bucket_server, files, tmp_path):
    system, faults = files
    make_bucket(bucket_server, "fetching")
    system.pipe_file("fetching/a", b"content")
    faults.status = 503
    faults.matches = lambda method, path: "alt=media" in path or "/download/" in path
    with pytest.raises(Exception, match="a fault, 503"):
        system.get_file("fetching/a", str(tmp_path / "a"))
    assert faults.met == 6
