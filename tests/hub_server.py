"""A server on this machine that speaks the protocol of the Hugging Face Hub, as far as models go.

It keeps everything in memory. Who sends something needs the token; large files come by Git LFS.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_of_the_tests"
LARGE = ".safetensors"  # the ending of files that go through Git LFS


@dataclasses.dataclass
class Repository:
    """The files of each commit by their paths, and what branches and tags stand for."""

    commits: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    refs: dict[str, str] = dataclasses.field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files, ref="main"):
        """Add a commit with these files and those before it, and return its name."""
        files = self.commits.get(self.refs.get(ref), {}) | files
        content = [f"{len(self.commits)}", *(f"{name}{data!r}" for name, data in files.items())]
        name = hashlib.sha1("".join(content).encode()).hexdigest()
        self.commits[name] = files
        self.refs[ref] = name
        return name


class Hub:
    """The repositories, and what was asked of the server."""

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}  # by their checksums
        self.requests: list[str] = []
        self.status = None  # what every request is answered with, if it is set
        self.url = ""


@contextlib.contextmanager
def serving_hub():
    """Serve a hub; yield it, with its address as `url`."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def take_for_the_hub(url, cache, monkeypatch):
    """Let huggingface_hub, in this process, take a server for the hub, with a cache of its own."""
    constants = pytest.importorskip(
        "huggingface_hub.constants", reason="the package huggingface_hub is not installed"
    )
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._get()

    def do_GET(self):
        self._get()

    def do_POST(self):
        self._send(self._body())

    def do_PUT(self):
        content = self._body()
        self.hub.large[hashlib.sha256(content).hexdigest()] = content
        self._answer(200)

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _get(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.status:
            self._answer(self.hub.status)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._describe(*match.groups())
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+).*", path):
            self._list(*match.groups())
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*match.groups())
        else:
            self._answer(404)

    def _find(self, name, revision):
        """Return the commit that a revision stands for; None after an answer that there is none."""
        repository = self.hub.repositories.get(name)
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not is_known):
            self._answer(401, error="RepoNotFound")
        elif repository.gated and not is_known:
            self._answer(403, error="GatedRepo")
        else:
            commit = repository.refs.get(revision, revision)
            if commit in repository.commits:
                return commit, repository.commits[commit]
            self._answer(404, error="RevisionNotFound")
        return None

    def _describe(self, name, revision):
        if found := self._find(name, revision):
            siblings = [{"rfilename": path} for path in found[1]]
            self._answer(200, {"id": name, "modelId": name, "sha": found[0], "siblings": siblings})

    def _list(self, name, revision):
        if found := self._find(name, revision):
            self._answer(
                200,
                [
                    {
                        "type": "file",
                        "path": path,
                        "size": len(content),
                        "oid": hashlib.sha1(content).hexdigest(),
                    }
                    for path, content in found[1].items()
                ],
            )

    def _file(self, name, revision, path):
        found = self._find(name, revision)
        if found is None:
            return
        commit, files = found
        if path not in files:
            self._answer(404, error="EntryNotFound")
            return
        etag = f'"{hashlib.sha256(files[path]).hexdigest()}"'
        self._answer(200, files[path], headers={"ETag": etag, "X-Repo-Commit": commit})

    def _send(self, body):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.status:
            self._answer(self.hub.status)
        elif path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401)
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif re.fullmatch(r"/api/models/.+/preupload/main", path):
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                item | {"actions": {"upload": {"href": f"{self.hub.url}/large/{item['oid']}"}}}
                for item in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif match := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._answer(404)

    def _create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        is_new = name not in self.hub.repositories
        if is_new:
            is_private = wanted.get("private") or wanted.get("visibility") == "private"
            self.hub.repositories[name] = Repository(private=bool(is_private))
        self._answer(200 if is_new else 409, {"url": f"{self.hub.url}/{name}"})

    def _commit(self, name, lines):
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        commit = self.hub.repositories[name].commit(files)
        url = f"{self.hub.url}/{name}/commit/{commit}"
        self._answer(200, {"success": True, "commitOid": commit, "commitUrl": url})

    def _answer(self, status, content=b"", *, error=None, headers=None):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
