"""An event as it is told to us, and made clean: what was called, when, for whom, and what it used. Pure.

The bounds are those that the proxy has for the same things, and so is what happens to what is beyond them: end users
with long ids are known by how they begin and a hash, properties that are too many or too long are left out with a
warning. What makes no sense is refused with the reason.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated

import msgspec

from apps.ingest.errors import Invalid
from apps.ingest.told_usage import MOST_TOKENS, Used, used_of
from apps.pricing.rating import KINDS, Tokens, Units
from apps.proxy.context import Context, read_context
from apps.proxy.protocols.base import amount
from apps.proxy.protocols.body import MOST_MODEL, why
from apps.usage.record import CANCELLED, ESTIMATED, FAILED, NONE, REPORTED, SERVED

MOST_KEY = 200  # characters of the sender's key for an event
MOST_UNITS = 16
MOST_ERROR_CODE, MOST_ERROR_MESSAGE, MOST_PROVIDER_ID, MOST_TIER = 80, 500, 200, 40
RESULTS = {"served": SERVED, "failed": FAILED, "cancelled": CANCELLED}

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # as of a provider key
_ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}")
_UNIT = re.compile(r"[a-z][a-z0-9_]{0,39}(?::[A-Za-z0-9._:/-]{1,80})?")
_USUAL_ENDPOINTS = {"anthropic": "messages", "google": "generateContent"}
_LATEST = 32_503_680_000.0  # the year 3000

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class Session(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Of several calls that belong together."""

    id: str | None = None
    path: str | None = None
    name: str | None = None


class Told(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An event in the words of the API. docs/sending-usage.md says what each means."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_KEY)]
    started_at: datetime | Annotated[float, msgspec.Meta(ge=0, le=_LATEST)]  # with a zone, or Unix time
    provider: str
    model: str = ""
    model_served: str | None = None
    endpoint: str | None = None
    customer: str | None = None  # its id or slug
    proxy_key: str | None = None
    tokens: dict[str, Count] | None = None  # by disjoint kind
    usage: dict[str, object] | None = None  # as the provider's answer has it, in the place of `tokens`
    units: dict[str, Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)]] | None = None
    estimated: bool = False
    service_tier: str | None = None
    provider_cost: Decimal | None = None
    end_user: str | None = None
    properties: dict[str, str | int | float | bool] | None = None
    session: Session | None = None
    latency_ms: Milliseconds = 0
    first_token_ms: Milliseconds | None = None
    is_streamed: bool = False
    result: str | None = None
    status: Annotated[int, msgspec.Meta(ge=0, le=599)] | None = None
    error_code: str | None = None
    error_message: str | None = None
    client_request_id: str | None = None
    provider_request_id: str | None = None
    alias: str | None = None  # what the operator sells the model as

    @property
    def content(self) -> bytes:
        """A hash of all it says, in whatever order it said that."""
        return sha256(_encode(self)).digest()[:16]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was told, made clean: ready to be priced and stored."""

    started_at: datetime  # aware
    provider: str
    endpoint: str
    model: str
    model_served: str
    is_streamed: bool
    used: Used
    usage_source: int
    provider_cost: Decimal | None
    context: Context
    result: int
    status: int
    latency_ms: int
    first_token_ms: int | None
    error_code: str
    error_message: str
    provider_request_id: str | None
    alias: str | None


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Told).decode


def read_told(raw: bytes) -> Told:
    """An event as JSON. Raises Invalid."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _invalid(error) from None


