"""Responses in the background: looked after until the provider tells what they cost, then charged once.

The client's call is answered at once; the provider goes on. That it does is durable in the spool before the client
hears of it (an `Awaited`), and so in the database soon after (usage.awaiting). The process that made the
call asks the provider again and again, keeps the hold, and writes intent and outcome in the end, under the id
and the time of the call: however many do so, the database takes one. When that process dies, another
takes over once its lease has ended. Knows no Django.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from decimal import Decimal
from random import random
from typing import NamedTuple, Protocol

from apps.kit.failpoints import reach
from apps.limits.holds import Hold
from apps.pricing.rating import Price, Rated, Tokens, rate
from apps.pricing.selling import Sale, Sold, sell
from apps.proxy.admission import Admission
from apps.proxy.grant import Grant
from apps.proxy.headers import ACCEPT_IDENTITY, read_response
from apps.proxy.made import Maker, Makers, MakersUnknown
from apps.proxy.meter import EMPTY, Meter, Usage
from apps.proxy.protocols.base import RUNNING, Ask, Operation
from apps.proxy.protocols.routes import WIRES
from apps.proxy.route import Route
from apps.proxy.upstream import Pool, UpstreamError
from apps.usage.record import CANCELLED, ESTIMATED, FAILED, NONE, SERVED, Awaited, Intent, Outcome, encode
from apps.usage.spool import Spool, SpoolUnavailable

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGER = 1.5  # each wait than the one before
MOST_WAIT_S = 15.0
LEAST_WAIT_S = 0.5  # however often the client asks itself
MOST_BYTES = 64 * 1024 * 1024  # of an answer
GONE = frozenset((404, 410))
SURELY_GONE = 5  # times in a row
MOST_ADOPTED = 1_000  # by one process
RESULTS = {"failed": FAILED, "cancelled": CANCELLED}  # by state; any other end is an answer
UNTOLD = "The provider never told what this response used: it is charged the most that it could."

_OPERATION = Operation("responses", b"", is_generation=True)
_FREE = Rated(Decimal(0), Decimal(0))


class Running(NamedTuple):
    """A response that goes on at the provider. route: None where its key is there no more."""

    intent: Intent
    awaited: Awaited
    route: Route | None
    price: Price | None
    hold: Hold | None
    sale: Sale | None = None  # None: cost with the markup


class Orphan(NamedTuple):
    """One whose process is gone. grant: None where its customer's key is there no more."""

    intent: Intent
    awaited: Awaited
    route: Route | None
    price: Price | None
    grant: Grant | None
    sale: Sale | None = None


class Unreachable(Exception):
    """The database cannot be asked."""


class Store(Protocol):
    """What the database knows of them; `awaited.AwaitedInDatabase` in production. Raises Unreachable."""

    lease_s: float

    async def keep(self, ids: Collection[bytes]) -> None:
        """These are looked after."""

    async def adopt(self, most: int) -> list[Orphan]:
        """Those that nobody looks after any more; from now on it is us."""


