"""One call from top to bottom: a customer's request to a provider and back, a method a step.

What must hold, whatever happens: no byte goes to the provider before the intent is durable in the
spool, the client does not see the end of an answer before its outcome is, and every intent gets an
outcome (that of a process which dies comes from the shipper). Knows no Django.
"""

import logging
import time
from typing import TYPE_CHECKING

from apps.kit.failpoints import reach
from apps.kit.ids import uuid7
from apps.keys.token import digest, looks_valid
from apps.limits.limiter import Hold
from apps.pricing.rating import Price, rate
from apps.proxy import stops
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
    whole_body,
)
from apps.proxy.context import read_context
from apps.proxy.grant import UNKNOWN, Grant, GrantsUnavailable, PricesUnavailable, Route
from apps.proxy.headers import ERROR_LIMIT, read_request, read_response, take_key
from apps.proxy.meter import Meter, Usage
from apps.proxy.protocols.base import Ask, BadBody, Match
from apps.proxy.protocols.compatible import named_provider
from apps.proxy.scrub import scrub
from apps.proxy.stops import Stop
from apps.proxy.upstream import Exchange, UpstreamError
from apps.usage.record import CANCELLED, FAILED, SERVED, Intent, Outcome, encode
from apps.usage.spool import SpoolUnavailable

if TYPE_CHECKING:
    from apps.proxy.app import Proxy

logger = logging.getLogger(__name__)

NOBODY = Usage()


