"""The short way of a stream's parts: taken where nothing speaks against it, and never past a part that waits."""

import asyncio

import pytest

from apps.bodies.kept import WHOLE, Side
from apps.proxy.keeping import KeepingMeter
from apps.proxy.meter import Meter
from apps.proxy.passing import passer
from apps.proxy.protocols.base import Ask
from apps.proxy.renaming import RenamingMeter
from apps.proxy.upstream.exchange import Exchange

from .protocols.answers import CHAT, EVENTS, USAGE, events, head, words

BEGIN, WORDS = events(words("a")), events(words("b"))
TOLD = events({**words("c"), "usage": USAGE})
DONE = events(b"[DONE]")


def a_meter(kind: type[Meter] = Meter, *more: object, encoding: bytes = b"") -> Meter:
    ask = Ask(is_streamed=True, input_bytes=400)
    return kind(CHAT.wire, CHAT.operation, ask, head(EVENTS, encoding), *more)


class Peer:
    """The connection of an exchange, as far as a reader needs one."""

    def resume_reading(self) -> None:
        pass


async def waits(reading: asyncio.Task) -> None:
    await asyncio.sleep(0)
    assert not reading.done()


async def test_parts_are_passed_on_while_the_reader_waits_and_in_order():
    exchange, passed = Exchange(Peer(), asyncio.get_running_loop()), []
    takes = [True, True, False]

    def pass_on(part: bytes) -> bool:
        if took := takes.pop(0):
            passed.append(part)
        return took

    exchange.pass_on = pass_on
    reading = asyncio.create_task(exchange.read())
    await waits(reading)
    assert [exchange.push(b"1"), exchange.push(b"2")] == [0, 0]
    await waits(reading)
    assert exchange.push(b"3") == 1  # for the reader
    assert exchange.push(b"4") == 2  # and so is what comes while it has that: or it would overtake
    assert (passed, await reading) == ([b"1", b"2"], b"34")
    assert exchange.push(b"5") == 1  # nobody waits: the reader is at work with what it has
    assert (passed, await exchange.read(), takes) == ([b"1", b"2"], b"5", [])


async def test_who_has_closed_is_passed_nothing():
    exchange = Exchange(Peer(), asyncio.get_running_loop())
    exchange._connection = None
    exchange.pass_on = lambda part: True
    exchange.close()
    assert exchange.pass_on is None


@pytest.mark.parametrize(
    ("chunk", "passes"),
    [(WORDS, True), (WORDS * 3, True), (WORDS[:-1], False), (TOLD, False), (WORDS + TOLD, False), (DONE, False)],
    ids=["an-event", "several", "half-of-one", "usage", "usage-behind-words", "the-end"],
)
def test_what_tells_nothing_passes(chunk, passes):
    meter = a_meter()
    assert not meter.passes(BEGIN)  # the first is read: it names the model
    assert meter.feed(BEGIN) == BEGIN
    assert meter.passes(chunk) is passes


def test_after_half_an_event_its_rest_does_not_pass():
    meter = a_meter()
    meter.feed(BEGIN)
    meter.feed(WORDS[:9])
    assert not meter.passes(WORDS[9:])


def test_what_passed_counts_where_usage_is_never_told():
    straight, passed = a_meter(), a_meter()
    for meter in (straight, passed):
        meter.feed(BEGIN)
    straight.feed(WORDS * 50)
    assert passed.passes(WORDS * 50)
    assert passed.finish() == straight.finish()
    assert passed.finish().tokens.output > 0


def test_what_is_compressed_or_renamed_does_not_pass():
    for meter in (a_meter(encoding=b"gzip"), a_meter(RenamingMeter, "house")):
        meter.feed(BEGIN)
        assert not meter.passes(WORDS)


def test_what_passes_is_kept_where_bodies_are():
    side = Side(10_000, WHOLE)
    meter = KeepingMeter(a_meter(), side, head(EVENTS))
    meter.feed(BEGIN)
    assert meter.passes(WORDS)
    meter.feed(TOLD)
    assert b"".join(side.parts) == BEGIN + WORDS + TOLD


def test_a_client_that_cannot_be_asked_has_no_short_way():
    async def send(message: object) -> None:
        pass

    assert passer(send, a_meter()) is None
