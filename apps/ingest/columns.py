"""Rows of files as events: by the names of our columns, by a mapping onto them, or as Helicone exports them. Pure."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from apps.ingest.errors import Invalid
from apps.ingest.event import Told, told_from
from apps.pricing.rating import KINDS

Row = Mapping[str, Any]

TOKENS = {f"{kind}_tokens": kind for kind in KINDS}
SESSION = {"session_id": "id", "session_path": "path", "session_name": "name"}
PLAIN = frozenset(Told.__struct_fields__)
OBJECTS = frozenset(("tokens", "usage", "units", "properties", "session"))  # as JSON, where they are text
PROPERTY, UNIT = "property.", "unit."
TRUE, FALSE = frozenset(("true", "t", "yes", "1")), frozenset(("false", "f", "no", "0"))
FLAGS = frozenset(("estimated", "is_streamed"))

# What Helicone's export has (CSV, and the fuller JSON lines), in our words. Its prompt tokens are without cached ones.
IS_HELICONES = "request_created_at"
HELICONE = {
    "request_id": "id",
    "response_id": "id",  # CSV has no other
    "request_created_at": "started_at",
    "provider": "provider",
    "request_model": "model",
    "model": "model",
    "model_override": "model",
    "response_model": "model_served",
    "response_status": "status",
    "request_user_id": "end_user",
    "request_properties": "properties",
    "prompt_tokens": "input_tokens",
    "prompt_cache_read_tokens": "cache_read_tokens",
    "prompt_cache_write_tokens": "cache_write_tokens",
    "prompt_audio_tokens": "input_audio_tokens",
    "completion_tokens": "output_tokens",
    "completion_audio_tokens": "output_audio_tokens",
    "latency": "latency_ms",
    "delay_ms": "latency_ms",
    "time_to_first_token": "first_token_ms",
    "cost": "provider_cost",
}
HELICONES_PROVIDERS = {"togetherai": "together", "together_ai": "together", "x": "x-ai", "xai": "x-ai"}
CANCELLED = -3  # Helicone's status of a call whose client went away
MAKERS = (  # of models whose name says it, where no column says who provided them
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gemini|text-bison"), "google"),
    (re.compile(r"gpt|o\d|text-|chatgpt|davinci|babbage|whisper|tts|dall-e"), "openai"),
)


def told_of_row(row: Row, names: Mapping[str, str], fixed: Mapping[str, str]) -> Told:
    """The event that a row tells of. Raises Invalid.

    names: our name of a column, by the file's. fixed: values of ours that the file doesn't have.
    A row without an id is known by all that it says: two that say the same are one.
    """
    if not names and IS_HELICONES in row:
        values = _of_helicone(row) | fixed
    else:
        values = {names.get(name, name): value for name, value in row.items()} | fixed
    told = _event(values)
    if not told.get("id"):
        told["id"] = f"row-{sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:40]}"
    return told_from(told)


def is_ours(name: str) -> bool:
    """Whether a column of that name means something to us."""
    return name in PLAIN or name in TOKENS or name in SESSION or name.startswith((PROPERTY, UNIT))


def _event(values: Row) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or value == "":
            continue
        if name in TOKENS:
            told.setdefault("tokens", {})[TOKENS[name]] = _number(value, name)
        elif name in SESSION:
            told.setdefault("session", {})[SESSION[name]] = str(value)
        elif name.startswith(PROPERTY):
            told.setdefault("properties", {})[name[len(PROPERTY) :]] = value
        elif name.startswith(UNIT):
            told.setdefault("units", {})[name[len(UNIT) :]] = _number(value, name)
        elif name == "started_at":
            told[name] = _instant(value)
        elif name in OBJECTS:
            told[name] = {**told.get(name, {}), **_object(value, name)}
        elif name in FLAGS:
            told[name] = _flag(value, name)
        elif name in PLAIN:
            told[name] = value
    for name, counts in (("tokens", told.get("tokens")), ("units", told.get("units"))):
        if counts is not None:
            told[name] = {kind: count for kind, count in counts.items() if count}
    return {name: value for name, value in told.items() if value != {} or name == "usage"}


def _of_helicone(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for theirs, ours in HELICONE.items():
        if row.get(theirs) not in (None, "") and (theirs != "response_id" or "id" not in values):
            values[ours] = row[theirs]
    provider = str(values.get("provider") or "").lower().replace(" ", "")
    values["provider"] = HELICONES_PROVIDERS.get(provider, provider) or _maker_of(str(values.get("model", "")))
    status = _number(values.get("status") or 0, "response_status")
    if status < 0:  # of its own making
        del values["status"]
        values["result"] = "cancelled" if status == CANCELLED else "failed"
    for name in ("latency_ms", "first_token_ms"):
        if name in values:
            values[name] = max(0, _number(values[name], name))
    return values


def _maker_of(model: str) -> str:
    name = model.lower()
    found = next((provider for pattern, provider in MAKERS if pattern.match(name)), None)
    if found is None:
        raise Invalid("Nothing says who provided it: name the provider.", "provider")
    return found


def _instant(value: Any) -> datetime:
    """A time without a zone is UTC, as in most exports. A number is Unix time, in seconds or milliseconds."""
    text = str(value).strip()
    try:
        if text.replace(".", "", 1).isdecimal():
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        at = datetime.fromisoformat(text.removesuffix(" UTC"))
    except (ValueError, OverflowError, OSError):
        raise Invalid("That is no time.", "started_at") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _number(value: Any, name: str) -> int:
    try:
        number = float(value)
        if not number.is_integer():
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise Invalid("That is no whole number.", name) from None
    return int(number)


def _flag(value: Any, name: str) -> bool:
    text = str(value).strip().lower()
    if text not in TRUE | FALSE:
        raise Invalid("It is true or false.", name)
    return text in TRUE


def _object(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, str):
        value = _json(value, name)
    if not isinstance(value, dict):
        raise Invalid("That is no JSON object.", name)
    return value


def _json(text: str, name: str) -> Any:
    """Helicone's CSV doubles the quotes of JSON once too often."""
    for attempt in (text, text.replace('""', '"')):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    raise Invalid("That is no JSON object.", name)
