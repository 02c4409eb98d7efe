"""One call from top to bottom: a customer's request to a provider and back, a method a step.

What must hold, whatever happens: no byte goes to the provider before the intent is durable in the
spool, the client does not see the end of an answer before its outcome is, and every intent gets an
outcome (that of a process which dies comes from the shipper). Knows no Django.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from apps.kit.failpoints import reach
from apps.kit.ids import as_text
from apps.limits.headers import headers_of_answer
from apps.proxy import stops
from apps.proxy.aliases import unnamed
from apps.proxy.asgi import (
    BodyTooLarge,
    ClientGone,
    Headers,
    parts_of_body,
)
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
from apps.proxy.meter import Meter
from apps.proxy.passing import passer
from apps.proxy.protocols.errors import BadBody
from apps.proxy.recorded import Recorded
from apps.proxy.renaming import RenamingMeter, in_plain
from apps.proxy.route import Route
from apps.proxy.scrub import scrub
from apps.proxy.shortening import shortened
from apps.proxy.stops import Stop
from apps.proxy.upstream import Exchange, UpstreamError
from apps.proxy.vocabularies import Vocabularies
from apps.usage.record import CANCELLED, FAILED, REFUSED, SERVED, encode
from apps.usage.spool import SpoolUnavailable

logger = logging.getLogger(__name__)


class Call(Recorded):
    """A call under way. `run` takes it through its steps; each leaves what the next ones need."""

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
            self.id.hex(), self.grant, self.scopes, self.price, self.demand(), self.began_at, self.sale
        )
        if limit is not None and self.body is not None:
            self.output_limit = self.ask.max_output_tokens = limit
            self.body = shortened(self.operation, self.provider, self.body, limit)
        reach("after_admit")
        try:
            await durable
        except SpoolUnavailable:
            raise stops.away("Calls cannot be recorded at the moment, so none is let through.") from None

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
        if self.proxy.vocabularies is not None:
            self.find_vocabulary(self.proxy.vocabularies, meter)
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

    def find_vocabulary(self, vocabularies: Vocabularies, meter: Meter) -> None:
        """What counts the tokens of this model, should its answer not tell them."""
        self.vocabulary = vocabularies.name_for(self.deployed or self.model or self.ask.model)
        if self.vocabulary is not None:
            meter.keep_words()

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
