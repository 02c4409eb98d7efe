"""What a call says of itself in headers of ours or Helicone's: who, in which session, with which properties."""

import hashlib
from typing import NamedTuple, Self

MOST_BYTES = 512  # of an end user's id, and of a property's value
KEPT_BYTES = 448  # of an id that is longer, before its hash
MOST_PROPERTIES = 32
MOST_NAME_BYTES = 128
MOST_TEXT_BYTES = 512
PROPERTY = b"property-"


class Context(NamedTuple):
    """None: not told."""

    end_user: str | None = None
    properties: list[tuple[str, str]] = []  # names as written
    session_id: str | None = None
    session_path: str | None = None
    session_name: str | None = None
    client_request_id: str | None = None
    warnings: bytes = b""  # for the client, b"" if all is well

    def with_end_user(self, said: str | None) -> Self:
        """With the user that the body names, unless a header named one."""
        if self.end_user is not None or not said or not said.strip():
            return self
        return self._replace(end_user=bounded_user(said.strip()))


NOTHING_SAID = Context()


def read_context(extra: dict[bytes, bytes]) -> Context:
    """From our own headers, by their names without prefix."""
    if not extra:
        return NOTHING_SAID
    properties: list[tuple[str, str]] = []
    dropped = 0
    for name, value in extra.items():
        if name[:9].lower() != PROPERTY or len(name) == len(PROPERTY):
            continue
        if len(properties) >= MOST_PROPERTIES or len(value) > MOST_BYTES or len(name) > MOST_NAME_BYTES:
            dropped += 1
            continue
        properties.append((_text(name[9:]), _text(value)))
    user = _text(extra.get(b"user-id", b"")).strip()
    return Context(
        end_user=bounded_user(user) if user else None,
        properties=properties,
        session_id=_short(extra.get(b"session-id")),
        session_path=_short(extra.get(b"session-path")),
        session_name=_short(extra.get(b"session-name")),
        client_request_id=_short(extra.get(b"request-id")),
        warnings=b"%d properties were dropped: at most 32, of 512 bytes each" % dropped if dropped else b"",
    )


def bounded_user(user: str) -> str:
    """The id itself, or its beginning and a hash of the whole where it is too long to be kept."""
    raw = user.encode()
    if len(raw) <= MOST_BYTES:
        return user
    kept = raw[:KEPT_BYTES].decode("utf-8", "ignore")
    return f"{kept}…{hashlib.sha256(raw).hexdigest()[:32]}"


def _text(raw: bytes) -> str:
    """UTF-8 as sent; bytes that are none are taken for Latin-1, as HTTP once had it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _short(raw: bytes | None) -> str | None:
    if not raw or not raw.strip():
        return None
    return _text(raw.strip()[:MOST_TEXT_BYTES])
