"""Every fault of a provider in the streams of every wire: the client gets a right error or the bytes that came, the
record says what happened, nothing is charged that was not delivered or billed, no other call is harmed (must show 6).
"""

import asyncio
import gzip
import zlib

import brotli
import pytest
import zstandard

from apps.usage.models import Result, UsageSource
from tests.faults.failing import ANSWER, IN, OUT, WORDS, Fault, Scene, chunked, price_of, stalls, writes
from tests.faults.spoken import OPENAI, WIRES, Spoken
from tests.proxy.upstream.provider import Peer
from tests.rig.client import Seen, connect
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

wires = pytest.mark.parametrize("wire", [pytest.param(wire, id=wire.name) for wire in WIRES])


async def streamed(scene: Scene, wire: Spoken) -> Seen:
    asked = {"stream_options": {"include_usage": True}} if wire is OPENAI else {}
    return await scene.ask(wire.make(scene.tenant.key, words="Hello.", is_streamed=True, **asked))


# Before an answer


@wires
async def test_connections_are_refused(installation: Installation, impatient_port: int, wire: Spoken):
    with listen() as closed:
        nowhere = port_of(closed)
    tenant = await asyncio.to_thread(installation.tenant, sandbox=f"http://127.0.0.1:{nowhere}", monthly_cap="1000")
    refused = Scene(installation, tenant, impatient_port)
    await assert_free(refused, await streamed(refused, wire), 502, "provider_unreachable")


NO_ANSWER = [
    pytest.param(stalls, 504, "provider_timeout", id="stalls before headers"),
    pytest.param(writes(b"\x00\xff garbage \r\n" * 9), 502, "provider_bad_answer", id="garbage"),
    pytest.param(writes(b"", then_closes=True), 502, "provider_connection_lost", id="closes"),
]


@wires
@pytest.mark.parametrize(("fault", "status", "code"), NO_ANSWER)
async def test_what_is_no_answer_is_an_error_and_free(scene, wire: Spoken, fault: Fault, status: int, code: str):
    failing = await scene(fault)
    await assert_free(failing, await streamed(failing, wire), status, code)
    await failing.assert_all_is_well()


async def assert_free(scene: Scene, seen: Seen, status: int, code: str) -> None:
    """It was answered with this error in the wire's own shape, and costs nothing."""
    assert seen.status == status
    assert code.encode() in seen.body.lower()
    record = await scene.record(seen)
    assert (record["result"], record["status"], record["error_code"]) == (Result.FAILED, status, code)
    assert (record["usage_source"], record["price"], record["cost"]) == (UsageSource.NONE, 0, 0)


# In the middle of one


def stops_short(wire: Spoken) -> bytes:
    """Says that there is more than comes."""
    begun = b"".join(wire.events[:3])
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
    return head % len(wire.stream) + begun


def turns_to_garbage(wire: Spoken) -> bytes:
    """What should be the length of a chunk is none."""
    return chunked(*wire.events[:3], end=False) + b"\xff\xfe\x00 garbage\r\n"


@wires
async def test_a_stream_that_stalls(scene, wire: Spoken):
    async def fault(peer: Peer, asked: bytes) -> None:
        peer.write(chunked(*wire.events[:3], end=False))
        await stalls(peer, asked)

    stalling = await scene(fault)
    await assert_what_came_is_charged(stalling, await streamed(stalling, wire), wire, "provider_timeout")


@wires
@pytest.mark.parametrize("goes", [stops_short, turns_to_garbage])
async def test_a_stream_that_goes_wrong(scene, wire: Spoken, goes):
    code = "provider_bad_answer" if goes is turns_to_garbage else "provider_connection_lost"
    wrong = await scene(writes(goes(wire), then_closes=True))
    await assert_what_came_is_charged(wrong, await streamed(wrong, wire), wire, code)


async def assert_what_came_is_charged(scene: Scene, seen: Seen, wire: Spoken, code: str) -> None:
    came = b"".join(wire.events[:3])
    assert seen.status == 200
    given, said, error = seen.body.partition(wire.begins_error)
    assert (given, bool(said)) == (came, True)
    assert code.encode() in error.lower()
    record = await scene.record(seen)
    assert (record["result"], record["status"], record["error_code"]) == (Result.FAILED, 200, code)
    source, _, tokens_out = wire.used_by(came)
    assert (record["usage_source"], record["output_tokens"]) == (source, tokens_out)
    assert record["usage_source"] == UsageSource.ESTIMATED
    assert record["price"] == price_of(record["input_tokens"], tokens_out) > 0
    await scene.assert_all_is_well()


