"""The load of the benchmark: the same call again and again, on connections that are kept. Costs little itself."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    calls: int
    seconds: float
    latencies_s: list[float]  # sorted
    errors: int

    @property
    def rate(self) -> float:
        return self.calls / self.seconds

    @property
    def median_s(self) -> float:
        return self.latencies_s[len(self.latencies_s) // 2] if self.latencies_s else float("nan")


class Client(asyncio.Protocol):
    """One connection: sends the call, waits for the whole answer, sends it again while there are some left."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._received = b""
        self._needed = 0
        self._is_chunked = False
        self._began = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if not self._run.take():
            self._transport.close()
            return
        self._received, self._needed, self._is_chunked = b"", 0, False
        self._began = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        if not self._needed and not self._is_chunked:
            head = received.find(b"\r\n\r\n")
            if head < 0:
                return
            lower = received[:head].lower()
            at = lower.find(b"content-length:")
            if at >= 0:
                self._needed = head + 4 + int(lower[at + 15 : lower.find(b"\r", at) if b"\r" in lower[at:] else None])
            else:
                self._is_chunked = True
        if self._is_chunked:
            if not received.endswith(b"\r\n0\r\n\r\n"):
                self._received = received[:40] + received[-40:] if len(received) > 400 else received
                return
        elif len(received) < self._needed:
            return
        self._run.finish(received.startswith(b"HTTP/1.1 200"), time.perf_counter() - self._began)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lose(self._began > 0 and exc is not None)


class Run:
    """So many calls over so many connections."""

    def __init__(self, request: bytes, calls: int, connections: int) -> None:
        self.request = request
        self._left = calls
        self._open = connections
        self._latencies: list[float] = []
        self._errors = 0
        self._done = asyncio.get_running_loop().create_future()

    def take(self) -> bool:
        """Whether there is another call to make."""
        self._left -= 1
        return self._left >= 0

    def finish(self, is_well: bool, latency_s: float) -> None:
        self._latencies.append(latency_s)
        self._errors += not is_well

    def lose(self, is_error: bool) -> None:
        """A connection is gone: at the end of its work, or before."""
        self._errors += is_error
        self._open -= 1
        if not self._open and not self._done.done():
            self._done.set_result(None)

    async def result(self, began: float) -> Result:
        await self._done
        seconds = time.perf_counter() - began
        return Result(len(self._latencies), seconds, sorted(self._latencies), self._errors)


async def drive(port: int, request: bytes, *, calls: int, connections: int) -> Result:
    """Make the calls. A connection that breaks is an error, and its further calls are made by the others."""
    loop = asyncio.get_running_loop()
    run = Run(request, calls, connections)
    began = time.perf_counter()
    await asyncio.gather(*(loop.create_connection(lambda: Client(run), "127.0.0.1", port) for _ in range(connections)))
    return await run.result(began)


def post(target: str, headers: dict[str, str], body: bytes) -> bytes:
    """A request as bytes."""
    lines = [f"POST {target} HTTP/1.1", "host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body
