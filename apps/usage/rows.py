"""Calls as rows of `usage_request`, in the text format of PostgreSQL's COPY. Pure: no database, no clock.

What the proxy was sent by strangers is made to fit rather than refused: nobody gets out of being metered
by a NUL in a user's name.
"""

import ipaddress
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

import msgspec

from apps.pricing.rating import Units
from apps.usage.record import UNFINISHED, Attempt, Outcome
from apps.usage.tail import Call

COLUMNS = (
    "id",
    "organization_id",
    "customer_id",
    "proxy_key_id",
    "provider_key_id",
    "started_at",
    "batch_id",
    "provider",
    "endpoint",
    "model",
    "is_streamed",
    "markup_percent",
    "end_user",
    "properties",
    "session_id",
    "session_path",
    "session_name",
    "client_request_id",
    "client_ip",
    "result",
    "status",
    "latency_ms",
    "model_served",
    "first_token_ms",
    "usage_source",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "cost",
    "price",
    "price_id",
    "error_code",
    "error_message",
    "provider_request_id",
    "alias",
    "units",
    "service_tier",
    "provider_cost",
    "attempts",
    "rate_rule_id",
)
LONGEST_TEXT = 512  # bytes: what is grouped by is in indexes, whose entries have an end at 2,700
KEPT_TEXT = 448
SURELY_SHORT = LONGEST_TEXT // 4  # characters
LONGEST_MESSAGE = 2000  # characters
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)  # what is older has a wrong date
EARLIEST_US = int(EARLIEST.timestamp()) * 1_000_000
NULL = r"\N"
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": "\N{REPLACEMENT CHARACTER}"})
UNKNOWN = Outcome(b"", UNFINISHED, 0, 0)

json = msgspec.json.Encoder().encode


class Unfit(Exception):
    """No row can be made of a call; the text says why."""


def row_of(call: Call, batch_id: int, *, latest_us: int) -> str:
    """The line of COPY for a call, in the order of COLUMNS. Raises Unfit.

    latest_us: a call that began later than this (microseconds since 1970) has a wrong date.
    """
    intent, outcome = call.intent, call.outcome or UNKNOWN
    if not EARLIEST_US <= intent.started_at_us <= latest_us:
        raise Unfit(f"It says that it began {intent.started_at_us} microseconds after 1970.")
    seconds, microseconds = divmod(intent.started_at_us, 1_000_000)
    key_id = outcome.provider_key_id or intent.provider_key_id
    provider_key = NULL if key_id is None else key_id.hex()
    served = outcome.model_served or intent.model
    message = outcome.error_message[:LONGEST_MESSAGE]
    t = outcome.tokens
    return (
        f"{intent.id.hex()}\t{intent.organization_id.hex()}\t{intent.customer_id.hex()}\t"
        f"{intent.proxy_key_id.hex()}\t{provider_key}\t"
        f"{_second(seconds)}.{microseconds:06}+00\t{batch_id}\t{_text(intent.provider)}\t"
        f"{_text(intent.endpoint)}\t{_text(intent.model)}\t{'t' if intent.is_streamed else 'f'}\t"
        f"{intent.markup_percent}\t{_text(intent.end_user)}\t{_properties(intent.properties)}\t"
        f"{_text(intent.session_id)}\t{_text(intent.session_path)}\t{_text(intent.session_name)}\t"
        f"{_text(intent.client_request_id)}\t{_address(intent.client_ip)}\t"
        f"{outcome.result}\t{outcome.status}\t{outcome.latency_ms}\t"
        f"{_text(served)}\t{_number(outcome.first_token_ms)}\t{outcome.usage_source}\t"
        f"{t.input}\t{t.cache_read}\t{t.cache_write_5m}\t{t.cache_write_1h}\t{t.cache_write}\t"
        f"{t.input_audio}\t{t.input_image}\t{t.output}\t{t.reasoning}\t{t.output_audio}\t{t.output_image}\t"
        f"{_number(outcome.cost)}\t{_number(outcome.price)}\t{_number(outcome.price_id)}\t"
        f"{_text(outcome.error_code)}\t{_text(message, LONGEST_MESSAGE * 4)}\t"
        f"{_text(outcome.provider_request_id)}\t"
        f"{_text(intent.alias)}\t{_units(outcome.units)}\t{_text(outcome.service_tier)}\t"
        f"{_number(outcome.provider_cost)}\t{_attempts(outcome.attempts)}\t"
        f"{_number(intent.rate_rule_id)}\n"
    )


def fit(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text as PostgreSQL takes it: without NUL, and at most `longest` bytes of UTF-8.

    A longer one is known by how it begins and a hash, so that two are not taken for the same.
    """
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) * 4 <= longest or len(encoded := text.encode()) <= longest:
        return text
    kept = encoded[: longest - (LONGEST_TEXT - KEPT_TEXT)].decode(errors="ignore")
    return f"{kept}…{sha256(encoded).hexdigest()[:32]}"


def _text(value: str | None, longest: int = LONGEST_TEXT) -> str:
    if value is None:
        return NULL
    if len(value) > SURELY_SHORT:
        value = fit(value, longest)
    if value.isprintable() and "\\" not in value:
        return value
    return value.translate(ESCAPES)


def _number(value: Decimal | int | None) -> str:
    return NULL if value is None else str(value)


def _properties(properties: list[tuple[str, str]]) -> str:
    if not properties:
        return "{}"
    return json({fit(name.lower()): fit(value) for name, value in properties}).decode().replace("\\", r"\\")


def _units(units: Units) -> str:
    return json({fit(name): count for name, count in units}).decode().replace("\\", r"\\") if units else "{}"


def _attempts(attempts: list[Attempt]) -> str:
    if not attempts:
        return "[]"
    told = [
        {
            "provider_key": str(UUID(bytes=each.provider_key_id)),
            "status": each.status,
            "error_code": fit(each.error_code),
            "took_ms": each.took_ms,
        }
        for each in attempts
    ]
    return json(told).decode().replace("\\", r"\\")


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=4096)
def _address(value: str | None) -> str:
    """An address that isn't one is left out: it is not what the call is charged by."""
    try:
        return str(ipaddress.ip_address((value or "").partition("%")[0]))
    except ValueError:
        return NULL
