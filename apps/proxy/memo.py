"""What the headers of a connection's last request said: SDKs send the same ones with every call. Knows no Django."""

from typing import NamedTuple

from apps.keys.token import digest
from apps.proxy.context import Context, read_context
from apps.proxy.headers import Head, Headers, read_request

MEMO = "tollgate.memo"  # where in a request's scope it is
LENGTH = b"content-length"  # the one header that differs from call to call, and that none of this depends on


class Said(NamedTuple):
    """What a request's headers say."""

    head: Head
    context: Context
    key_hash: bytes  # of the key among them; b"": none


class Memo:
    """Of one connection, and kept no longer than it: there is a key in what it remembers."""

    __slots__ = ("_headers", "_length_at", "_said")

    def __init__(self) -> None:
        self._headers: Headers = []
        self._length_at = 0
        self._said: Said | None = None

    def read(self, headers: Headers) -> Said:
        """What these headers say: read anew only if they are others than the last time."""
        said = self._said
        if said is None or not self._is_known(headers):
            head = read_request(headers)
            said = self._said = Said(head, read_context(head.extra), digest(head.key) if head.key else b"")
            self._headers = headers
            self._length_at = next((at for at, (name, _) in enumerate(headers) if name == LENGTH), len(headers))
        return said

    def _is_known(self, headers: Headers) -> bool:
        before, at = self._headers, self._length_at
        return (
            len(headers) == len(before)
            and headers[:at] == before[:at]
            and headers[at + 1 :] == before[at + 1 :]
            and (at == len(headers) or headers[at][0] == LENGTH)
        )
