"""Events as the records that the proxy would have written of the same calls, priced as it would have. Pure."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from apps.ingest.event import Event
from apps.pricing.rating import Price, Rated, rate
from apps.pricing.selling import Sale, Sold, sell
from apps.pricing.terms import Terms
from apps.usage.record import SENT_KEY, SERVED, Intent, Outcome
from apps.usage.tail import Call

FREE = Rated(Decimal(0), Decimal(0))
NEVER_CHARGED = frozenset(("moderations", "messages.count_tokens", "countTokens", "computeTokens", "models"))
MICROSECONDS = 1_000_000

PriceOf = Callable[[Event], Price | None]


class Sender(NamedTuple):
    """Whose event it is, and what its calls are sold at."""

    organization_id: UUID
    customer_id: UUID
    markup_percent: Decimal
    proxy_key_id: UUID = SENT_KEY
    terms: Terms | None = None  # the customer's rate cards; None: it has none

    def sale(self, event: Event, started_at: datetime) -> Sale | None:
        """By which rule the event is sold; None: by the markup."""
        if self.terms is None or event.endpoint in NEVER_CHARGED:
            return None
        model = (event.model or event.model_served).removeprefix(f"{event.provider}/")
        return self.terms.sale(event.provider, model, event.alias, started_at.timestamp())


def request_id_of(organization_id: UUID, customer_id: UUID, key: str) -> UUID:
    """The id of the request that an event becomes: the same however often it is sent, and no other's.

    A customer's keys are its own, so that none can be first with another's. UUID version 8 (RFC 9562): its bits are
    those of a hash.
    """
    digest = sha256(b"tollgate sent event\0" + organization_id.bytes + customer_id.bytes + key.encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number &= ~(0xF << 76 | 0x3 << 62)
    return UUID(int=number | 0x8 << 76 | 0x2 << 62)


def call_of(request_id: UUID, event: Event, sender: Sender, price: Price | None, *, started_at: datetime) -> Call:
    """The intent and the outcome of the call.

    started_at: not later than now, which a clock that is ahead may have said. price: what was in force then.
    """
    context, used, sale = event.context, event.used, sender.sale(event, started_at)
    intent = Intent(
        request_id.bytes,
        _microseconds(started_at),
        sender.organization_id.bytes,
        sender.customer_id.bytes,
        sender.proxy_key_id.bytes,
        None,
        event.provider,
        event.endpoint,
        event.model or event.model_served,
        event.is_streamed,
        sender.markup_percent,
        context.end_user,
        context.properties,
        context.session_id,
        context.session_path,
        context.session_name,
        context.client_request_id,
        None,
        event.alias,
        sale.id if sale is not None else None,
    )
    rated = rated_of(event, sender, price, sale)
    outcome = Outcome(
        request_id.bytes,
        event.result,
        event.status,
        event.latency_ms,
        event.model_served,
        event.first_token_ms,
        event.usage_source,
        used.tokens,
        rated.cost if rated else None,
        rated.price if rated else None,
        price.id if price else None,
        event.error_code,
        event.error_message,
        event.provider_request_id,
        used.units,
        used.service_tier,
        event.provider_cost,
    )
    return Call(intent, 0, 0, outcome)


def rated_of(event: Event, sender: Sender, price: Price | None, sale: Sale | None = None) -> Rated | Sold | None:
    """As the proxy rates a call: nothing where nothing was used; None where the price is not known."""
    if event.endpoint in NEVER_CHARGED or (event.result != SERVED and event.used.is_nothing):
        return FREE
    used = event.used
    if sale is not None:
        return sell(sale, used.tokens, price, used.units, used.service_tier)
    if price is None:
        return None
    return rate(used.tokens, price, sender.markup_percent, used.units, used.service_tier)


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * MICROSECONDS)
