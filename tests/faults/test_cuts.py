"""An answer that is cut off at any byte, on every wire, plain and streamed: the client has the bytes that came and is
told, the record says what happened, and what came is charged, by what was told of it (must show 6).
"""

import asyncio
import random
import re

import pytest

from apps.usage.models import Result, UsageSource
from tests.faults.failing import Scene, chunked, plain, price_of, text_of
from tests.faults.size import size
from tests.faults.spoken import WIRES, Spoken
from tests.proxy.upstream.provider import Peer
from tests.rig.client import Seen

CUTS = size(12, 400)
AT_ONCE = 8
RANDOM = random.Random(20261121)
CUT = re.compile(rb"cut=(\d+)\.")

wires = pytest.mark.parametrize("wire", [pytest.param(wire, id=wire.name) for wire in WIRES])


def places(count: int) -> list[int]:
    """Where the answer is cut: by chance, and at all places where there are fewer than were asked for."""
    return sorted(RANDOM.sample(range(1, count), min(CUTS, count - 1)))


async def cut_at(scene, wire: Spoken, answer: bytes, at: list[int], *, is_streamed: bool) -> tuple[Scene, list[Seen]]:
    """Call for each place, a few at a time; each call says where its answer is to be cut."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def fault(peer: Peer, body: bytes) -> None:
        found = CUT.search(body)
        assert found is not None
        peer.write(answer[: int(found[1])])
        await peer.writer.drain()
        peer.close()

    cut: Scene = await scene(fault)

    async def call(place: int) -> Seen:
        async with turns:
            return await cut.ask(wire.make(cut.tenant.key, words=f"cut={place}.", is_streamed=is_streamed))

    return cut, await asyncio.gather(*map(call, at))


@pytest.mark.timeout(size(120, 900))
@wires
async def test_a_stream_cut_at_any_byte_is_charged_by_what_came(scene, wire: Spoken):
    answer = chunked(*wire.events)
    head = answer.index(b"\r\n\r\n") + 4
    at = [head + place - 1 for place in places(len(answer) - head)]
    cut, seen = await cut_at(scene, wire, answer, at, is_streamed=True)
    records = await cut.records(seen)
    for place, one in zip(at, seen, strict=True):
        came = text_of(answer[head:place])
        given, said, error = one.body.partition(wire.begins_error)
        assert one.status == 200
        if wire.hidden:  # an event is held until it is whole
            assert came.replace(wire.hidden, b"").startswith(given), place
        else:
            assert given == came, place
        record = records[one.nonce]
        is_whole = wire.ends_in(came)
        assert bool(said) is not is_whole, place
        assert (b"provider_connection_lost" in error.lower()) is not is_whole, place
        expected = (Result.SERVED, "") if is_whole else (Result.FAILED, "provider_connection_lost")
        assert (record["result"], record["error_code"]) == expected, place
        source, tokens_in, tokens_out = wire.used_by(came)
        assert (record["usage_source"], record["output_tokens"]) == (source, tokens_out), (place, came[-200:])
        assert tokens_in in (None, record["input_tokens"]), place
        assert record["price"] == price_of(record["input_tokens"], record["output_tokens"]), place
    await cut.assert_all_is_well()


@pytest.mark.timeout(size(120, 900))
@wires
async def test_a_plain_answer_cut_at_any_byte_is_an_error_and_free(scene, wire: Spoken):
    answer = plain(wire.answer)
    at = places(len(answer))
    cut, seen = await cut_at(scene, wire, answer, at, is_streamed=False)
    records = await cut.records(seen)
    for place, one in zip(at, seen, strict=True):
        assert one.status == 502, place
        assert b"provider_connection_lost" in one.body.lower(), place
        record = records[one.nonce]
        assert (record["result"], record["error_code"]) == (Result.FAILED, "provider_connection_lost"), place
        assert (record["usage_source"], record["price"]) == (UsageSource.NONE, 0), place
    await cut.assert_all_is_well()
