"""What a call keeps of itself while it runs, where its customer's bodies are stored. Knows no Django."""

from collections.abc import Callable

from apps.bodies.policy import Policy

Decode = Callable[[bytes], bytes]

MARGIN = 4096  # bytes beyond the cap that are looked at: a secret that the cap cuts in two is taken out too
NO_S = frozenset((b"", b"false", b"0", b"no", b"off"))
OMIT_REQUEST = (b"helicone-omit-request", b"tollgate-omit-request")
OMIT_RESPONSE = (b"helicone-omit-response", b"tollgate-omit-response")

# What there is of a body.
WHOLE, CUT, OMITTED, NOT_KEPT, BINARY, EMPTY = range(6)  # models.State

TEXT = (b"application/json", b"text/", b"application/x-ndjson", b"application/problem+json", b"application/x-subrip")


class Side:
    """A request's body, or an answer's: its beginning, and how long it is."""

    __slots__ = ("content_type", "decode", "kept_bytes", "most", "parts", "size", "state")

    def __init__(self, most: int, state: int) -> None:
        self.most = most
        self.state = state
        self.content_type = b""
        self.decode: Decode | None = None  # of what is compressed
        self.size = 0
        self.parts: list[bytes] = []
        self.kept_bytes = 0

    def add(self, part: bytes) -> None:
        """The next of it. Beyond the cap it is only counted."""
        self.size += len(part)
        if self.state == WHOLE and self.kept_bytes < self.most:
            part = part[: self.most - self.kept_bytes]
            self.parts.append(part)
            self.kept_bytes += len(part)

    def pass_by(self, size: int) -> None:
        """It is not kept as it is not held: it goes by as it comes."""
        self.size = size
        if self.state == WHOLE and size:
            self.state = BINARY

    def describe(self, content_type: bytes, decode: Decode | None = None) -> None:
        """What its headers say. decode: gives the text of what is compressed, b"" where it cannot."""
        self.content_type, self.decode = content_type, decode
        if self.state == WHOLE and content_type and not content_type.startswith(TEXT):
            self.state = BINARY

    @property
    def is_cut(self) -> bool:
        return self.size > self.kept_bytes


class Kept:
    """Of one call. Whose it is and when it began are put in at its end."""

    __slots__ = ("answer", "customer_id", "id", "organization_id", "policy", "request", "started_at")

    def __init__(self, policy: Policy, extra: dict[bytes, bytes]) -> None:
        """extra: the call's headers of ours or Helicone's."""
        most = policy.most_bytes + MARGIN
        self.policy = policy
        self.request = Side(most, _state(policy.keeps_requests, extra, OMIT_REQUEST))
        self.answer = Side(most, _state(policy.keeps_responses, extra, OMIT_RESPONSE))
        self.id = self.organization_id = self.customer_id = b""
        self.started_at = 0.0

    def __repr__(self) -> str:
        return f"<Kept {self.id.hex()}: {self.bytes} bytes>"

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        return self.request.kept_bytes + self.answer.kept_bytes


def _state(is_kept: bool, extra: dict[bytes, bytes], headers: tuple[bytes, ...]) -> int:
    if not is_kept:
        return NOT_KEPT
    if extra and any(extra.get(name, b"").strip().lower() not in NO_S for name in headers):
        return OMITTED
    return WHOLE
