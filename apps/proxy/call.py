"""One call from top to bottom: a customer's request to a provider and back, a method a step.

What must hold, whatever happens: no byte goes to the provider before the intent is durable in the
spool, the client does not see the end of an answer before its outcome is, and every intent gets an
outcome (that of a process which dies comes from the shipper). Knows no Django.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.bodies.kept import Kept
from apps.kit.failpoints import reach
from apps.kit.ids import as_text
from apps.limits.headers import headers_of_answer
from apps.limits.holds import Hold
from apps.pricing.rating import Rated, rate
from apps.proxy import stops
from apps.proxy.admission import Demand
from apps.proxy.aliases import unnamed
from apps.proxy.asgi import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    client_address,
    is_gone,
    parts_of_body,
)
from apps.proxy.asked import Asked
from apps.proxy.attempts import told_of
from apps.proxy.background import Background, Running
from apps.proxy.decoding import decoded
from apps.proxy.headers import (
    ACCEPT_IDENTITY,
    ERROR_LIMIT,
    ResponseHead,
    read_response,
    with_body,
)
from apps.proxy.keeping import KeepingMeter
from apps.proxy.leaving import Drain, tell_when_gone
from apps.proxy.listing import Listing
from apps.proxy.made import Maker, can_be_followed
from apps.proxy.meter import EMPTY, Meter, Usage
from apps.proxy.passing import passer
from apps.proxy.protocols.base import RUNNING, Match
from apps.proxy.protocols.body import hides_names
from apps.proxy.protocols.errors import BadBody
from apps.proxy.renaming import RenamingMeter, in_plain
from apps.proxy.route import Route
from apps.proxy.scrub import scrub
from apps.proxy.shortening import can_be_shortened, shortened
from apps.proxy.stops import Stop
from apps.proxy.upstream import Exchange, UpstreamError
from apps.usage.record import CANCELLED, ESTIMATED, FAILED, NONE, REFUSED, SERVED, Awaited, Intent, Outcome, encode
from apps.usage.spool import SpoolUnavailable

if TYPE_CHECKING:
    from apps.proxy.app import Proxy

logger = logging.getLogger(__name__)

ZERO = Decimal(0)
NOTHING_USED = Usage()
FREE = Rated(ZERO, ZERO)


class Call(Asked):
    """A call under way. `run` takes it through its steps; each leaves what the next ones need."""

    def __init__(self, proxy: "Proxy", match: Match, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(proxy, match, scope, receive, send)

        # Let in
        self.hold: Hold | None = None
        self.output_limit: int | None = None  # set by us, so that the call fits under its caps
        self.is_intended = False

        # Known of the answer
        self.exchange: Exchange | None = None
        self.drain: Drain | None = None  # the client has gone
        self.meter: Meter | None = None
        self.status = 0  # given to the client; 0: nothing yet
        self.first_token_ms: int | None = None
        self.provider_request_id: str | None = None
        self.made: str | None = None  # the id of what the provider keeps of it
        self.made_beside: Sequence[str] = ()  # and of what is in that
        self.is_recorded = False
        self.is_awaited = False  # it was written down that the provider goes on, whatever becomes of us
        self.goes_on = False  # and it does: the outcome is not known by the end of the call
        self.outcome: Outcome

    def __repr__(self) -> str:
        state = "recorded" if self.is_recorded else "intended" if self.is_intended else "new"
        return f"<Call {as_text(self.id)} {self.operation.name} {self.ask.model!r} {state}>"

    async def run(self) -> None:
        """Take the call to its end. Raises nothing that a client or provider could cause."""
        try:
            await self.authenticate()
            await self.understand()
            await self.admit()
            sent = self.forward(self.route) if self.attempts is None else self.attempts.run(self.forward, self.send)
            await self.relay(await sent)
        except Stop as stop:
            await self.refuse(stop)
        except Listing as listing:
            await self.answer(listing.body)
        except BodyTooLarge:
            await self.refuse(stops.body_too_large(self.proxy.max_body))
        except BadBody as error:  # of a form that turned out to be none after it had begun to go out
            await self.refuse(stops.bad_body(error))
        except UpstreamError as error:  # before an answer began
            await self.refuse(stops.provider_failed(error))
        except ClientGone:
            pass
        except Exception:
            logger.exception("%r failed", self)
            await self.refuse(stops.our_fault())
        finally:
            if self.is_known and not self.is_recorded:  # cut short, such as by the end of this process
                with suppress(SpoolUnavailable):
                    self.write_outcome(CANCELLED)
                self.settle()
            if self.kept is not None and self.is_recorded and self.outcome.result != REFUSED:
                self.keep_bodies(self.kept)

    # Letting it in

    async def admit(self) -> None:
        """Hold what it may cost, and write down that it was let in: both before the provider hears of it."""
        reach("before_intent")
        intent = encode(self.make_intent())
        try:
            durable = self.proxy.spool.write(intent)  # on its way to the disk while Redis is asked
        except SpoolUnavailable:
            raise stops.away("Calls cannot be recorded at the moment, so none is let through.") from None
        self.is_intended = True
        reach("before_admit")
        self.hold, limit = await self.proxy.admission.admit(
            self.id.hex(), self.grant, self.scopes, self.price, self.demand(), self.began_at
        )
        if limit is not None and self.body is not None:
            self.output_limit = self.ask.max_output_tokens = limit
            self.body = shortened(self.operation, self.provider, self.body, limit)
        reach("after_admit")
        try:
            await durable
        except SpoolUnavailable:
            raise stops.away("Calls cannot be recorded at the moment, so none is let through.") from None

    def demand(self) -> Demand:
        ask, body = self.ask, self.body
        if body is None:
            return Demand(0, lambda: ask.input_bound, ask.max_output_tokens, ask.n, False, ask.units, ask.service_tier)
        return Demand(
            len(body),
            lambda: None if ask.finds_input or hides_names(body) else self.wire.input_bound(self.operation, body),
            ask.max_output_tokens,
            ask.n,
            can_be_shortened(self.operation),
            ask.units,
            ask.service_tier,
        )

    # There and back

    async def forward(self, route: Route) -> Exchange:
        """Send the call to the provider; returns when its answer begins.

        Raises UpstreamError, BodyTooLarge, BadBody.
        """
        self.route, wire, operation = route, self.wire, self.operation
        body: bytes | AsyncIterator[bytes]
        if self.upload is not None:
            if self.model is not None:
                self.upload.rename_model(self.model)
                self.ask.model = self.model
            body = self.upload.parts()
        elif self.body is None:
            body = parts_of_body(self.receive, self.proxy.max_body)
        elif self.head.is_json and self.body:
            body = wire.prepare(operation, self.body, self.ask, route.provider, self.model)
        else:
            body = self.body
        query = wire.query(operation, self.query)
        target = route.base_path + wire.target(operation) + (b"?" + query if query else b"")
        headers = wire.sign(self.head.forward, route.secret)
        if self.upload is not None and (length := self.upload.length) is not None:
            headers.append((b"content-length", b"%d" % length))
        if self.ask.hides_usage or self.alias:  # what we take something out of, or put in, can't be compressed
            headers.append(ACCEPT_IDENTITY)
        else:
            headers.append((b"accept-encoding", self.head.accept_encoding))
        return await self.proxy.pool.send(route.origin, self.scope["method"].encode(), target, headers, body)

    async def relay(self, exchange: Exchange) -> None:
        """Pass the answer on as it comes, but for its end: that waits until the outcome is durable."""
        reach("after_first_byte")
        self.exchange = exchange
        tell_when_gone(self.send, self.client_left)
        answer = read_response(exchange.headers)
        self.provider_request_id = answer.request_id
        if self.alias is None:
            meter = self.meter = Meter(self.wire, self.operation, self.ask, answer)
        else:
            answer = in_plain(answer)
            meter = self.meter = RenamingMeter(self.wire, self.operation, self.ask, answer, self.alias.name)
        if self.kept is not None:
            meter = self.meter = KeepingMeter(meter, self.kept.answer, answer)
        try:
            if exchange.status >= 400:
                await self.relay_error(exchange, answer)
            elif meter.is_stream:
                await self.relay_stream(exchange, answer, meter)
            else:
                await self.relay_body(exchange, answer, meter)
        except UpstreamError as error:
            if self.is_recorded:  # the answer was whole, but for what ends its transport
                await self.finish(b"")
                return
            if self.drain is not None and self.drain.is_over:  # by us, and nobody is there to be told
                await self.record(CANCELLED, status=exchange.status)
                return
            stop = stops.provider_failed(error)
            if not self.status:
                raise stop from error
            await self.record(FAILED, stop)
            if meter.is_stream:  # of anything else the client sees that it was cut off
                await self.finish(self.wire.error_event(self.operation, stop.status, stop.code, stop.message))
        finally:
            exchange.close()
            tell_when_gone(self.send, None)
            if self.drain is not None:
                self.drain.end()

    def client_left(self) -> None:
        """Called when the client has closed its connection before the end of its answer."""
        if self.exchange is not None:
            self.drain = Drain(self.exchange, self.proxy.patience if self.grant.drains else None)

    async def relay_stream(self, exchange: Exchange, answer: ResponseHead, meter: Meter) -> None:
        """Each part goes out as it comes in; the one that ends the stream after the outcome is durable.

        Parts that tell nothing are passed on without us, while the client keeps up (passing.py).
        """
        await self.start(exchange.status, answer.forward)
        while chunk := await exchange.read():
            if self.first_token_ms is None:
                self.first_token_ms = self.elapsed_ms()
                exchange.pass_on = None if self.ask.is_background else passer(self.send, meter)
            part = meter.feed(chunk)
            reach("mid_stream")
            if self.drain is not None:
                self.drain.take(len(chunk))
            if self.ask.is_background and not self.is_awaited and meter.running:
                await self.await_outcome(meter.running)
            if meter.is_final and not self.is_recorded:
                reach("after_usage_seen")
                await self.record(SERVED)
            if part:
                await self.send({"type": "http.response.body", "body": part, "more_body": True})
        rest = meter.feed(b"")
        if not self.is_recorded:
            await self.record(SERVED)
        await self.finish(rest)

    async def relay_body(self, exchange: Exchange, answer: ResponseHead, meter: Meter) -> None:
        """An answer that is whole only with its last byte, which is held back until the outcome is durable."""
        held = b""
        while chunk := await exchange.read():
            if held:
                await self.start(exchange.status, answer.forward)
                await self.send({"type": "http.response.body", "body": held, "more_body": True})
            held = meter.feed(chunk)
            if self.drain is not None:
                self.drain.take(len(chunk))
        held += meter.feed(b"")
        await self.record(SERVED, status=exchange.status)
        await self.start(exchange.status, answer.forward)
        await self.finish(held)

    async def relay_error(self, exchange: Exchange, answer: ResponseHead) -> None:
        """A provider's error, with whatever it says of the operator's key taken out."""
        body = bytearray()
        while len(body) < ERROR_LIMIT and (chunk := await exchange.read()):
            body += chunk
        told = scrub(decoded(bytes(body), answer.content_encoding), self.route.secret)
        if self.alias is not None:
            told = unnamed(told, self.alias)
        answer = answer._replace(content_encoding=b"")
        meter = self.meter = Meter(self.wire, self.operation, self.ask, answer, exchange.status)
        if self.kept is not None:
            meter = self.meter = KeepingMeter(meter, self.kept.answer, answer)
        meter.feed(told)
        await self.record(FAILED, status=exchange.status)
        await self.start(exchange.status, with_body(answer.forward, told))
        await self.finish(told)

    # What the client gets

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers, with ours among them. Once; later calls do nothing."""
        if self.status:
            return
        self.status = status
        request_id = as_text(self.id).encode()
        headers += ((b"x-request-id", request_id), (b"helicone-id", request_id))
        if self.context.warnings:
            headers.append((b"tollgate-warning", self.context.warnings))
        if self.hold is not None and self.hold.used:
            headers += headers_of_answer(self.hold)
        if self.output_limit is not None:
            headers.append((b"tollgate-output-limit", b"%d" % self.output_limit))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def finish(self, body: bytes) -> None:
        reach("before_last_chunk")
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
        reach("after_last_chunk")

    async def answer(self, body: bytes) -> None:
        """Answer in the provider's place, and record that."""
        await self.record(SERVED, status=200)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self.start(200, headers)
        await self.finish(body)

    async def refuse(self, stop: Stop) -> None:
        """Answer with an error of ours; recorded first, where it is known whose call it is."""
        if self.is_known and not self.is_recorded:
            try:
                await self.record(stop.result, stop)
            except SpoolUnavailable:
                logger.error("the refusal of %r is not recorded: %s", self, stop.code)
        if self.status:
            return  # too late to tell: the client sees that it was cut off
        body = self.wire.error(stop.status, stop.code, stop.message, stop.param, stop.limit)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if stop.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % stop.retry_after_s))
        headers += stop.headers
        await self.start(stop.status, headers)
        await self.finish(body)

    # What is written down

    def make_intent(self) -> Intent:
        grant, context = self.grant, self.context
        return Intent(
            self.id,
            int(self.began_at * 1_000_000),
            grant.organization_id,
            grant.customer_id,
            grant.proxy_key_id,
            self.provider_key_id,
            self.provider,
            self.operation.name,
            self.deployed or self.model or self.ask.model,
            self.ask.is_streamed,
            grant.markup_percent,
            context.end_user,
            context.properties,
            context.session_id,
            context.session_path,
            context.session_name,
            context.client_request_id,
            client_address(self.scope),
            self.alias.name if self.alias else None,
        )

    def make_outcome(self, result: int, stop: Stop | None, status: int) -> Outcome:
        usage = self.meter.finish() if self.meter is not None else NOTHING_USED
        if result == SERVED and is_gone(self.send):
            result = CANCELLED
        if self.operation.makes_object and usage.request_id and status < 400:
            self.made, self.made_beside = usage.request_id, usage.made
            self.goes_on = self.ask.is_background and usage.state in RUNNING and can_be_followed(usage.request_id)
        if result == FAILED and not self.status and usage.source == ESTIMATED:
            usage = usage._replace(tokens=EMPTY, source=NONE)  # nobody saw it, and nobody told of it
        rated = self.rated(result, usage)
        return Outcome(
            self.id,
            result,
            status,
            self.elapsed_ms(),
            usage.model,
            self.first_token_ms,
            usage.source,
            usage.tokens,
            rated.cost if rated else None,
            rated.price if rated else None,
            self.price.id if self.price else None,
            stop.code if stop else usage.error_code,
            stop.message if stop else usage.error_message,
            self.provider_request_id or usage.request_id,
            usage.units,
            usage.service_tier,
            usage.provider_cost,
            *(told_of(self.attempts, self.provider_key_id) if self.attempts else ()),
        )

    def rated(self, result: int, usage: Usage) -> Rated | None:
        """What the call costs: nothing where nothing was used; None where the price is not known."""
        is_free = not self.operation.is_charged or (result != SERVED and not usage.tokens.total and not usage.units)
        if is_free:
            return FREE
        if self.price is None:
            return None
        return rate(usage.tokens, self.price, self.grant.markup_percent, usage.units, usage.service_tier)

    async def record(self, result: int, stop: Stop | None = None, *, status: int = 0) -> None:
        """Make the outcome durable: before the client sees anything that it could take for the end."""
        reach("before_record")
        try:
            durable = self.write_outcome(result, stop, status)
            if self.made is not None:
                await self.note_maker(self.made, is_awaited=self.goes_on)
                if self.made_beside and self.proxy.makers is not None:
                    grant = self.grant
                    await self.proxy.makers.note_all(
                        grant.organization_id, self.provider, self.made_beside, grant.customer_id
                    )
            await durable
        finally:
            reach("before_settle")
            self.settle()
            reach("after_settle")

    async def await_outcome(self, object_id: str) -> None:
        """Have it durable that the provider goes on, before the client hears of it: it charges from now on."""
        if self.proxy.background is None or not can_be_followed(object_id):
            return
        self.is_awaited = True
        self.proxy.background.relayed.add(self.id)
        durable = self.proxy.spool.write(encode(self.make_awaited(object_id)), is_outcome=True)
        await self.note_maker(object_id, is_awaited=True)
        await durable

    async def note_maker(self, made: str, *, is_awaited: bool) -> None:
        """Before the client sees the end of the answer, and may go on from it."""
        if self.proxy.makers is not None:
            grant = self.grant
            maker = Maker(grant.customer_id, is_awaited, self.alias.name if self.alias else "")
            await self.proxy.makers.note(grant.organization_id, self.provider, made, maker)

    def write_outcome(self, result: int, stop: Stop | None = None, status: int = 0) -> "asyncio.Future[None]":
        """Hand the outcome to the spool. The future is done when it is durable."""
        self.is_recorded = True
        self.outcome = self.make_outcome(result, stop, self.status or status or (stop.status if stop else 0))
        if self.goes_on and self.proxy.background is not None:
            return self.hand_over(self.proxy.background)
        if self.is_awaited:
            self.outcome.was_awaited = True
        elif self.is_intended:
            return self.proxy.spool.write(encode(self.outcome), is_outcome=True)
        return self.proxy.spool.write(encode(self.make_intent()), encode(self.outcome))

    def hand_over(self, background: Background) -> "asyncio.Future[None]":
        """Leave it to those who follow it at the provider, with its hold. The future is done when that is durable."""
        awaited = self.make_awaited(self.made or "")
        background.follow(Running(self.make_intent(), awaited, self.route, self.price, self.hold))
        background.relayed.discard(self.id)
        if self.is_awaited:  # since its stream began
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        self.is_awaited = True
        return self.proxy.spool.write(encode(awaited), is_outcome=True)

    def make_awaited(self, object_id: str) -> Awaited:
        demand, hold, query = self.demand(), self.hold, self.wire.query(self.operation, self.query)
        target = self.wire.target(self.operation) + b"/" + object_id.encode() + (b"?" + query if query else b"")
        return Awaited(
            self.id,
            object_id,
            target.decode("latin-1"),
            self.route.provider_key_id,
            self.ask.input_bytes,
            demand.most_input(self.price),
            demand.most_output(self.price),
            self.ask.units,
            *((hold.id, hold.tokens, hold.spend, hold.is_alone) if hold is not None else ()),
        )

    def settle(self) -> None:
        """Put the real price in the place of what was held."""
        if self.is_awaited and self.proxy.background is not None:
            self.proxy.background.relayed.discard(self.id)
        if self.hold is not None and not self.goes_on:
            self.proxy.admission.settle(self.hold, self.outcome)

    def keep_bodies(self, kept: Kept) -> None:
        """Have its bodies stored: once all else is done."""
        if self.proxy.bodies is not None:
            grant = self.grant
            kept.id, kept.organization_id, kept.customer_id = self.id, grant.organization_id, grant.customer_id
            kept.started_at = self.began_at
            self.proxy.bodies.keep(kept)

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self.began) * 1000)
