"""What a customer's calls ask of Redis, packed once but for what differs from call to call. Knows no Django.

To pack a command of thirty arguments anew for each call would cost more than all the rest of an admission.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from apps.limits.scripts import Script, Scripts
from apps.limits.terms import MOST_PICO, LimitName, Limits, to_pico

MINUTE_MS = 60_000
BUCKETS = 60
DAY_KEY_MS = 3 * 86_400_000  # how long a period's sum is kept once it has begun
MONTH_KEY_MS = 63 * 86_400_000


class LimitKeys:
    """The names of a customer's counters. The braces keep them together on a Redis cluster."""

    __slots__ = ("commands", "concurrent", "held", "holds", "requests", "spend", "tokens")

    def __init__(self, customer_id: bytes) -> None:
        prefix = f"tollgate:{{{customer_id.hex()}}}"
        self.holds = f"{prefix}:holds"
        self.held = f"{prefix}:held"
        self.requests = f"{prefix}:requests"
        self.tokens = f"{prefix}:tokens"
        self.concurrent = f"{prefix}:concurrent"
        self.spend = f"{prefix}:spend:"  # and the day or month
        self.commands: Commands | None = None  # those of the last call: mostly right for the next


class Entry(NamedTuple):
    """A limit as the scripts take it."""

    name: LimitName
    kind: str  # "r", "t", "c" or "s": see common.lua
    key: str
    limit: int
    span_ms: int
    buckets: int


class Commands:
    """What is asked for one customer, with these limits, in these periods."""

    __slots__ = ("admit", "day", "limits", "month", "names", "renew", "settle")

    def __init__(
        self, scripts: Scripts, keys: LimitKeys, limits: Limits, day: str, month: str, lifetime_ms: int
    ) -> None:
        entries = entries_of(keys, limits, day, month)
        holds = (keys.holds, keys.held)
        each = [part for entry in entries for part in (entry.kind, entry.limit, entry.span_ms, entry.buckets)]
        self.limits = limits
        self.day = day
        self.month = month
        self.names = [entry.name for entry in entries]
        # id, tokens, spend
        self.admit = Template(scripts.admit, [*holds, *(entry.key for entry in entries)], 3, [lifetime_ms, *each])
        self.settle = Template(
            scripts.settle, [*holds, keys.spend + day, keys.spend + month], 3, [DAY_KEY_MS, MONTH_KEY_MS]
        )
        self.renew = Template(scripts.renew, holds, 1, [lifetime_ms])  # id

    def are_for(self, limits: Limits, day: str, month: str) -> bool:
        """Whether the next call can use them too."""
        return self.limits is limits and self.day == day and self.month == month


class Template:
    """A script's command. Its first arguments differ from call to call, its keys and the rest do not."""

    __slots__ = ("_head", "_tail", "script")

    def __init__(self, script: Script, keys: Sequence[str], varying: int, constant: Sequence[str | int]) -> None:
        self.script = script
        head: list[str | int] = ["EVALSHA", script.sha, len(keys), *keys]
        self._head = b"*%d\r\n" % (len(head) + varying + len(constant)) + _packed(head)
        self._tail = _packed(constant)

    def packed(self, *varying: str | int) -> bytes:
        """The command with these, as it goes over the wire."""
        return self._head + _packed(varying) + self._tail


def _packed(arguments: Sequence[str | int]) -> bytes:
    """Arguments as Redis's protocol has them. Only ASCII ones."""
    return "".join([f"${len(text)}\r\n{text}\r\n" for text in map(str, arguments)]).encode()


def entries_of(keys: LimitKeys, limits: Limits, day: str, month: str) -> list[Entry]:
    """The limits that are set, in the order in which they are looked at."""
    possible = (
        (LimitName.REQUESTS, "r", keys.requests, limits.requests_per_minute, MINUTE_MS, BUCKETS),
        (LimitName.TOKENS, "t", keys.tokens, limits.tokens_per_minute, MINUTE_MS, BUCKETS),
        (LimitName.CONCURRENT, "c", keys.concurrent, limits.max_concurrent, 0, 0),
        (LimitName.DAILY, "s", keys.spend + day, _cap_pico(limits.daily_cap), DAY_KEY_MS, 0),
        (LimitName.MONTHLY, "s", keys.spend + month, _cap_pico(limits.monthly_cap), MONTH_KEY_MS, 0),
    )
    return [Entry(*entry[:3], limit, *entry[4:]) for entry in possible if (limit := entry[3]) is not None]


def _cap_pico(cap: Decimal | None) -> int | None:
    return None if cap is None else min(to_pico(cap), MOST_PICO)
