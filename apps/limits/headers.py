"""What an answer says of the limits its call is under: OpenAI's names, the IETF's draft, Helicone's. Knows no Django.

Of caps nothing is said: what is left of an account's money is on the customer's own pages. Sources:
platform.openai.com/docs/guides/rate-limits; draft-ietf-httpapi-ratelimit-headers (RateLimit and
RateLimit-Policy with q, w, r, t, qu); docs.helicone.ai/features/advanced-usage/custom-rate-limits.
"""

from collections.abc import Sequence
from math import ceil

from apps.limits.commands import NANOS_A_CENT, Commands, Entry
from apps.limits.holds import Hold
from apps.limits.terms import LimitReached, Scope

Headers = list[tuple[bytes, bytes]]

UNITS = {"r": b"requests", "t": b"tokens"}
QUOTA_UNITS = {"r": b"", "t": b';qu="tokens"', "m": b';qu="cents"', "c": b';qu="concurrent-requests"'}
MOST = 10**15 - 1  # that a structured field can say


def headers_of_answer(hold: Hold) -> Headers:
    """For a call that was let in. A window is as it was before only once all of it has passed: that is its reset."""
    commands = hold.commands
    form = commands.headers
    if form is None:
        form = commands.headers = Form(commands.entries)
    return form.filled(hold.used)


def headers_of_refusal(commands: Commands, reached: LimitReached) -> Headers:
    """For a call that was not: of the one limit that refuses."""
    for entry in commands.entries:
        if entry.name == reached.name and entry.scoped.scope == reached.scope:
            used = entry.limit if entry.kind == "m" else int(reached.used)
            return Form([entry], reached.retry_after_ms).filled([used])
    return []


class Form:
    """The headers about these limits, made once but for what is left of each.

    wait_ms: until the one limit has room again; None: it isn't reached.
    """

    __slots__ = ("_helicone", "_limits", "_money_at", "_policy", "_state", "_x")

    def __init__(self, entries: Sequence[Entry], wait_ms: int | None = None) -> None:
        told = [(number, entry) for number, entry in enumerate(entries) if entry.kind != "s"]
        self._limits = [(number, entry.limit) for number, entry in told]
        self._money_at = [at for at, (_, entry) in enumerate(told) if entry.kind == "m"]
        self._policy = b", ".join([_policy_of(entry) for _, entry in told])
        self._state = b", ".join([_state_of(entry, wait_ms) for _, entry in told])
        self._x = [
            (
                [at for at, _ in of_kind],
                [(b"x-ratelimit-limit-" + unit, b"%d" % _limit(entry)) for _, entry in of_kind],
                b"x-ratelimit-remaining-" + unit,
                [(b"x-ratelimit-reset-" + unit, duration(_reset_ms(entry, wait_ms))) for _, entry in of_kind],
            )
            for kind, unit in UNITS.items()
            if (of_kind := [(at, entry) for at, (_, entry) in enumerate(told) if entry.kind == kind])
        ]
        first = entries[0] if entries else None
        self._helicone = _helicone(first, wait_ms) if first and first.scoped.scope is Scope.POLICY else None

    def filled(self, used: Sequence[int]) -> Headers:
        """used: of each of the limits."""
        if not self._limits:
            return []
        left = [limit - used[number] if used[number] < limit else 0 for number, limit in self._limits]
        for at in self._money_at:
            left[at] //= NANOS_A_CENT  # whole cents are told where money is counted finer
        headers: Headers = []
        for of_kind, limits, left_name, resets in self._x:
            each = [left[at] for at in of_kind]
            least = min(each)
            nearest = each.index(least)
            headers += (limits[nearest], (left_name, b"%d" % least), resets[nearest])
        headers += ((b"ratelimit-policy", self._policy), (b"ratelimit", self._state % tuple(left)))
        if self._helicone is not None:
            headers += (*self._helicone, (b"helicone-ratelimit-remaining", b"%d" % left[0]))
        return headers


def _limit(entry: Entry) -> int:
    return min(entry.limit // NANOS_A_CENT if entry.kind == "m" else entry.limit, MOST)


def _reset_ms(entry: Entry, wait_ms: int | None) -> int:
    return entry.span_ms if wait_ms is None else wait_ms


def _name(entry: Entry) -> bytes:
    return f'"{entry.scoped.scope}-{entry.name}"'.replace("_", "-").encode()


def _policy_of(entry: Entry) -> bytes:
    window = b";w=%d" % (entry.span_ms // 1000) if entry.span_ms else b""
    return b"%s;q=%d%s%s" % (_name(entry), _limit(entry), window, QUOTA_UNITS[entry.kind])


def _state_of(entry: Entry, wait_ms: int | None) -> bytes:
    """With a place for what is left."""
    reset = b";t=%d" % ceil(_reset_ms(entry, wait_ms) / 1000) if entry.span_ms else b""
    return _name(entry) + b";r=%d" + reset


def _helicone(entry: Entry, wait_ms: int | None) -> Headers:
    """In the policy's own unit: calls, or whole cents."""
    unit = b"cents" if entry.kind == "m" else b"request"
    return [
        (b"helicone-ratelimit-limit", b"%d" % _limit(entry)),
        (b"helicone-ratelimit-policy", b"%d;w=%d;u=%s" % (_limit(entry), entry.span_ms // 1000, unit)),
        (b"helicone-ratelimit-reset", b"%d" % ceil(_reset_ms(entry, wait_ms) / 1000)),
    ]


def duration(ms: int) -> bytes:
    """As OpenAI writes it: 120ms, 1s, 6m0s, 24h0m0s."""
    if ms < 1000:
        return b"%dms" % ms
    minutes, seconds = divmod(ceil(ms / 1000), 60)
    if not minutes:
        return b"%ds" % seconds
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, seconds) if hours else b"%dm%ds" % (minutes, seconds)
