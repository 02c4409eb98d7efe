"""When a call is tried again, and how long after: the operator's setting, or what the call's own headers ask for.

Helicone's headers work as it documents them (docs.helicone.ai/features/advanced-usage/retries):
`Helicone-Retry-Enabled`, `-Num` (5), `-Factor` (2), `-Min-Timeout` (1000 ms), `-Max-Timeout` (10000 ms). Pure.
"""

import random
from typing import NamedTuple

from apps.proxy.headers import OURS, Headers

MOST_RETRIES = 5
MOST_WAIT_S = 20.0  # more is for the client to decide
FAILED = frozenset((408, 429, 500, 502, 503, 504, 520, 522, 524, 529))  # that another try may cure
REFUSED = frozenset((401, 403))  # that another key may cure
ENABLED, NUM, FACTOR = b"retry-enabled", b"retry-num", b"retry-factor"
LEAST, MOST = b"retry-min-timeout", b"retry-max-timeout"


class Retries(NamedTuple):
    """How often, and how long to wait before each: `least_s` times `factor` each time, at most `most_s`."""

    number: int = 0
    factor: float = 2.0
    least_s: float = 0.5
    most_s: float = 8.0

    def wait_s(self, tried: int, asked_s: float | None) -> float | None:
        """Before the next try, of which there were `tried`; None: it isn't worth waiting for.

        asked_s: the provider's Retry-After. Otherwise somewhere in the upper half, so that calls that failed
        together do not come again together.
        """
        if asked_s is not None:
            return asked_s if asked_s <= MOST_WAIT_S else None
        longest = min(self.least_s * self.factor ** (tried - 1), self.most_s)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 not a secret


NEVER = Retries()


def asks_for_retries(extra: dict[bytes, bytes]) -> bool:
    """Whether the call says anything of them."""
    return b"helicone-retry-enabled" in extra or b"tollgate-retry-enabled" in extra


def retries_of(extra: dict[bytes, bytes], number: int) -> Retries:
    """Of a call whose headers are `extra`, of an organization that retries so often."""
    said = _said(extra, ENABLED)
    if said is None:
        return Retries(number) if number else NEVER
    if said.lower() != b"true":
        return NEVER
    asked = _number(_said(extra, NUM), 5.0)
    return Retries(
        int(min(asked, MOST_RETRIES)),
        min(max(_number(_said(extra, FACTOR), 2.0), 1.0), 10.0),
        min(_number(_said(extra, LEAST), 1000.0) / 1000, MOST_WAIT_S),
        min(_number(_said(extra, MOST), 10_000.0) / 1000, MOST_WAIT_S),
    )


def retry_after_s(headers: Headers) -> float | None:
    """Seconds that an answer asks to wait: `retry-after-ms`, or `retry-after` in seconds. A date is not understood."""
    asked = dict(headers)
    if (ms := _number(asked.get(b"retry-after-ms"), -1.0)) >= 0:
        return ms / 1000
    return seconds if (seconds := _number(asked.get(b"retry-after"), -1.0)) >= 0 else None


def _said(extra: dict[bytes, bytes], name: bytes) -> bytes | None:
    return next((value.strip() for prefix in OURS if (value := extra.get(prefix + name))), None)


def _number(text: bytes | None, otherwise: float) -> float:
    """A decimal of a few digits; what is none is as if it had not been said."""
    if text is None or len(text) > 12 or not text.replace(b".", b"", 1).isdigit():
        return otherwise
    return float(text)
