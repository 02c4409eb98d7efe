"""What a call says of itself in headers of ours or Helicone's: who, in which session, with which properties."""

import hashlib

import msgspec
from msgspec.structs import replace

from apps.proxy.headers import HELICONE, TOLLGATE

MOST_BYTES = 512  # of an end user's id, of a property's value, and of all else
KEPT_BYTES = 448  # of an id that is longer, before its hash
MOST_PROPERTIES = 32
MOST_NAME_BYTES = 128
PREFIX_BYTES = len(HELICONE)  # the other is as long
PROPERTY = b"property-"

USER_SHORTENED = b"the end user's id is longer than 512 bytes: it is kept by its first 448 and a hash"
PROPERTIES_DROPPED = b"properties were dropped: at most 32 are kept, of 512 bytes each"
PROPERTY_DROPPED = b"a property was dropped: at most 32 are kept, of 512 bytes each"


class Context(msgspec.Struct, frozen=True, gc=False):
    """None: not told."""

    end_user: str | None = None
    properties: list[tuple[str, str]] = []  # names as written, no two alike but for their case
    session_id: str | None = None
    session_path: str | None = None
    session_name: str | None = None
    client_request_id: str | None = None
    warnings: bytes = b""  # for the client; b"": all is well

    def with_end_user(self, said: str | None) -> "Context":
        """With the user that the body names, unless a header named one."""
        if self.end_user is not None or not said:
            return self
        user = said.replace("\x00", "").strip()  # PostgreSQL's text cannot hold a NUL
        raw = user.encode()
        if len(raw) <= MOST_BYTES:
            return replace(self, end_user=user) if user else self
        kept = raw[:KEPT_BYTES].decode("utf-8", "ignore")
        shortened = f"{kept}…{hashlib.sha256(raw).hexdigest()[:32]}"
        warnings = self.warnings + b"; " + USER_SHORTENED if self.warnings else USER_SHORTENED
        return replace(self, end_user=shortened, warnings=warnings)


NOTHING_SAID = Context()


def read_context(extra: dict[bytes, bytes]) -> Context:
    """From our own headers: Helicone's name for a thing goes before ours, unless it says nothing."""
    if not extra:
        return NOTHING_SAID
    properties, dropped = _properties(extra)
    context = Context(
        properties=properties,
        session_id=_said(extra, b"session-id"),
        session_path=_said(extra, b"session-path"),
        session_name=_said(extra, b"session-name"),
        client_request_id=_said(extra, b"request-id"),
        warnings=PROPERTIES_DROPPED if dropped > 1 else PROPERTY_DROPPED if dropped else b"",
    )
    return context.with_end_user(_text(_value(extra, b"user-id")))


def _properties(extra: dict[bytes, bytes]) -> tuple[list[tuple[str, str]], int]:
    """Those that are kept, and how many are not. Of two names alike but for their case the last holds."""
    found: dict[str, tuple[str, str]] = {}
    dropped = 0
    for header, value in extra.items():
        name = header[PREFIX_BYTES:]
        if name[: len(PROPERTY)].lower() != PROPERTY or len(name) == len(PROPERTY):
            continue
        said = _text(name[len(PROPERTY) :])
        key = said.lower()
        is_too_many = len(found) >= MOST_PROPERTIES and key not in found
        if is_too_many or len(value) > MOST_BYTES or len(said) > MOST_NAME_BYTES:
            dropped += 1
        else:
            found[key] = (said, _text(value))
    return list(found.values()), dropped


def _value(extra: dict[bytes, bytes], name: bytes) -> bytes:
    return (extra.get(HELICONE + name) or b"").strip() or (extra.get(TOLLGATE + name) or b"").strip()


def _said(extra: dict[bytes, bytes], name: bytes) -> str | None:
    value = _value(extra, name)
    if len(value) > MOST_BYTES:
        return _text(value).encode()[:MOST_BYTES].decode("utf-8", "ignore")
    return _text(value) or None


def _text(raw: bytes) -> str:
    """UTF-8 as sent; bytes that are none are taken for Latin-1, as HTTP once had it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
