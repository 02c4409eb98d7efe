"""Calls as rows of `usage_request`, in the text format of PostgreSQL's COPY. Pure: no database, no clock.

What the proxy was sent by strangers is made to fit rather than refused: nobody gets out of being metered
by a NUL in a user's name.
"""

import ipaddress
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

import msgspec

from apps.pricing.rating import Tokens, Units
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
    "model_served",
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
    "first_token_ms",
    "usage_source",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
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
NO_RARE_TOKENS = "\t".join("0" * 7)
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
    served = outcome.model_served or intent.model
    names = _names if len(intent.model) + len(served) <= SURELY_SHORT else _names.__wrapped__  # long ones aren't kept
    ids = _ids(
        intent.organization_id,
        intent.customer_id,
        intent.proxy_key_id,
        outcome.provider_key_id or intent.provider_key_id,
    )
    t = outcome.tokens
    return (  # what most calls don't have is asked for here: calling a function costs more
        f"{intent.id.hex()}\t{ids}\t{_second(seconds)}.{microseconds:06}+00\t{batch_id}\t"
        f"{names(intent.provider, intent.endpoint, intent.model, served)}\t{'t' if intent.is_streamed else 'f'}\t"
        f"{intent.markup_percent}\t{NULL if intent.end_user is None else _text(intent.end_user)}\t"
        f"{_properties(intent.properties) if intent.properties else '{}'}\t"
        f"{NULL if intent.session_id is None else _text(intent.session_id)}\t"
        f"{NULL if intent.session_path is None else _text(intent.session_path)}\t"
        f"{NULL if intent.session_name is None else _text(intent.session_name)}\t"
        f"{NULL if intent.client_request_id is None else _text(intent.client_request_id)}\t"
        f"{NULL if intent.client_ip is None else _address(intent.client_ip)}\t"
        f"{outcome.result}\t{outcome.status}\t{outcome.latency_ms}\t"
        f"{NULL if outcome.first_token_ms is None else outcome.first_token_ms}\t{outcome.usage_source}\t"
        f"{t.input}\t{t.cache_read}\t{t.output}\t{t.reasoning}\t{_rare_tokens(t)}\t"
        f"{NULL if outcome.cost is None else outcome.cost}\t{NULL if outcome.price is None else outcome.price}\t"
        f"{NULL if outcome.price_id is None else outcome.price_id}\t"
        f"{outcome.error_code and _text(outcome.error_code)}\t"
        f"{outcome.error_message and _text(outcome.error_message[:LONGEST_MESSAGE], LONGEST_MESSAGE * 4)}\t"
        f"{NULL if outcome.provider_request_id is None else _text(outcome.provider_request_id)}\t"
        f"{NULL if intent.alias is None else _text(intent.alias)}\t"
        f"{_units(outcome.units) if outcome.units else '{}'}\t{outcome.service_tier and _text(outcome.service_tier)}\t"
        f"{NULL if outcome.provider_cost is None else outcome.provider_cost}\t"
        f"{_attempts(outcome.attempts) if outcome.attempts else '[]'}\t"
        f"{NULL if intent.rate_rule_id is None else intent.rate_rule_id}\n"
    )


def fit(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text as PostgreSQL takes it: without NUL, and at most `longest` bytes of UTF-8.

    A longer one is known by how it begins and a hash, so that two are not taken for the same.
    """
    if len(text) <= SURELY_SHORT and "\0" not in text:
        return text
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) * 4 <= longest or len(encoded := text.encode()) <= longest:
        return text
    kept = encoded[: longest - (LONGEST_TEXT - KEPT_TEXT)].decode(errors="ignore")
    return f"{kept}…{sha256(encoded).hexdigest()[:32]}"


def _text(value: str, longest: int = LONGEST_TEXT) -> str:
    if len(value) > SURELY_SHORT:
        value = fit(value, longest)
    if value.isprintable() and "\\" not in value:
        return value
    return value.translate(ESCAPES)


@lru_cache(maxsize=4096)
def _ids(organization: bytes, customer: bytes, proxy_key: bytes, provider_key: bytes | None) -> str:
    last = NULL if provider_key is None else provider_key.hex()
    return f"{organization.hex()}\t{customer.hex()}\t{proxy_key.hex()}\t{last}"


@lru_cache(maxsize=4096)
def _names(*names: str) -> str:
    return "\t".join(map(_text, names))


def _properties(properties: list[tuple[str, str]]) -> str:
    return json({fit(name.lower()): fit(value) for name, value in properties}).decode().replace("\\", r"\\")


def _rare_tokens(t: Tokens) -> str:
    written = t.cache_write_5m or t.cache_write_1h or t.cache_write
    if not (written or t.input_audio or t.input_image or t.output_audio or t.output_image):
        return NO_RARE_TOKENS
    return (
        f"{t.cache_write_5m}\t{t.cache_write_1h}\t{t.cache_write}\t"
        f"{t.input_audio}\t{t.input_image}\t{t.output_audio}\t{t.output_image}"
    )


def _units(units: Units) -> str:
    return json({fit(name): count for name, count in units}).decode().replace("\\", r"\\")


def _attempts(attempts: list[Attempt]) -> str:
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
