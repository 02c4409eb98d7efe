"""A provider that fails as a test says, its customer, and what is left behind of their calls."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.faults.verify import open_holds
from tests.proxy.upstream.provider import Peer
from tests.rig.calls import chat
from tests.rig.client import Ask, Seen, call
from tests.rig.desk import MARKUP, RATES
from tests.rig.installation import Installation, Tenant

PATIENCE_S = 1.0
IN, OUT = 100, 40  # tokens that an answer tells
WORDS = "A toll is paid where the road begins. "
USAGE = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
ANSWER = json.dumps(
    {"id": "c-1", "model": "sandbox-openai", "choices": [{"message": {"content": WORDS * 4}}], "usage": USAGE}
).encode()

Fault = Callable[[Peer, bytes], Awaitable[None]]  # with the body of what was asked


def plain(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """An answer of one piece, head and all."""
    lines = [b"HTTP/1.1 200 OK", b"content-type: application/json", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % (len(body) if length is None else length), b"", body])


def chunked(*chunks: bytes, end: bool = True, headers: bytes = b"") -> bytes:
    """A stream, head and all, in these chunks."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + headers + b"transfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if end else b"")


def text_of(wire: bytes) -> bytes:
    """What chunks hold, up to where they end."""
    text = b""
    while b"\r\n" in wire:
        length, _, wire = wire.partition(b"\r\n")
        text += wire[: int(length, 16)]
        wire = wire[int(length, 16) + 2 :]
    return text


def price_of(tokens_in: int, tokens_out: int) -> Decimal:
    cost = (Decimal(RATES["input"]) * tokens_in + Decimal(RATES["output"]) * tokens_out) / 1_000_000
    return cost * (100 + MARKUP) / 100


def writes(answer: bytes, *, then_closes: bool = False) -> Fault:
    async def fault(peer: Peer, asked: bytes) -> None:
        peer.write(answer)
        await peer.writer.drain()
        if then_closes:
            peer.close()

    return fault


async def stalls(peer: Peer, asked: bytes) -> None:
    await peer.gone()


def error_of(seen: Seen) -> str:
    return json.loads(seen.body)["error"]["code"]


@dataclass
class Scene:
    """A tenant whose provider fails as the test says, and is well for calls that say "good"."""

    installation: Installation
    tenant: Tenant
    port: int

    async def call(self, *, accept: str = "identity", **fields: Any) -> Seen:
        return await self.ask(chat(self.tenant.key, max_tokens=4000, **fields), accept=accept)

    async def ask(self, ask: Ask, *, accept: str = "identity") -> Seen:
        return await call(self.port, replace(ask, headers=ask.headers | {"accept-encoding": accept}))

    async def record(self, seen: Seen) -> dict[str, Any]:
        """The one record of a call."""
        return (await self.records([seen]))[seen.nonce]

    async def records(self, seen: list[Seen]) -> dict[str, dict[str, Any]]:
        """Those of several, by nonce: of each there is one."""
        await asyncio.to_thread(self.installation.desk, "roll_up")
        nonces = [one.nonce for one in seen]
        rows = self.installation.rows("SELECT * FROM usage_request WHERE end_user = ANY(%s)", nonces)
        found = {row["end_user"]: row for row in rows}
        assert len(rows) == len(found) == len(nonces)
        return found

    async def assert_all_is_well(self) -> None:
        """The next call is served, and nothing is held for those before."""
        seen = await self.call(words="good")
        assert (seen.status, seen.saw_end, seen.body) == (200, True, ANSWER)
        assert open_holds(self.installation, self.tenant) == 0
