"""What an answer says of the limits its call is under: OpenAI's names, the IETF's draft, Helicone's. Knows no Django.

Of caps nothing is said: what is left of an account's money is on the customer's own pages. Sources:
platform.openai.com/docs/guides/rate-limits; draft-ietf-httpapi-ratelimit-headers (RateLimit and
RateLimit-Policy with q, w, r, t, qu); docs.helicone.ai/features/advanced-usage/custom-rate-limits.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from apps.limits.commands import NANOS_A_CENT, Entry
from apps.limits.limiter import Hold
from apps.limits.terms import LimitName, LimitReached

Headers = list[tuple[bytes, bytes]]

UNITS = {"r": b"requests", "t": b"tokens"}
QUOTA_UNITS = {"r": b"", "t": b';qu="tokens"', "m": b';qu="cents"'}
MOST = 10**15 - 1  # that a structured field can say


def headers_of_answer(hold: Hold) -> Headers:
    """For a call that was let in. A window is as it was before only once all of it has passed: that is its reset."""
    told = [(entry, used) for entry, used in zip(hold.commands.entries, hold.used, strict=False) if entry.kind != "s"]
    return _headers(told) if told else []


def headers_of_refusal(entries: Sequence[Entry], reached: LimitReached) -> Headers:
    """For a call that was not: of the one limit that refuses."""
    for entry in entries:
        if entry.name == reached.name and entry.scoped.scope == reached.scope and entry.kind != "s":
            used = int(reached.used) if entry.kind != "m" else entry.limit
            return _headers([(entry, used)], reached.retry_after_ms)
    return []


def _headers(told: list[tuple[Entry, int]], wait_ms: int | None = None) -> Headers:
    headers: Headers = []
    for kind, unit in UNITS.items():
        of_kind = [(entry, max(0, entry.limit - used)) for entry, used in told if entry.kind == kind]
        if of_kind:
            entry, left = min(of_kind, key=lambda pair: pair[1])  # the one that is reached first
            reset_ms = entry.span_ms if wait_ms is None else wait_ms
            headers += (
                (b"x-ratelimit-limit-" + unit, b"%d" % entry.limit),
                (b"x-ratelimit-remaining-" + unit, b"%d" % left),
                (b"x-ratelimit-reset-" + unit, duration(reset_ms)),
            )
    headers.append((b"ratelimit-policy", b", ".join([_policy_of(entry) for entry, _ in told])))
    headers.append((b"ratelimit", b", ".join([_state_of(entry, used, wait_ms) for entry, used in told])))
    if told[0][0].name in (LimitName.POLICY_REQUESTS, LimitName.POLICY_SPEND):
        headers += _helicone(*told[0], wait_ms)
    return headers


def _name(entry: Entry) -> bytes:
    return f'"{entry.scoped.scope}-{entry.name}"'.replace("_", "-").encode()


@lru_cache(maxsize=4096)
def _policy(name: bytes, kind: str, limit: int, span_ms: int) -> bytes:
    if kind == "c":
        return b'%s;q=%d;qu="concurrent-requests"' % (name, limit)
    return b"%s;q=%d;w=%d%s" % (name, limit, span_ms // 1000, QUOTA_UNITS[kind])


def _policy_of(entry: Entry) -> bytes:
    return _policy(_name(entry), entry.kind, _told(entry, entry.limit), entry.span_ms)


def _state_of(entry: Entry, used: int, wait_ms: int | None) -> bytes:
    left = _told(entry, max(0, entry.limit - used))
    if entry.kind == "c":
        return b"%s;r=%d" % (_name(entry), left)
    return b"%s;r=%d;t=%d" % (_name(entry), left, ceil((entry.span_ms if wait_ms is None else wait_ms) / 1000))


def _helicone(entry: Entry, used: int, wait_ms: int | None) -> Headers:
    """In the policy's own unit: calls, or whole cents that are left."""
    quota, window_s = _told(entry, entry.limit), entry.span_ms // 1000
    unit = b"cents" if entry.kind == "m" else b"request"
    return [
        (b"helicone-ratelimit-limit", b"%d" % quota),
        (b"helicone-ratelimit-remaining", b"%d" % _told(entry, max(0, entry.limit - used))),
        (
            b"helicone-ratelimit-policy",
            b"%d;w=%d;u=%s" % (quota, window_s, unit),
        ),
        (b"helicone-ratelimit-reset", b"%d" % ceil((entry.span_ms if wait_ms is None else wait_ms) / 1000)),
    ]


def _told(entry: Entry, amount: int) -> int:
    """In the unit that is told: whole cents where money is counted finer."""
    return min(amount // NANOS_A_CENT if entry.kind == "m" else amount, MOST)


def duration(ms: int) -> bytes:
    """As OpenAI writes it: 120ms, 1s, 6m0s, 24h0m0s."""
    if ms < 1000:
        return b"%dms" % ms
    minutes, seconds = divmod(ceil(ms / 1000), 60)
    if not minutes:
        return b"%ds" % seconds
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, seconds) if hours else b"%dm%ds" % (minutes, seconds)