class Background:
    """Of one process. most_s: how long a response may go on before what it cost is assumed."""

    def __init__(
        self, *, pool: Pool, admission: Admission, makers: Makers, store: Store, most_s: float = 86_400.0
    ) -> None:
        self._pool = pool
        self._admission = admission
        self._makers = makers
        self._store = store
        self._most_s = most_s
        self._spool: Spool
        self.relayed: set[bytes] = set()  # calls whose stream still passes by
        self._followed: dict[bytes, asyncio.Task[None]] = {}
        self._asked_for: dict[str, asyncio.Event] = {}  # by the provider's id
        self._keeper: asyncio.Task[None] | None = None
        self._is_cut_off = False

    def __repr__(self) -> str:
        return f"<Background: {len(self._followed)} followed, {len(self.relayed)} passing by>"

    def start(self, spool: Spool) -> None:
        self._spool = spool
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Leave them all to other processes."""
        tasks = [*self._followed.values(), *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Following one

    def follow(self, running: Running) -> None:
        """Ask the provider until it tells how it ended. A second time does nothing."""
        call_id, object_id = running.awaited.id, running.awaited.object_id
        if call_id in self._followed:
            return
        self._asked_for[object_id] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._follow(running))
        self._followed[call_id] = task
        task.add_done_callback(lambda task: self._let_go(call_id, object_id, task))

    def hurry(self, object_id: str) -> None:
        """Its client asks for it: look soon."""
        if event := self._asked_for.get(object_id):
            event.set()

    def _let_go(self, call_id: bytes, object_id: str, task: "asyncio.Task[None]") -> None:
        self._followed.pop(call_id, None)
        self._asked_for.pop(object_id, None)
        if not task.cancelled() and (error := task.exception()):
            logger.error("response %s is followed no more: %r", object_id, error)  # another turn adopts it

    async def _follow(self, running: Running) -> None:
        wait_s, missing = FIRST_WAIT_S, 0
        ends_at = running.intent.started_at_us / 1_000_000 + self._most_s
        while True:
            await self._wait(running.awaited.object_id, wait_s)
            wait_s = min(wait_s * LONGER, MOST_WAIT_S)
            status, usage = await self._look(running)
            missing = missing + 1 if status in GONE else 0
            if usage is not None:
                intent = running.intent
                await self._makers.note_all(intent.organization_id, intent.provider, usage.made, intent.customer_id)
                outcome = ended(running, usage, time.time())
            elif missing >= SURELY_GONE or time.time() >= ends_at:
                outcome = assumed(running, time.time())
            else:
                continue
            with suppress(SpoolUnavailable):  # then in the next turn
                await self._charge(running, outcome)
                return

    async def _wait(self, object_id: str, seconds: float) -> None:
        await asyncio.sleep(min(seconds, LEAST_WAIT_S))
        event = self._asked_for[object_id]
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), max(0.0, seconds - LEAST_WAIT_S))
        event.clear()

    async def _look(self, running: Running) -> tuple[int, Usage | None]:
        """The provider's status (0: none), and what was used, once that is all."""
        route, awaited = running.route, running.awaited
        if route is None:
            return 0, None
        wire = WIRES[route.wire]
        headers = wire.sign([(b"accept", b"application/json"), ACCEPT_IDENTITY], route.secret)
        target = route.base_path + awaited.target.encode()
        try:
            exchange = await self._pool.send(route.origin, b"GET", target, headers)
            try:
                if exchange.status != 200:
                    return exchange.status, None
                ask = Ask(
                    model=running.intent.model,
                    input_bytes=awaited.input_bytes,
                    units=awaited.units,
                    provider=running.intent.provider,
                )
                meter, size = Meter(wire, _OPERATION, ask, read_response(exchange.headers)), 0
                while (chunk := await exchange.read()) and size < MOST_BYTES:
                    meter.feed(chunk)
                    size += len(chunk)
            finally:
                exchange.close()
        except UpstreamError:
            return 0, None
        meter.feed(b"")
        usage = meter.finish()
        return 200, usage if usage.state and usage.state not in RUNNING else None

    async def _charge(self, running: Running, outcome: Outcome) -> None:
        """Durable first: what is told afterwards can be told again. Raises SpoolUnavailable."""
        intent, awaited = running.intent, running.awaited
        reach("before_charge")
        await self._spool.write(encode(intent), encode(outcome))
        reach("after_charge")
        maker = Maker(intent.customer_id, alias=intent.alias or "")
        await self._makers.note(intent.organization_id, intent.provider, awaited.object_id, maker)
        if running.hold is not None:
            self._admission.settle(running.hold, outcome)

    # Looking after those of others

    async def _keep(self) -> None:
        """Three times in a lease, so that nobody else takes what is ours."""
        while True:
            await asyncio.sleep(self._store.lease_s / 3 * (0.9 + random() / 5))  # noqa: S311 (no secret)
            try:
                if ours := [*self._followed, *self.relayed]:
                    await self._store.keep(ours)
                for orphan in await self._store.adopt(max(0, MOST_ADOPTED - len(self._followed))):
                    await self._adopt(orphan)
            except Unreachable as error:
                if not self._is_cut_off:
                    logger.warning("responses in the background cannot be looked up: %s", error)
                self._is_cut_off = True
            else:
                self._is_cut_off = False

    async def _adopt(self, orphan: Orphan) -> None:
        intent, awaited = orphan.intent, orphan.awaited
        with suppress(MakersUnknown):
            maker = await self._makers.of(intent.organization_id, intent.provider, awaited.object_id)
            if maker is not None and not maker.is_awaited:
                return  # it is charged, and on its way to the database
        if awaited.id in self._followed or awaited.id in self.relayed:
            return
        hold = None if orphan.grant is None else self._admission.resume(orphan.grant, intent, awaited)
        self.follow(Running(intent, awaited, orphan.route, orphan.price, hold, orphan.sale))


def ended(running: Running, usage: Usage, now: float) -> Outcome:
    """The outcome of a response whose end the provider has told."""
    result = RESULTS.get(usage.state, SERVED)
    if result == FAILED and usage.source == ESTIMATED:
        usage = usage._replace(tokens=EMPTY, source=NONE)  # nobody told of it
    return _outcome(running, result, usage, now)


def assumed(running: Running, now: float) -> Outcome:
    """The outcome of one whose end nobody will tell any more: the most that was held for it, marked estimated."""
    awaited = running.awaited
    usage = Usage(
        Tokens(input=awaited.most_input, output=awaited.most_output),
        ESTIMATED,
        request_id=awaited.object_id,
        error_code="usage_not_told",
        error_message=UNTOLD,
        units=tuple((name, count) for name, count in awaited.units if count),
    )
    return _outcome(running, SERVED, usage, now)


def _outcome(running: Running, result: int, usage: Usage, now: float) -> Outcome:
    intent, awaited, price, sale = running.intent, running.awaited, running.price, running.sale
    rated: Rated | Sold | None = None
    if result != SERVED and not usage.tokens.total and not usage.units:
        rated = _FREE
    elif sale is not None:
        rated = sell(sale, usage.tokens, price, usage.units, usage.service_tier)
    elif price is not None:
        rated = rate(usage.tokens, price, intent.markup_percent, usage.units, usage.service_tier)
    served_by = awaited.provider_key_id
    return Outcome(
        intent.id,
        result,
        200,
        min(2**31 - 1, max(0, round((now - intent.started_at_us / 1_000_000) * 1000))),
        usage.model,
        None,
        usage.source,
        usage.tokens,
        rated.cost if rated else None,
        rated.price if rated else None,
        price.id if price else None,
        usage.error_code,
        usage.error_message,
        awaited.object_id,
        usage.units,
        usage.service_tier,
        usage.provider_cost,
        None if served_by == intent.provider_key_id else served_by,
        was_awaited=True,
    )
