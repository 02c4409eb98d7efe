"""A provider that fails in every way there is: the client gets a right error or the bytes that came, the record says
what happened, nothing is charged that was not delivered or billed, and no other call is harmed (D3, O6).
"""

import asyncio
import gzip
import json
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from apps.usage.models import Result, UsageSource
from tests.faults.failing import (
    ANSWER,
    IN,
    OUT,
    USAGE,
    WORDS,
    Fault,
    Scene,
    chunked,
    error_of,
    plain,
    price_of,
    stalls,
    writes,
)
from tests.faults.verify import open_holds
from tests.proxy.upstream.provider import Peer
from tests.rig.calls import chat
from tests.rig.client import connect
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of


def event(**said: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c-1", "model": "sandbox-openai", **said}).encode() + b"\n\n"


EVENTS = [
    *[event(choices=[{"index": 0, "delta": {"content": WORDS}, "finish_reason": None}]) for _ in range(4)],
    event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    event(choices=[], usage=USAGE),
    b"data: [DONE]\n\n",
]
STREAM = b"".join(EVENTS)


# Before an answer


async def test_a_provider_that_refuses_connections(installation: Installation, impatient_port: int):
    with listen() as closed:
        nowhere = port_of(closed)
    tenant = await asyncio.to_thread(installation.tenant, sandbox=f"http://127.0.0.1:{nowhere}", monthly_cap="1000")
    scene = Scene(installation, tenant, impatient_port)
    seen = await scene.call()
    assert (seen.status, error_of(seen)) == (502, "provider_unreachable")
    record = await scene.record(seen)
    assert (record["result"], record["status"], record["price"]) == (Result.FAILED, 502, 0)
    assert record["error_code"] == "provider_unreachable"
    assert open_holds(installation, tenant) == 0


NO_ANSWER = [  # what the provider does, status and code of ours
    pytest.param(stalls, 504, "provider_timeout", id="stalls before headers"),
    pytest.param(writes(b"\x16\x03\x01\x00garbage\x00\xff" * 9), 502, "provider_bad_answer", id="garbage"),
    pytest.param(writes(b"HTTP/1.1 200 OK\r\ncontent-le", then_closes=True), 502, "provider_connection_lost", id="cut"),
    pytest.param(writes(b"", then_closes=True), 502, "provider_connection_lost", id="closes"),
    pytest.param(
        writes(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n{}"),
        502,
        "provider_bad_answer",
        id="two lengths",
    ),
]


@pytest.mark.parametrize(("fault", "status", "code"), NO_ANSWER)
async def test_what_is_no_answer_is_an_error_and_free(scene, fault: Fault, status: int, code: str):
    failing = await scene(fault)
    seen = await failing.call()
    assert (seen.status, error_of(seen)) == (status, code)
    record = await failing.record(seen)
    assert (record["result"], record["status"], record["error_code"]) == (Result.FAILED, status, code)
    assert (record["price"], record["cost"]) == (0, 0)
    await failing.assert_all_is_well()


# In the middle of one


async def test_an_answer_shorter_than_it_said_is_an_error_but_what_it_told_is_billed(scene):
    short = await scene(writes(plain(ANSWER, length=9999), then_closes=True))
    seen = await short.call()
    assert (seen.status, error_of(seen)) == (502, "provider_connection_lost")
    record = await short.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.FAILED, UsageSource.REPORTED)
    assert record["price"] == price_of(IN, OUT)
    await short.assert_all_is_well()


async def test_a_stream_that_stalls_ends_with_an_error_and_what_came_is_charged(scene):
    async def fault(peer: Peer, asked: bytes) -> None:
        peer.write(chunked(*EVENTS[:2], end=False))
        await stalls(peer, asked)

    stalling = await scene(fault)
    seen = await stalling.call(is_streamed=True)
    assert seen.status == 200
    assert seen.body.startswith(b"".join(EVENTS[:2]))
    assert b"provider_timeout" in seen.body
    assert b"[DONE]" not in seen.body
    record = await stalling.record(seen)
    assert (record["result"], record["status"], record["error_code"]) == (Result.FAILED, 200, "provider_timeout")
    assert record["usage_source"] == UsageSource.ESTIMATED
    assert record["output_tokens"] == -(-2 * len(WORDS) // 4)
    assert record["price"] == price_of(record["input_tokens"], record["output_tokens"])
    await stalling.assert_all_is_well()


# Answers that are strange, and answers all the same


LARGE = json.dumps({"choices": [{"message": {"content": "x" * 20_000_000}}], "usage": USAGE}).encode()
STRANGE = [  # what the provider writes, and what the client gets; usage is told in full
    pytest.param(plain(LARGE), LARGE, id="20 MB"),
    pytest.param(chunked(*[STREAM[i : i + 1] for i in range(len(STREAM))]), STREAM, id="one byte a chunk"),
    pytest.param(plain(ANSWER, *[b"x-header-%d: %d" % (i, i) for i in range(100)]), ANSWER, id="100 headers"),
    pytest.param(plain(ANSWER) + b"HTTP/1.1 200 OK\r\n", ANSWER, id="trailing data"),
    pytest.param(plain(ANSWER) + b"\x00" * 4096, ANSWER, id="trailing zeros"),
]


@pytest.mark.parametrize(("answer", "body"), STRANGE)
async def test_strange_answers_pass_and_are_charged_exactly(scene, answer: bytes, body: bytes):
    strange = await scene(writes(answer))
    is_streamed = body is STREAM
    asked = {"stream_options": {"include_usage": True}} if is_streamed else {}
    seen = await strange.call(is_streamed=is_streamed, **asked)
    assert (seen.status, seen.saw_end) == (200, True)
    assert seen.body == body
    record = await strange.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.SERVED, UsageSource.REPORTED)
    assert (record["input_tokens"], record["output_tokens"]) == (IN, OUT)
    assert record["price"] == price_of(IN, OUT)
    await strange.assert_all_is_well()


PACKED = {
    "gzip": gzip.compress(ANSWER),
    "deflate": zlib.compress(ANSWER),
    "br": brotli.compress(ANSWER),
    "zstd": zstandard.compress(ANSWER),
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_body_whose_packing_is_broken_passes_as_it_came(scene, encoding: str):
    packed = PACKED[encoding]
    broken = packed[: len(packed) // 2] + b"\xff\x00\xff\x00" + packed[len(packed) // 2 + 4 :]
    breaking = await scene(writes(plain(broken, b"content-encoding: " + encoding.encode())))
    seen = await breaking.call(accept=encoding)
    assert (seen.status, seen.body) == (200, broken)
    assert seen.headers["content-encoding"] == encoding
    record = await breaking.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.SERVED, UsageSource.ESTIMATED)
    assert record["price"] > 0
    await breaking.assert_all_is_well()


async def test_an_endless_stream_ends_when_the_client_has_enough(scene):
    ended = asyncio.Event()

    async def fault(peer: Peer, asked: bytes) -> None:
        peer.write(chunked(end=False))
        try:
            while True:
                peer.write(b"%x\r\n%b\r\n" % (len(EVENTS[0]), EVENTS[0]))
                await peer.writer.drain()
                await asyncio.sleep(0)
        finally:
            ended.set()

    endless = await scene(fault)
    connection = await connect(endless.port)
    ask = chat(endless.tenant.key, is_streamed=True, max_tokens=4000)
    calling = asyncio.create_task(connection.call(ask))
    await asyncio.sleep(0.3)
    others = await asyncio.gather(*(endless.call(words="good") for _ in range(8)))
    assert [one.body for one in others] == [ANSWER] * 8
    connection.close()
    seen = await calling
    assert seen.body.startswith(EVENTS[0] * 100)
    await asyncio.wait_for(ended.wait(), 60)
    record = await endless.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.CANCELLED, UsageSource.ESTIMATED)
    assert record["output_tokens"] >= 100 * len(WORDS) // 4
    await endless.assert_all_is_well()
