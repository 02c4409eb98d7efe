"""Memory of the server's process under bombs and slow readers, measured from outside."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .guarded import statuses, talk
from .upstream.provider import OK as SMALL
from .upstream.provider import Peer, Provider

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"


@dataclass
class Process:
    """A forwarder in a process of its own."""

    port: int
    pid: int

    def memory(self) -> int:
        """What it holds now, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * KILOBYTE
        raise AssertionError("the process is gone")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


async def provide(peer: Peer) -> None:
    """Small answers, but at /stream as many bytes as are taken."""
    while True:
        request = await peer.request()
        if b"/stream" not in request.line:
            peer.write(SMALL)
            continue
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
        for _ in range(2_000):
            peer.write(b"x" * 100_000)
            await peer.writer.drain()


@contextlib.asynccontextmanager
async def forwarder() -> AsyncIterator[Process]:
    async with Provider(provide) as provider:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.proxy.forwarder", str(provider.origin), stdout=asyncio.subprocess.PIPE
        )
        try:
            running = Process(int(await process.stdout.readline()), process.pid)
            for _ in range(20):  # whatever is made at first use
                assert statuses(await talk(running.port, POST + b"Connection: close\r\n\r\n")) == [200]
            yield running
        finally:
            process.kill()
            await process.wait()


BOMBS = [
    pytest.param(431, POST + b"X: ", b"y" * MEGABYTE, 64, id="64-MB-header"),
    pytest.param(431, POST, b"X-Y: z\r\n" * 2_000, 100, id="200000-headers"),
    pytest.param(414, b"POST /", b"y" * MEGABYTE, 8, id="8-MB-url"),
    pytest.param(
        200,
        POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"100000\r\n" + b"x" * MEGABYTE + b"\r\n",
        128,
        id="body",
    ),
    pytest.param(431, POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Y: z\r\n" * 2_000, 100, id="trailers"),
    pytest.param(431, POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * MEGABYTE, 64, id="chunk-extension"),
]


async def test_bombs_leave_no_mark():
    async with forwarder() as server:
        before = server.memory()
        for bomb in BOMBS:
            status, beginning, part, times = bomb.values
            rest = [part] * times + ([b"0\r\n\r\n"] if status == 200 else [])
            answer = await talk(server.port, beginning, *rest, wait_s=30)
            assert statuses(answer) == [status], bomb.id
            assert server.memory() - before <= 8 * MEGABYTE, bomb.id
        assert statuses(await talk(server.port, POST + b"Connection: close\r\n\r\n")) == [200]


async def test_an_idle_connection_costs_little():
    async with forwarder() as server:
        before = server.memory()
        clients = []
        for _ in range(1_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(POST + b"\r\n")
            clients.append((reader, writer))
        for reader, _ in clients:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        # each has a connection, and those to the provider that the burst opened are kept for a while
        assert server.memory() - before <= 1_000 * 2 * 16 * KILOBYTE
        for _, writer in clients:
            writer.close()


async def test_readers_that_do_not_read_cost_little_and_stall_the_provider():
    """200 streams of 200 MB each: not one of them may be taken in."""
    streams = 200
    async with forwarder() as server:
        before, descriptors = server.memory(), server.descriptors()
        clients = []
        loop = asyncio.get_running_loop()
        for _ in range(streams):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", server.port))
            await loop.sock_sendall(client, POST.replace(b"/", b"/stream", 1) + b"\r\n")
            clients.append(client)
        most = 0
        for _ in range(20):
            await asyncio.sleep(0.1)
            most = max(most, server.memory() - before)
        assert most <= streams * 2 * 64 * KILOBYTE
        for client in clients:
            client.close()
        async with asyncio.timeout(5):
            while server.descriptors() > descriptors + 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
