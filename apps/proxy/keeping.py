"""What of a call is kept, where its customer's bodies are stored: a place to listen in, nothing on the way of others.

The request as the client sent it, and the answer as the client got it: with the organization's own names for
models, and without what we took out. Knows no Django.
"""

from functools import partial

from apps.bodies.kept import Kept, Side
from apps.bodies.policy import Policy
from apps.proxy.decoding import decoded
from apps.proxy.headers import Head, Headers, ResponseHead
from apps.proxy.meter import Counted, Meter, Usage
from apps.proxy.upload import CONTENT_TYPE, length_of

PLAIN = (b"", b"identity")


def kept_of(policy: Policy, head: Head, headers: Headers, body: bytes | None) -> Kept:
    """What is kept of a call that was just read. body: None for one that passes by, of which the size is told."""
    kept = Kept(policy, head.extra)
    kept.request.describe(next((value.lower() for name, value in headers if name == CONTENT_TYPE), b""))
    if body is not None:
        kept.request.add(body)
    else:
        kept.request.pass_by(length_of(headers) or 0)
    return kept


class KeepingMeter(Meter):
    """A meter that keeps what it lets through to the client."""

    def __init__(self, meter: Meter, side: Side, answer: ResponseHead) -> None:
        encoding = answer.content_encoding
        side.describe(answer.content_type.lower(), None if encoding in PLAIN else partial(decoded, encoding=encoding))
        self._meter = meter
        self._side = side
        self.is_stream = meter.is_stream

    def __repr__(self) -> str:
        return f"<Keeping {self._meter!r}>"

    @property
    def is_final(self) -> bool:
        return self._meter.is_final

    def passes(self, chunk: bytes) -> bool:
        if not self._meter.passes(chunk):
            return False
        self._side.add(chunk)
        return True

    def feed(self, chunk: bytes) -> bytes:
        part = self._meter.feed(chunk)
        if part:
            self._side.add(part)
        return part

    def keep_words(self) -> None:
        self._meter.keep_words()

    def untold(self) -> str | None:
        return self._meter.untold()

    def take_count(self, counted: Counted) -> None:
        self._meter.take_count(counted)

    def finish(self) -> Usage:
        return self._meter.finish()
