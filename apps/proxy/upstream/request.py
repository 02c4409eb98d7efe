"""The head of a request as bytes: one request for every reader, or none."""

from collections.abc import Iterable

from .errors import InvalidRequest

# What is said about this connection and this framing is ours to say, whatever the client said.
OURS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
SPECIAL = OURS | {b"content-length", b"host", b"expect"}
BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))


def encode_head(
    method: bytes,
    target: bytes,
    host: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    length: int | None,
) -> tuple[bytes, int | None, bool]:
    """The head, the body's length (None: chunked), and whether the body has to wait for 100 Continue.

    headers: names in lower case. Host comes from `host` unless it is among them; those in OURS are left out.
    length: of the body; None when it isn't known, then a Content-Length among `headers` says it.
    Raises InvalidRequest where a value would end its line.
    """
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    has_host = expects = False
    said: int | None = None
    for header in headers:
        name, value = header
        if name in SPECIAL:
            if name in OURS:
                continue
            if name == b"content-length":
                said = _length(value, said)
                continue
            if name == b"host":
                has_host = True
            else:
                expects = value.lower() == b"100-continue"
        lines.append(b": ".join(header))
    if not has_host:
        lines.insert(1, b"host: " + host)
    if length is None:
        length = said
    if length is None:
        lines.append(b"transfer-encoding: chunked")
    elif length or method in BODY_EXPECTED:
        lines.append(b"content-length: %d" % length)
    ends = len(lines) + 1
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head or b" " in target or not target:
        raise InvalidRequest("the request line or a header holds a control character")
    return head, length, expects and length != 0


def _length(value: bytes, said: int | None) -> int:
    if not value.isdigit() or said is not None:
        raise InvalidRequest("the content-length is not one number")
    return int(value)
