"""Whether a call is tried again, and after how long. Pure rules; knows no Django."""

from email.utils import parsedate_to_datetime
from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]

ANOTHER_KEY = frozenset((401, 403, 429))  # and 5xx: with another key it may go better
MOST_FACTOR = 10.0
JITTER = 0.25  # of a wait, added, so that calls that failed together don't come back together

USUAL = frozenset((429, 500, 502, 503, 504, 529))
HELICONES_RETRIES = 5  # where a call asks for them without a number, and the most it can ask for

_PREFIX = b"helicone-retry-"
ENABLED = _PREFIX + b"enabled"  # without it a call that the operator does not try again asks for nothing


class Policy(NamedTuple):
    """What an organization wants, or a call."""

    retries: int = 0  # after the first round through all keys
    statuses: frozenset[int] = USUAL  # on which it is tried again
    wait_s: float = 0.5  # before the first retry
    most_wait_s: float = 10.0  # before any; a provider that asks for more isn't asked again
    factor: float = 2.0  # how much longer each wait is than the one before


def says_of_retries(extra: dict[bytes, bytes]) -> bool:
    """Whether a call's own headers say anything of retries."""
    return any(name.startswith(_PREFIX) for name in extra)


def asked_for(policy: Policy, extra: dict[bytes, bytes]) -> Policy:
    """`policy` with what Helicone's headers say (docs.helicone.ai/features/advanced-usage/retries).

    Where the operator wants none, a call can ask for them; where it wants some, for fewer of them and longer waits.
    What makes no sense says nothing.
    """
    enabled = extra.get(ENABLED, b"").strip().lower()
    if enabled == b"true" and not policy.retries:
        policy = policy._replace(retries=HELICONES_RETRIES, wait_s=_number(extra, b"min-timeout", 1000.0) / 1000)
    retries = 0 if enabled == b"false" else policy.retries
    most_ms = _number(extra, b"max-timeout", policy.most_wait_s * 1000)
    most_wait_s = min(policy.most_wait_s, max(policy.wait_s, most_ms / 1000))
    wait_s = max(policy.wait_s, _number(extra, b"min-timeout", policy.wait_s * 1000) / 1000)
    return policy._replace(
        retries=min(retries, int(_number(extra, b"num", retries))),
        wait_s=min(wait_s, most_wait_s),
        most_wait_s=most_wait_s,
        factor=min(MOST_FACTOR, max(1.0, _number(extra, b"factor", policy.factor))),
    )


def _number(extra: dict[bytes, bytes], name: bytes, otherwise: float) -> float:
    try:
        number = float(extra[_PREFIX + name])
    except (KeyError, ValueError):
        return otherwise
    return number if 0 <= number < 1e9 else otherwise


def takes_another_key(status: int) -> bool:
    """Whether a call that was answered so may go better with another key."""
    return status >= 500 or status in ANOTHER_KEY


def wait_s(policy: Policy, retry: int, told_s: float, jitter: float) -> float | None:
    """Seconds before retry number `retry` (from 0); None: there is none.

    told_s: what the provider asked for. jitter: from 0 to 1.
    """
    if retry >= policy.retries or told_s > policy.most_wait_s:
        return None
    backoff = policy.wait_s * policy.factor**retry * (1 + JITTER * jitter)
    return max(min(backoff, policy.most_wait_s), told_s)


def retry_after_s(headers: Headers, now: float) -> float:
    """What an answer's headers ask us to wait; 0: nothing. now: Unix time."""
    told = dict(headers)
    try:
        if b"retry-after-ms" in told:  # OpenAI's, exact
            seconds = float(told[b"retry-after-ms"]) / 1000
        elif b"retry-after" in told:
            seconds = _seconds(told[b"retry-after"].decode("latin-1").strip(), now)
        else:
            return 0.0
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 1e9 else 0.0


def _seconds(said: str, now: float) -> float:
    """Raises ValueError for what is neither a number nor a date."""
    if said[:1].isdigit():
        return float(said)
    return max(0.0, parsedate_to_datetime(said).timestamp() - now)
