"""A proxy in front of a server of buckets, which answers late, wrongly or not at all."""

import contextlib
import http.client
import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse


class Faults:
    """What a proxy does instead of passing a request on; tests change the attributes.

    Attributes:
      delay: seconds before each answer.
      status: an HTTP status to answer with; 0: pass requests on.
      reset: whether to end connections without an answer.
      matches: tells by method and path which requests meet the fault; the delay meets all.
    """

    def __init__(self):
        self.delay = 0.0
        self.status = 0
        self.reset = False
        self.matches = lambda method, path: True
        self.requests = []  # (method, path) of all so far
        self.met = 0  # the number of requests that met a fault


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self):
        server, faults = self.server, self.server.faults
        body = self._read_body()
        faults.requests.append((self.command, self.path))
        time.sleep(faults.delay)
        if (faults.status or faults.reset) and faults.matches(self.command, self.path):
            faults.met += 1
            if faults.reset:
                reset = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                self.connection.close()
                self.close_connection = True
                return
            content = json.dumps({"error": {"code": faults.status, "message": "a fault"}}).encode()
            self._answer(faults.status, [("Content-Type", "application/json")], content)
            return
        upstream = self._upstream()
        headers = {name: value for name, value in self.headers.items() if name not in HOP_BY_HOP}
        headers["Host"] = server.upstream
        upstream.request(self.command, self.path, body, headers)
        response = upstream.getresponse()
        content = response.read()
        here = [
            (name, value.replace(server.upstream, f"localhost:{server.server_port}"))
            for name, value in response.getheaders()
            if name not in HOP_BY_HOP
        ]
        self._answer(response.status, here, content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any

    def _read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _upstream(self):
        if not hasattr(self, "_connection"):
            self._connection = http.client.HTTPConnection(self.server.upstream)
        return self._connection

    def _answer(self, status, headers, content):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def finish(self):
        if hasattr(self, "_connection"):
            self._connection.close()
        with contextlib.suppress(OSError):  # the client may be gone
            super().finish()

    def log_message(self, *_):
        pass


HOP_BY_HOP = ("Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Host")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Say nothing when a client goes away."""


@contextlib.contextmanager
def faulty(url):
    """Put a proxy in front of the server at an address; yield its own address and its faults."""
    server = _Server(("localhost", 0), _Handler)
    server.upstream, server.faults = urllib.parse.urlsplit(url).netloc, Faults()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}", server.faults
    finally:
        server.shutdown()
        server.server_close()
