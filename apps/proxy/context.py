"""What a call says of itself in headers of ours or Helicone's: who, in which session, with which properties."""

import hashlib

import msgspec
from msgspec.structs import replace

from apps.proxy.headers import HELICONE

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
USER, SESSION, PATH, NAME, REQUEST = b"user-id", b"session-id", b"session-path", b"session-name", b"request-id"
FIELDS = frozenset((USER, SESSION, PATH, NAME, REQUEST))


def read_context(extra: dict[bytes, bytes]) -> Context:
    """From our own headers: Helicone's name for a thing goes before ours, unless it says nothing."""
    if not extra:
        return NOTHING_SAID
    fields: dict[bytes, bytes] = {}
    properties: dict[str, tuple[str, str]] = {}  # by name in lower case: of two alike the last holds
    dropped = 0
    for header, value in extra.items():
        name = header[PREFIX_BYTES:]
        if name in FIELDS:
            if (name not in fields or header.startswith(HELICONE)) and (said := value.strip()):
                fields[name] = said
        elif name[: len(PROPERTY)].lower() == PROPERTY and name != PROPERTY:
            dropped += not _keep(properties, name[len(PROPERTY) :], value)
    warnings = PROPERTIES_DROPPED if dropped > 1 else PROPERTY_DROPPED if dropped else b""
    kept = list(properties.values())
    if not fields:
        return Context(properties=kept, warnings=warnings)
    get = fields.get
    context = Context(
        properties=kept,
        session_id=_short(get(SESSION)),
        session_path=_short(get(PATH)),
        session_name=_short(get(NAME)),
        client_request_id=_short(get(REQUEST)),
        warnings=warnings,
    )
    return context.with_end_user(_text(get(USER, b"")))


def _keep(properties: dict[str, tuple[str, str]], raw_name: bytes, value: bytes) -> bool:
    """Take a property, if there is room for it. Returns whether there was."""
    name = _text(raw_name)
    key = name.lower()
    is_too_many = len(properties) >= MOST_PROPERTIES and key not in properties
    if is_too_many or len(value) > MOST_BYTES or len(name) > MOST_NAME_BYTES:
        return False
    properties[key] = (name, _text(value))
    return True


def _short(value: bytes | None) -> str | None:
    if value is None or len(value) <= MOST_BYTES:
        return _text(value) if value else None
    return _text(value).encode()[:MOST_BYTES].decode("utf-8", "ignore")


def _text(raw: bytes) -> str:
    """UTF-8 as sent; bytes that are none are taken for Latin-1, as HTTP once had it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
