"""What is written down of a call: an intent, an outcome, and that it goes on without us. Knows no Django."""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.bodies.kept import Kept
from apps.kit.failpoints import reach
from apps.kit.ids import as_text
from apps.limits.holds import Hold
from apps.pricing.rating import Rated, rate
from apps.pricing.selling import Sold, sell
from apps.proxy.admission import Demand
from apps.proxy.asgi import Receive, Scope, Send, client_address, is_gone
from apps.proxy.asked import Asked
from apps.proxy.attempts import told_of
from apps.proxy.background import Background, Running
from apps.proxy.leaving import Drain
from apps.proxy.made import Maker, can_be_followed
from apps.proxy.meter import EMPTY, Counted, Meter, Usage
from apps.proxy.protocols.base import RUNNING, Match
from apps.proxy.protocols.body import hides_names
from apps.proxy.protocols.prompt import TOKENS_A_MESSAGE, Words
from apps.proxy.shortening import can_be_shortened
from apps.proxy.stops import Stop
from apps.proxy.upstream import Exchange
from apps.usage.record import CANCELLED, COUNTED, ESTIMATED, FAILED, NONE, SERVED, Awaited, Intent, Outcome, encode

if TYPE_CHECKING:
    from apps.proxy.app import Proxy

ZERO = Decimal(0)
NOTHING_USED = Usage()
FREE = Rated(ZERO, ZERO)


class Recorded(Asked):
    """A call as far as it is recorded: of each that was let in exactly one outcome becomes durable."""

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
        self.vocabulary: str | None = None  # that counts the tokens which nobody tells
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
            self.sale.id if self.sale is not None else None,
        )

    def make_outcome(self, result: int, stop: Stop | None, status: int) -> Outcome:
        usage = self.meter.finish() if self.meter is not None else NOTHING_USED
        if result == SERVED and is_gone(self.send):
            result = CANCELLED
        if usage.made and status < 400:
            self.made_beside = usage.made
        if self.operation.makes_object and usage.request_id and status < 400:
            self.made = usage.request_id
            self.goes_on = self.ask.is_background and usage.state in RUNNING and can_be_followed(usage.request_id)
        if result == FAILED and not self.status and usage.source in (ESTIMATED, COUNTED):
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

    def rated(self, result: int, usage: Usage) -> Rated | Sold | None:
        """What the call costs: nothing where nothing was used; None where the price is not known."""
        is_free = not self.operation.is_charged or (result != SERVED and not usage.tokens.total and not usage.units)
        if is_free:
            return FREE
        if self.sale is not None:
            return sell(self.sale, usage.tokens, self.price, usage.units, usage.service_tier)
        if self.price is None:
            return None
        return rate(usage.tokens, self.price, self.grant.markup_percent, usage.units, usage.service_tier)

    async def record(self, result: int, stop: Stop | None = None, *, status: int = 0) -> None:
        """Make the outcome durable: before the client sees anything that it could take for the end."""
        reach("before_record")
        if self.vocabulary is not None and self.meter is not None:
            await self.count_untold(self.vocabulary, self.meter)
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

    async def count_untold(self, vocabulary: str, meter: Meter) -> None:
        """Where the answer doesn't tell how much it was, and the model's vocabulary is here: by that."""
        wrote, vocabularies = meter.untold(), self.proxy.vocabularies
        if wrote is None or vocabularies is None:
            return
        asked = Words(self.body or b"")
        came_out = await vocabularies.count(vocabulary, [wrote])
        went_in = None if asked.texts is None else await vocabularies.count(vocabulary, asked.texts)
        if went_in is not None:
            went_in += TOKENS_A_MESSAGE * asked.messages
        meter.take_count(Counted(went_in, came_out))

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
        background.follow(Running(self.make_intent(), awaited, self.route, self.price, self.hold, self.sale))
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
