"""What the proxy writes down about a call: an intent before the provider is called, an outcome at its end.

All are MessagePack arrays, told apart by a tag, in the frames of a spool. The shipper joins
them by id into one row of `usage_request`. A call that goes on at the provider after its answer leaves an
`Awaited` instead of an outcome; whoever learns what it cost writes intent and outcome then, in any spool.
Fields may be added at the end, with a default: spools written before must stay readable. Knows no Django:
the hot path imports it.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from apps.pricing.rating import Tokens, Units

SERVED, FAILED, REFUSED, CANCELLED, UNFINISHED = range(5)  # models.Result
NONE, REPORTED, ESTIMATED, COUNTED = range(4)  # models.UsageSource
SENT_KEY = UUID(int=0)  # in the place of the proxy key of usage that was sent to us without one


class Intent(msgspec.Struct, array_like=True, tag="i", gc=False):
    """That a call was let in: all that is known before the provider is called. Ids are a UUID's 16 bytes."""

    id: bytes
    started_at_us: int  # microseconds since 1970, UTC
    organization_id: bytes
    customer_id: bytes
    proxy_key_id: bytes
    provider_key_id: bytes | None
    provider: str
    endpoint: str
    model: str
    is_streamed: bool
    markup_percent: Decimal
    end_user: str | None = None
    properties: list[tuple[str, str]] = []  # names as sent
    session_id: str | None = None
    session_path: str | None = None
    session_name: str | None = None
    client_request_id: str | None = None
    client_ip: str | None = None
    alias: str | None = None  # what the client called the model, where that is the organization's own name
    rate_rule_id: int | None = None  # of a rate card, by which it is sold; None: cost with the markup


class Attempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One try at a provider, of several: with which key, and how it went."""

    provider_key_id: bytes
    status: int  # the provider's; 0: it could not be reached
    error_code: str
    took_ms: int


class Outcome(msgspec.Struct, array_like=True, tag="o", gc=False):
    """How the call of that intent ended. `cost` and `price` in USD, exact; None: the price is not known."""

    id: bytes
    result: int
    status: int
    latency_ms: int
    model_served: str = ""  # "": as asked for
    first_token_ms: int | None = None
    usage_source: int = NONE
    tokens: Tokens = Tokens()
    cost: Decimal | None = None
    price: Decimal | None = None
    price_id: int | None = None
    error_code: str = ""
    error_message: str = ""
    provider_request_id: str | None = None
    units: Units = ()  # charged by the piece: tool calls, images, seconds; see pricing.rating
    service_tier: str = ""  # as the answer names it; "": the usual one
    provider_cost: Decimal | None = None  # what the provider itself says that it charges, kept beside ours
    provider_key_id: bytes | None = None  # that served in the end, where it is not the intent's
    attempts: list[Attempt] = []  # all of them; none told: there was one
    was_awaited: bool = False  # an `Awaited` of the same id was written before


class Awaited(msgspec.Struct, array_like=True, tag="a", gc=False):
    """That the call of that intent goes on without us, and what is needed to learn there what it cost."""

    id: bytes
    object_id: str  # by which the provider knows it
    target: str  # where it is asked for: path and query, after the provider's base path
    provider_key_id: bytes | None  # it is kept in this key's account
    input_bytes: int
    most_input: int  # tokens; no call like it has more
    most_output: int
    units: Units = ()  # the most that it can be charged by the piece
    hold_id: str = ""  # as limits.holds.Hold has it
    held_tokens: int = 0
    held_spend: int = 0  # pico
    is_alone: bool = False


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Intent | Outcome | Awaited).decode
