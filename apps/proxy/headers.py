"""Which headers go on, in both directions. One pass each way, over tables made beforehand.

What never reaches the provider: the proxy key (wherever an SDK puts it), cookies, our own headers,
anything about the connection or about who was before us, and what would choose another account of the
operator's or another form of the answer. What never reaches the client: the provider's cookies, and
what tells of the operator's account there.
"""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

Headers = list[tuple[bytes, bytes]]

MOST_LEARNT = 1_000  # names of headers that are remembered
ERROR_LIMIT = 64 * 1024  # bytes of a provider's error that are read; what is longer is no message

ACCEPT_IDENTITY = (b"accept-encoding", b"identity")
DECODABLE = frozenset((b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity"))


# What becomes of a header. Plain numbers: they are compared for every header of every call.
FORWARD, DROP, KEY, CONTENT_TYPE, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, REQUEST_ID, CONNECTION = range(9)


def _rules(listed: dict[int, str]) -> dict[bytes, int]:
    return {name.encode(): rule for rule, names in listed.items() for name in names.split()}


HOP_BY_HOP = (
    "connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    "upgrade http2-settings"
)

_REQUEST = _rules(
    {
        # The usual ones of SDKs, listed so that no prefix need be tried.
        FORWARD: "accept user-agent anthropic-version anthropic-beta openai-beta accept-language x-client-request-id "
        "x-stainless-lang x-stainless-package-version x-stainless-os x-stainless-arch x-stainless-runtime "
        "x-stainless-runtime-version x-stainless-async x-stainless-retry-count x-stainless-read-timeout "
        "x-stainless-timeout",
        KEY: "authorization x-api-key x-goog-api-key api-key helicone-auth tollgate-auth",
        CONTENT_TYPE: "content-type",
        ACCEPT_ENCODING: "accept-encoding",
        DROP: f"{HOP_BY_HOP} host content-length cookie cookie2 expect "
        "forwarded via x-real-ip true-client-ip x-cluster-client-ip fastly-client-ip fly-client-ip x-original-host "
        "x-original-url x-rewrite-url x-request-id x-correlation-id x-amz-cf-id traceparent tracestate baggage "
        # Another organization, project or quota than the key's own; an answer without its usage; another method;
        # what one customer sends twice must not be taken for what another sends.
        "openai-organization openai-project anthropic-organization-id anthropic-workspace-id x-goog-user-project "
        "ocp-apim-subscription-key "
        "x-goog-fieldmask x-http-method-override x-http-method x-method-override idempotency-key x-idempotency-key",
    }
)
_REQUEST_PREFIXES = (b"x-forwarded-", b"cf-", b"x-envoy-", b"x-amzn-", b"x-client-", b"x-b3-", b"sec-", b"x-ms-")
HELICONE, TOLLGATE = b"helicone-", b"tollgate-"
OURS = (HELICONE, TOLLGATE)

_RESPONSE = _rules(
    {
        FORWARD: "date retry-after retry-after-ms x-should-retry openai-processing-ms openai-version vary",
        CONTENT_TYPE: "content-type",
        CONTENT_ENCODING: "content-encoding",
        CONTENT_LENGTH: "content-length",
        REQUEST_ID: "x-request-id request-id x-goog-request-id",  # ours goes in its place; theirs is in the record
        CONNECTION: "connection",
        DROP: f"{HOP_BY_HOP.removeprefix('connection ')} set-cookie set-cookie2 server via alt-svc "
        "strict-transport-security report-to reporting-endpoints nel expect-ct openai-organization openai-project "
        "anthropic-organization-id anthropic-workspace-id x-groq-region www-authenticate clear-site-data "
        "public-key-pins",
    }
)
_RESPONSE_PREFIXES = (
    b"x-ratelimit-", b"ratelimit", b"anthropic-ratelimit-", b"anthropic-fast-", b"cf-", b"x-amz", b"x-goog-",
    b"x-envoy-", b"helicone-", b"tollgate-", b"x-ms-", b"azureml-", b"apim-",
)  # fmt: skip


class Head(NamedTuple):
    """What the headers of a request say."""

    key: bytes  # b"": none
    forward: Headers
    is_json: bool
    accept_encoding: bytes  # what of it we can read as well
    extra: dict[bytes, bytes]  # our own: names as they came, "helicone-" or "tollgate-" first


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
        rule = _REQUEST.get(name)
        if rule is None:
            if name.startswith(OURS):
                extra[name] = value
            elif not name.startswith(_REQUEST_PREFIXES) and b"_" not in name:  # x_org is x-org to some
                forward.append(header)
        elif rule == FORWARD:
            forward.append(header)
        elif rule == KEY:
            key = _better_key(key, value)
        elif rule == CONTENT_TYPE:
            content_type = value.lower()
            forward.append(header)
        elif rule == ACCEPT_ENCODING:
            accept = value
    is_json = content_type.startswith((b"application/json", b"text/json"))
    return Head(key, forward, is_json, _readable(accept), extra)


def _better_key(known: bytes, value: bytes) -> bytes:
    """Of two keys ours. A header can hold several: "Bearer sk-…, Bearer tg_…"."""
    for part in value.split(b","):
        part = part.strip()  # noqa: PLW2901
        found = part[7:].strip() if part[:7].lower() == b"bearer " else part
        if not known or (found.startswith(b"tg_") and not known.startswith(b"tg_")):
            known = found
    return known


_USUAL = (b"gzip, deflate", b"gzip, deflate, br", b"gzip, deflate, br, zstd", b"gzip, br", b"gzip", b"identity")
_READABLE = {b"": b"identity"} | {usual: usual for usual in _USUAL}


def _readable(accept: bytes) -> bytes:
    """Of the encodings that a client takes, those that we can read."""
    usual = _READABLE.get(accept)
    if usual is not None:
        return usual
    codings = [part.strip() for part in accept.lower().split(b",")]
    return b", ".join(coding for coding in codings if coding.split(b";")[0].strip() in DECODABLE) or b"identity"


def take_key(query: bytes) -> tuple[bytes, bytes]:
    """The key of `?key=` (Gemini's clients), and the query without it, however it is spelled."""
    if b"key" not in query and b"%" not in query and b"token" not in query:
        return b"", query
    key, rest = b"", []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) in (b"key", b"$key", b"access_token", b"oauth_token"):
            key = key or unquote_to_bytes(value)
        else:
            rest.append(part)
    return key, b"&".join(rest)


def _learn(name: bytes) -> int:
    """The rule for a header of an answer that isn't listed, remembered: a provider's answers have the same ones."""
    rule = DROP if name.startswith(_RESPONSE_PREFIXES) else FORWARD
    if len(_RESPONSE) < MOST_LEARNT:
        _RESPONSE[name] = rule
    return rule


def read_response(headers: Headers) -> ResponseHead:
    """Sort an answer's headers."""
    content_type, encoding, request_id, named = b"", b"", None, b""
    length = None
    forward: Headers = []
    for header in headers:
        name, value = header
        rule = _RESPONSE.get(name)
        if rule is None:
            rule = _learn(name)
        if rule == DROP:
            continue
        if rule == FORWARD:
            forward.append(header)
        elif rule == REQUEST_ID:
            request_id = value
            if name == b"request-id":  # where Anthropic's SDKs look for it
                forward.append(header)
        elif rule == CONTENT_LENGTH:
            length = header
        elif rule == CONTENT_TYPE:
            content_type = value.lower()
            forward.append(header)
        elif rule == CONTENT_ENCODING:
            encoding = value.strip().lower()
            forward.append(header)
        elif rule == CONNECTION and value.lower() not in (b"keep-alive", b"close"):
            named = value.lower()
    if length is not None and not content_type.startswith(b"text/event-stream"):  # which may become shorter
        forward.append(length)
    if named:
        hops = {part.strip() for part in named.split(b",")}
        forward = [header for header in forward if header[0] not in hops]
    told = request_id.decode("latin-1")[:200] if request_id else None
    return ResponseHead(forward, content_type, encoding, told)


def with_body(headers: Headers, body: bytes) -> Headers:
    """The headers for another body than came with them."""
    kept = [header for header in headers if header[0] not in (b"content-length", b"content-encoding")]
    kept.append((b"content-length", b"%d" % len(body)))
    return kept