# Streams that are strange, and whole all the same


def in_bytes(wire: Spoken) -> bytes:
    return chunked(*[wire.stream[at : at + 1] for at in range(len(wire.stream))])


def with_headers(wire: Spoken) -> bytes:
    return chunked(*wire.events, headers=b"".join(b"x-header-%d: %d\r\n" % (i, i) for i in range(100)))


def with_more_behind(wire: Spoken) -> bytes:
    return chunked(*wire.events) + b"HTTP/1.1 200 OK\r\n\x00\x00"


def with_a_line_of_garbage(wire: Spoken) -> bytes:
    return chunked(*garbled(wire))


def garbled(wire: Spoken) -> list[bytes]:
    return [wire.events[0], b"data: \xff\xfe{not json\n\n", *wire.events[1:]]


@wires
@pytest.mark.parametrize("written", [in_bytes, with_headers, with_more_behind, with_a_line_of_garbage])
async def test_strange_streams_pass_and_are_charged_exactly(scene, wire: Spoken, written):
    strange = await scene(writes(written(wire)))
    seen = await streamed(strange, wire)
    body = b"".join(garbled(wire)) if written is with_a_line_of_garbage else wire.stream
    await assert_served(strange, seen, body)


@wires
async def test_an_event_of_20_mb(scene, wire: Spoken):
    large = wire.word.replace(WORDS.encode(), b"x" * 20_000_000)
    answer = [wire.events[0], large, *wire.events[1:]]
    strange = await scene(writes(chunked(*answer)))
    await assert_served(strange, await streamed(strange, wire), b"".join(answer))


async def assert_served(scene: Scene, seen: Seen, body: bytes) -> None:
    assert (seen.status, seen.saw_end) == (200, True)
    assert seen.body == body
    record = await scene.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.SERVED, UsageSource.REPORTED)
    assert (record["input_tokens"], record["output_tokens"]) == (IN, OUT)
    assert record["price"] == price_of(IN, OUT)
    await scene.assert_all_is_well()


PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # without one it isn't noticed
}


@wires
@pytest.mark.parametrize("encoding", PACK)
async def test_a_stream_whose_packing_is_broken_passes_as_it_came(scene, wire: Spoken, encoding: str):
    packed = PACK[encoding](wire.stream)
    middle = len(packed) // 2
    broken = packed[:middle] + b"\xff\x00\xff\x00" + packed[middle + 4 :]
    head = b"content-encoding: " + encoding.encode() + b"\r\n"
    breaking = await scene(writes(chunked(broken[:middle], broken[middle:], headers=head)))
    seen = await streamed(breaking, wire)
    assert (seen.status, seen.saw_end, seen.body) == (200, True, broken)
    assert seen.headers["content-encoding"] == encoding
    record = await breaking.record(seen)
    assert record["result"] == Result.SERVED
    assert record["usage_source"] == UsageSource.ESTIMATED
    assert record["price"] == price_of(record["input_tokens"], record["output_tokens"]) > 0
    await breaking.assert_all_is_well()


@wires
async def test_an_endless_stream_ends_when_the_client_has_enough(scene, wire: Spoken):
    ended = asyncio.Event()

    async def fault(peer: Peer, asked: bytes) -> None:
        peer.write(chunked(wire.events[0], end=False))
        try:
            while True:
                peer.write(b"%x\r\n%b\r\n" % (len(wire.word), wire.word))
                await peer.writer.drain()
                await asyncio.sleep(0)
        finally:
            ended.set()

    endless = await scene(fault)
    connection = await connect(endless.port)
    calling = asyncio.create_task(connection.call(wire.make(endless.tenant.key, words="Hello.", is_streamed=True)))
    await asyncio.sleep(0.3)
    others = await asyncio.gather(*(endless.call(words="good") for _ in range(8)))
    assert [one.body for one in others] == [ANSWER] * 8
    connection.close()
    seen = await calling
    assert seen.body.startswith(wire.events[0] + wire.word * 20)
    await asyncio.wait_for(ended.wait(), 60)
    record = await endless.record(seen)
    assert (record["result"], record["usage_source"]) == (Result.CANCELLED, UsageSource.ESTIMATED)
    assert record["output_tokens"] >= 20 * len(WORDS) // 4
    await endless.assert_all_is_well()