class Call:
    """A call under way. `run` takes it through its steps; each leaves what the next ones need."""

    def __init__(self, proxy: "Proxy", match: Match, scope: Scope, receive: Receive, send: Send) -> None:
        # Given
        self.proxy = proxy
        self.wire, self.operation, self.provider, self.may_name_provider = match
        self.scope = scope
        self.receive = receive
        self.send = send
        self.id = uuid7()
        self.began = time.perf_counter()
        self.began_at = time.time()

        # Known of the request, step by step
        self.head = read_request(scope["headers"])
        self.context = read_context(self.head.extra)
        self.grant: Grant | None = None
        self.ask = Ask(model=self.operation.model, is_streamed=self.operation.is_streamed)
        self.body: bytes | None = None  # None: passed on as it comes, unread
        self.model: str | None = None  # what the provider calls it, where the client said "provider/model"
        self.route: Route | None = None
        self.price: Price | None = None
        self.hold: Hold | None = None
        self.intent: Intent | None = None

        # Known of the answer
        self.meter: Meter | None = None
        self.status = 0  # given to the client; 0: nothing yet
        self.first_token_ms: int | None = None
        self.provider_request_id: str | None = None
        self.is_recorded = False

    def __repr__(self) -> str:
        state = "recorded" if self.is_recorded else "intended" if self.intent else "new"
        return f"<Call {self.id} {self.operation.name} {self.ask.model!r} {state}>"

    async def run(self) -> None:
        """Take the call to its end. Raises nothing that a client could cause."""
        try:
            await self.authenticate()
            await self.understand()
            await self.admit()
            await self.relay(await self.forward())
        except Stop as stop:
            await self.refuse(stop)
        except (ClientGone, UpstreamError):
            pass  # nobody is there to be told, or the answer broke off: `finally` records it
        except Exception:
            logger.exception("call %s failed", self.id)
            if not self.status:
                await self.refuse(stops.our_fault())
        finally:
            if self.intent is not None and not self.is_recorded:  # cut off, or cancelled by a shutdown
                self.write_outcome(FAILED if self.scope_is_open() else CANCELLED)

    # Whose call it is

    async def authenticate(self) -> None:
        """Find the grant of the key, wherever the SDK put it."""
        key, self.query = take_key(self.scope["query_string"])
        key = self.head.key or key
        if not key:
            raise stops.no_key()
        if not looks_valid(key):
            raise stops.not_our_key()
        grants, hashed = self.proxy.grants, digest(key)
        grant = grants.cached(hashed)
        if grant is None:
            try:
                grant = await grants.load(hashed)
            except GrantsUnavailable:
                raise stops.away("Keys cannot be looked up at the moment.") from None
        if grant is None:
            raise stops.unknown_key()
        self.grant = grant
        reach("after_auth")
        if bar := grant.bar_at(self.began_at):
            raise stops.barred(bar)

    # What it asks for

    async def understand(self) -> None:
        """Read the body as far as it matters, and find the way to the provider and the price."""
        assert self.grant is not None
        if self.operation.is_deferred:
            raise stops.deferred(self.operation.name)
        if self.head.is_json or self.operation.needs_json:
            await self.read_body()
        if self.may_name_provider and (named := named_provider(self.ask.model, self.grant.routes)):
            self.provider, self.model = named
        self.route = self.grant.routes.get(self.provider)
        if self.route is None:
            raise stops.no_provider(self.provider)
        if self.operation.is_charged:
            self.price = await self.price_of(self.model or self.ask.model)
            if self.price is None and self.grant.has_cap and self.ask.model:
                raise stops.unpriced(self.ask.model)

    async def read_body(self) -> None:
        try:
            self.body = await whole_body(self.receive, self.proxy.max_body)
            if self.body or self.operation.needs_json:
                self.ask = self.wire.read(self.operation, self.body)
        except BodyTooLarge:
            raise stops.body_too_large(self.proxy.max_body) from None
        except BadBody as error:
            raise Stop(error.status, "invalid_body", error.message, param=error.param) from None
        self.context = self.context.with_end_user(self.ask.end_user)

    async def price_of(self, model: str) -> Price | None:
        """What the model costs; None where that is not known. Asks the database the first time only."""
        assert self.grant is not None
        grants, owner = self.proxy.grants, self.grant.organization_id
        price = grants.cached_price(owner, self.provider, model)
        if price is not UNKNOWN:
            return price  # type: ignore[return-value]
        try:
            return await grants.load_price(owner, self.provider, model)
        except PricesUnavailable:
            if self.grant.has_cap:
                raise stops.away("Prices cannot be looked up at the moment.") from None
            return None  # served, and priced when the price can be read again (manage.py reprice)

    # Letting it in

    async def admit(self) -> None:
        """Hold what it may cost, and write down that it was let in: both before the provider hears of it."""
        reach("before_admit")
        reach("before_intent")
        durable = self.write_intent()  # on its way to the disk while Redis is asked
        try:
            self.hold = await self.proxy.admission.admit(self)
            reach("after_admit")
        finally:
            await durable
        reach("after_intent_fsync")

    def write_intent(self) -> "asyncio.Future[None]":
        self.intent = self.make_intent()
        try:
            return self.proxy.spool.write(encode(self.intent))
        except SpoolUnavailable:
            self.intent = None
            raise stops.away("Calls cannot be recorded at the moment, so none is let through.") from None

    def make_intent(self) -> Intent:
        grant, context, ask = self.grant, self.context, self.ask
        assert grant is not None
        return Intent(
            self.id.bytes,
            int(self.began_at * 1_000_000),
            grant.organization_id,
            grant.customer_id,
            grant.proxy_key_id,
            self.route.provider_key_id if self.route else None,
            self.provider,
            self.operation.name,
            self.model or ask.model,
            ask.is_streamed,
            grant.markup_percent,
            context.end_user,
            context.properties,
            context.session_id,
            context.session_path,
            context.session_name,
            context.client_request_id,
            client_address(self.scope),
        )

    # There and back

    async def forward(self) -> Exchange:
        """Send the call to the provider; returns when its answer begins."""
        route, wire, operation = self.route, self.wire, self.operation
        assert route is not None
        body: bytes | AsyncIterator[bytes]
        if self.body is None:
            body = parts_of_body(self.receive, self.proxy.max_body)
        elif self.body and self.head.is_json:
            body = wire.prepare(operation, self.body, self.ask, route.provider, self.model)
        else:
            body = self.body
        query = wire.query(operation, self.query)
        target = b"%s%s?%s" % (route.base_path, operation.path, query) if query else route.base_path + operation.path
        headers = wire.sign(self.head.forward, route.secret, self.ask)
        try:
            return await self.proxy.pool.send(route.origin, self.scope["method"].encode(), target, headers, body)
        except BodyTooLarge:
            raise stops.body_too_large(self.proxy.max_body) from None
        except UpstreamError as error:
            raise stops.provider_failed(error) from error

    async def relay(self, exchange: Exchange) -> None:
        """Pass the answer on as it comes, but for its end: that waits until the outcome is durable."""
        reach("after_first_byte")
        answer = read_response(exchange.headers)
        self.provider_request_id = answer.request_id
        self.meter = self.wire.meter(self.operation, self.ask, answer.content_type, answer.content_encoding)
        try:
            if exchange.status >= 400:
                await self.relay_error(exchange, answer)
            elif self.meter.is_stream:
                await self.relay_stream(exchange, answer)
            else:
                await self.relay_body(exchange, answer)
        except UpstreamError as error:
            stop = stops.provider_failed(error)
            if not self.status:
                raise stop from error
            await self.record(FAILED, stop)
            if self.meter.is_stream:  # of anything else the client sees that it is cut off
                await self.finish(self.wire.error_event(self.operation, stop.status, stop.code, stop.message))
        finally:
            exchange.close()

    async def relay_stream(self, exchange: Exchange, answer: ResponseHead) -> None:
        """Each part goes out as it comes in; the one that ends the stream only after the outcome is durable."""
        meter, send = self.meter, self.send
        assert meter is not None
        await self.start(exchange.status, answer.forward)
        while chunk := await exchange.read():
            if self.first_token_ms is None:
                self.first_token_ms = self.elapsed_ms()
            part = meter.feed(chunk)
            reach("mid_stream")
            if meter.is_final and not self.is_recorded:
                await self.record(SERVED)
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        rest = meter.feed(b"")
        if not self.is_recorded:
            await self.record(SERVED)
        await self.finish(rest)

    async def relay_body(self, exchange: Exchange, answer: ResponseHead) -> None:
        """An answer that is only whole with its last byte, which is held back until the outcome is durable."""
        meter, held = self.meter, b""
        assert meter is not None
        while chunk := await exchange.read():
            if held:
                await self.start(exchange.status, answer.forward)
                await self.send({"type": "http.response.body", "body": held, "more_body": True})
            held = meter.feed(chunk)
        held += meter.feed(b"")
        await self.record(SERVED, status=exchange.status)
        await self.start(exchange.status, answer.forward)
        await self.finish(held)

    async def relay_error(self, exchange: Exchange, answer: ResponseHead) -> None:
        """A provider's error, with whatever it says of the operator's key taken out."""
        meter, route, body = self.meter, self.route, b""
        assert meter is not None and route is not None
        while len(body) < ERROR_LIMIT and (chunk := await exchange.read()):
            body += meter.feed(chunk)
        body = scrub(meter.decoded_error(body + meter.feed(b"")), route.secret)
        await self.record(FAILED, status=exchange.status)
        await self.start(exchange.status, with_body(answer.forward, body))
        await self.finish(body)

    # What the client gets

    async def start(self, status: int, headers: Headers) -> None:
        if self.status:
            return
        self.status = status
        headers.append((b"x-request-id", str(self.id).encode()))
        headers.append((b"helicone-id", headers[-1][1]))
        if self.context.warnings:
            headers.append((b"tollgate-warning", self.context.warnings))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def finish(self, body: bytes) -> None:
        reach("before_last_chunk")
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
        reach("after_last_chunk")

    async def refuse(self, stop: Stop) -> None:
        """Answer with an error of ours. Recorded first, wherever it is known whose call it was."""
        if self.grant is not None and not self.is_recorded:
            await self.record(stop.result, stop)
        if self.status:
            return
        body = self.wire.error(stop.status, stop.code, stop.message, stop.param)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if stop.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % stop.retry_after_s))
        await self.start(stop.status, headers)
        await self.finish(body)

    # What is written down

    async def record(self, result: int, stop: Stop | None = None, *, status: int = 0) -> None:
        """Make the outcome durable, once, and charge the limits. Nothing the client can take for an end goes before."""
        reach("before_record")
        await self.write_outcome(result, stop, status=status)
        reach("before_settle")

    def write_outcome(
        self, result: int, stop: Stop | None = None, *, status: int = 0
    ) -> "asyncio.Future[None]":
        """Hand the outcome to the spool, and the real price to the limiter."""
        self.is_recorded = True
        outcome = self.make_outcome(result, stop, status or self.status or (stop.status if stop else 0))
        spool = self.proxy.spool
        if self.intent is None:
            durable = spool.write(encode(self.make_intent()), encode(outcome))
        else:
            durable = spool.write(encode(outcome), is_outcome=True)
        if self.hold is not None:
            self.proxy.admission.settle(self.hold, outcome)
        return durable

    def make_outcome(self, result: int, stop: Stop | None, status: int) -> Outcome:
        usage = NOTHING if self.meter is None or not self.operation.is_charged else self.meter.finish()
        if result == SERVED and is_gone(self.send):
            result = CANCELLED
        rated = rate(usage.tokens, self.price, self.grant.markup_percent) if self.price else UNRATED
        return Outcome(
            self.id.bytes,
            result,
            status,
            self.elapsed_ms(),
            usage.model,
            self.first_token_ms,
            usage.source,
            usage.tokens,
            rated.cost,
            rated.price,
            self.price.id if self.price else None,
            stop.code if stop else usage.error_code,
            stop.message if stop else usage.error_message,
            self.provider_request_id,
        )

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self.began) * 1000)