def told_from(values: dict[str, object]) -> Told:
    """An event from values that may be text where numbers are meant, as in CSV. Raises Invalid."""
    try:
        return msgspec.convert(values, Told, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def clean(told: Told) -> Event:
    """What was told as it is priced and stored. Raises Invalid."""
    provider = told.provider.strip().lower()
    if not _PROVIDER.fullmatch(provider):
        raise Invalid("Providers are named by lower-case letters, digits and hyphens.", "provider")
    endpoint = told.endpoint or _USUAL_ENDPOINTS.get(provider, "chat.completions")
    if not _ENDPOINT.fullmatch(endpoint):
        raise Invalid(
            "Endpoints are named by at most 80 letters, digits and ._:-, a letter or digit first.", "endpoint"
        )
    model, served = _model(told.model, "model"), _model(told.model_served or "", "model_served")
    result = _result(told)
    used = _used(told, provider, endpoint)
    source = NONE if used.is_nothing else ESTIMATED if told.estimated else REPORTED
    status = told.status if told.status is not None else 200 if result == SERVED else 0
    return Event(
        started_at=_instant(told.started_at),
        provider=provider,
        endpoint=endpoint,
        model=model,
        model_served=served,
        is_streamed=told.is_streamed,
        used=used,
        usage_source=source,
        provider_cost=_provider_cost(told) if told.provider_cost is not None else used.provider_cost,
        context=_context(told),
        result=result,
        status=status,
        latency_ms=told.latency_ms,
        first_token_ms=told.first_token_ms,
        error_code=_text(told.error_code)[:MOST_ERROR_CODE],
        error_message=_text(told.error_message)[:MOST_ERROR_MESSAGE],
        provider_request_id=_text(told.provider_request_id)[:MOST_PROVIDER_ID] or None,
        alias=_model(told.alias or "", "alias") or None,
    )


def _invalid(error: Exception) -> Invalid:
    if isinstance(error, UnicodeDecodeError):
        return Invalid("It is not UTF-8.")
    if not isinstance(error, msgspec.DecodeError):
        return Invalid("It is nested too deeply.")
    told = why(error)
    return Invalid(told.message.replace("The body is not", "It is not"), told.param or "")


def _instant(told: datetime | float) -> datetime:
    if isinstance(told, datetime):
        if told.tzinfo is None:
            raise Invalid("The time has no zone: end it in Z or an offset such as +02:00.", "started_at")
        try:
            return told.astimezone(UTC)
        except OverflowError:
            raise Invalid("There is no such time.", "started_at") from None
    return datetime.fromtimestamp(told, UTC)


def _model(name: str, field: str) -> str:
    name = name.strip()
    if len(name) > MOST_MODEL or (name and not name.isprintable()):
        raise Invalid("The name of the model is not one.", field)
    return name


def _result(told: Told) -> int:
    if told.result is not None:
        if told.result not in RESULTS:
            raise Invalid(f"It is one of {', '.join(RESULTS)}.", "result")
        return RESULTS[told.result]
    return FAILED if told.error_code or (told.status is not None and told.status >= 400) else SERVED


def _used(told: Told, provider: str, endpoint: str) -> Used:
    if told.tokens is not None and told.usage is not None:
        raise Invalid("Give tokens or usage, not both.", "usage")
    used = used_of(told.usage, provider, endpoint) if told.usage is not None else Used(_tokens(told.tokens or {}))
    if told.units is not None:
        used = used._replace(units=_units(told.units))
    tier = _text(told.service_tier)[:MOST_TIER]
    return used._replace(service_tier=tier) if tier else used


def _tokens(told: dict[str, int]) -> Tokens:
    if unknown := told.keys() - set(KINDS):
        raise Invalid(f"There are no {min(unknown)[:40]!r} tokens, only {', '.join(KINDS)}.", "tokens")
    return Tokens(**told)


def _units(told: dict[str, int]) -> Units:
    if len(told) > MOST_UNITS:
        raise Invalid(f"At most {MOST_UNITS} kinds of units.", "units")
    if unknown := [name for name in told if not _UNIT.fullmatch(name)]:
        raise Invalid(f"{unknown[0][:40]!r} is no name of a unit.", "units")
    return tuple(told.items())


def _provider_cost(told: Told) -> Decimal | None:
    cost = amount(told.provider_cost) if told.provider_cost is not None else None
    if cost is None:
        raise Invalid("No call costs that.", "provider_cost")
    return cost


def _context(told: Told) -> Context:
    """Through the proxy's own reading of its headers: the same in both ways in."""
    session = told.session or Session()
    said = {
        b"tollgate-user-id": told.end_user,
        b"tollgate-session-id": session.id,
        b"tollgate-session-path": session.path,
        b"tollgate-session-name": session.name,
        b"tollgate-request-id": told.client_request_id,
    }
    extra = {name: value.encode() for name, value in said.items() if value and value.strip()}
    for name, value in (told.properties or {}).items():
        if name:
            extra[b"tollgate-property-" + name.encode()] = _plain(value).encode()
    return read_context(extra)


def _plain(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _text(told: str | None) -> str:
    return (told or "").replace("\0", "").strip()
