"""Which headers go on, in both directions. One pass each way, over tables made beforehand.

What never reaches the provider: the proxy key (wherever an SDK puts it), cookies, our own headers,
anything about the connection or about who was before us. What never reaches the client: the
provider's cookies, and headers that tell of the operator's account there.
"""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

Headers = list[tuple[bytes, bytes]]

ERROR_LIMIT = 64 * 1024  # bytes of a provider's error that are read; what is longer is no message

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
KEY_HEADERS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"helicone-auth")
_KEYS = frozenset(KEY_HEADERS)
_NOT_SENT = HOP_BY_HOP | frozenset(
    (
        b"host",
        b"content-length",
        b"accept-encoding",
        b"cookie",
        b"expect",
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"true-client-ip",
        b"openai-organization",  # of the client's account, if any; the key is the operator's
        b"openai-project",
    )
)
_NOT_SENT_PREFIXES = (b"x-forwarded-", b"cf-", b"x-envoy-", b"x-amzn-", b"x-client-")
OURS = (b"helicone-", b"tollgate-")

_NOT_RETURNED = HOP_BY_HOP | frozenset(
    (
        b"set-cookie",
        b"x-request-id",  # ours goes in its place; the provider's is in the record
        b"openai-organization",
        b"openai-project",
        b"anthropic-organization-id",
        b"alt-svc",
        b"strict-transport-security",
        b"server",
        b"report-to",
        b"nel",
    )
)
_NOT_RETURNED_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"cf-", b"x-amzn-", b"x-goog-")
_REQUEST_IDS = frozenset((b"x-request-id", b"request-id", b"x-goog-request-id"))

ACCEPT_ENCODING = (b"accept-encoding", b"gzip, deflate, br, zstd")  # what we can read
ACCEPT_IDENTITY = (b"accept-encoding", b"identity")
DECODABLE = frozenset((b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity"))


class Head(NamedTuple):
    """What the headers of a request say."""

    key: bytes  # b"": none
    forward: Headers
    is_json: bool
    accept_encoding: bytes  # what of it we can read as well
    extra: dict[bytes, bytes]  # our own, by their name without "helicone-" or "tollgate-"


class ResponseHead(NamedTuple):
    """What the headers of an answer say."""

    forward: Headers
    content_type: bytes
    content_encoding: bytes
    request_id: str | None


def read_request(headers: Headers) -> Head:
    """Sort a request's headers. Of the places for a key, the one that holds one of ours is believed."""
    key, content_type, accept = b"", b"", b""
    forward: Headers = []
    extra: dict[bytes, bytes] = {}
    for header in headers:
        name, value = header
        if name in _KEYS:
            key = _better_key(key, value)
        elif name in _NOT_SENT:
            if name == b"accept-encoding":
                accept = value
        elif name.startswith(OURS):
            ours = name[9:]
            if ours not in extra or name.startswith(b"tollgate-"):
                extra[ours] = value
        elif not name.startswith(_NOT_SENT_PREFIXES):
            if name == b"content-type":
                content_type = value
            forward.append(header)
    is_json = content_type.startswith((b"application/json", b"text/json"))
    return Head(key, forward, is_json, _readable(accept), extra)


def _better_key(known: bytes, value: bytes) -> bytes:
    found = value[7:].strip() if value[:7].lower() == b"bearer " else value.strip()
    return found if not known or found.startswith(b"tg_") else known


def _readable(accept: bytes) -> bytes:
    """Of the encodings that a client takes, those that we can read."""
    if not accept:
        return b"identity"
    codings = [part.strip() for part in accept.split(b",")]
    return b", ".join(coding for coding in codings if coding.split(b";")[0] in DECODABLE) or b"identity"


def take_key(query: bytes) -> tuple[bytes, bytes]:
    """The key of `?key=` (Gemini's clients), and the query without it."""
    if b"key=" not in query:
        return b"", query
    key, rest = b"", []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == b"key":
            key = unquote_to_bytes(value)
        else:
            rest.append(part)
    return key, b"&".join(rest)


def read_response(headers: Headers) -> ResponseHead:
    """Sort an answer's headers."""
    content_type, encoding, request_id = b"", b"", None
    forward: Headers = []
    for header in headers:
        name, value = header
        if name in _REQUEST_IDS:
            request_id = value.decode("latin-1")[:200]
        if name in _NOT_RETURNED or name.startswith(_NOT_RETURNED_PREFIXES):
            continue
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding":
            encoding = value.strip().lower()
        forward.append(header)
    return ResponseHead(forward, content_type, encoding, request_id)


def with_body(headers: Headers, body: bytes) -> Headers:
    """The headers for another body than came with them."""
    kept = [header for header in headers if header[0] not in (b"content-length", b"content-encoding")]
    kept.append((b"content-length", b"%d" % len(body)))
    return kept
