"""The proxy passes everything on, and each answer arrives late."""

import pathlib
import socket
import socketserver
import subprocess
import sys
import threading
import time

from bucket_server import free_port

DELAY = 0.2
ROOT = pathlib.Path(__file__).parents[2]


class Answer(socketserver.StreamRequestHandler):
    """Answers each line with a megabyte and the line itself."""

    def handle(self):
        for line in self.rfile:
            self.wfile.write(bytes(2**20) + line)


def connect(port):
    for _ in range(500):
        try:
            return socket.create_connection(("localhost", port))
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("the proxy does not listen")


def test_answers_arrive_whole_and_late():
    port = free_port()
    with socketserver.ThreadingTCPServer(("localhost", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-m", "benchmarks.slow_proxy", f"--delay={DELAY}"]
        command += [f"--server=localhost:{server.server_address[1]}", f"--port={port}"]
        with subprocess.Popen(command, cwd=ROOT) as proxy, connect(port) as connection:
            answers = connection.makefile("rb")
            for line in (b"one\n", b"two\n"):
                begun = time.monotonic()
                connection.sendall(line)
                assert answers.read(2**20 + len(line)) == bytes(2**20) + line
                assert DELAY <= time.monotonic() - begun < DELAY + 10
            connection.shutdown(socket.SHUT_WR)
            assert answers.read() == b""  # the end of the connection passes through, too
            answers.close()
            proxy.kill()
        server.shutdown()
