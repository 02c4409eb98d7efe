"""What a request's headers may say: pure rules, values in, values or a Refusal out."""

import re

from apps.proxy import refusals

Headers = list[tuple[bytes, bytes]]

HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
# What Connection may say of the connection itself; any other word names a header that ends with it.
CONNECTION_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b""))
# What the guard decides by. Connection cannot take it away again.
JUDGED = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))
VERSIONS = frozenset(("1.0", "1.1"))
PROPERTY_PREFIXES = frozenset((b"helicone-property-", b"tollgate-property-"))
PROPERTY_PREFIX_LENGTH = 18  # of both
PROPERTY_INITIALS = frozenset(b"ht")  # a cheap first look: most headers begin with something else


def lowered(name: bytes) -> bytes:
    """A header's name in lower case, but for the part of it that is the client's own: a property's name."""
    low = name.lower()
    if low[0] in PROPERTY_INITIALS and low[:PROPERTY_PREFIX_LENGTH] in PROPERTY_PREFIXES:
        return low[:PROPERTY_PREFIX_LENGTH] + name[PROPERTY_PREFIX_LENGTH:]
    return low


def size_of(headers: Headers) -> int:
    """How many bytes the headers were on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def judge(
    headers: Headers, version: str, known_host: bytes | None, max_body: int
) -> tuple[bytes | None, bytes | None, bool, bool]:
    """Find one host and one framing, or raise a Refusal.

    known_host: one that was found valid before.
    Returns the host (None in HTTP/1.0 only), what Connection says, whether a body follows, and whether it
    waits for 100 Continue.
    """
    host = connection = None
    has_body = expects = False
    for name, value in headers:
        if name not in JUDGED:
            continue
        if name == b"host":
            if host is not None:
                raise refusals.bad_host()
            host = value
        elif name == b"content-length":
            has_body = True
            if len(value) > 18 or int(value) > max_body:
                raise refusals.body_too_large(max_body)
        elif name == b"transfer-encoding":
            has_body = True
            if value.strip().lower() != b"chunked" or version != "1.1":
                raise refusals.bad_framing()
        elif name == b"connection":
            connection = value if connection is None else connection + b"," + value
        else:
            expects = value.lower() == b"100-continue"
    if version not in VERSIONS:
        raise refusals.malformed()
    if host is None:
        if version == "1.1":
            raise refusals.bad_host()
    elif host != known_host and not is_host(host):
        raise refusals.bad_host()
    return host, connection, has_body, expects


def is_host(value: bytes) -> bool:
    """Whether it is a name or an address, with a port or without, and nothing more."""
    match = HOST.fullmatch(value)
    return match is not None and int(match[1] or 0) <= 65_535


def named_by(connection: bytes) -> frozenset[bytes]:
    """The headers that a Connection header says are for the next hop only (RFC 9110, 7.6.1)."""
    words = frozenset(word.strip() for word in connection.lower().split(b","))
    return words - CONNECTION_OPTIONS - JUDGED
