"""What calls ask of Redis, packed once but for what differs from call to call. Knows no Django.

To pack a command of thirty arguments anew for each call would cost more than all the rest of an admission.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from apps.limits.scopes import LimitKeys, Periods, Scoped, Scopes
from apps.limits.scripts import Script, Scripts
from apps.limits.terms import MOST_PICO, LimitName, Limits, Scope, from_pico, to_pico

if TYPE_CHECKING:
    from apps.limits.headers import Form

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BUCKETS = 60
DAY_BUCKETS = 96  # of a quarter of an hour
DAY_KEY_MS = 3 * DAY_MS  # how long a period's sum is kept once it has begun
MONTH_KEY_MS = 63 * DAY_MS
TOTAL_KEY_MS = 400 * DAY_MS
NANOS_A_CENT = 10**7  # the unit of a window of money: 53 bits of them are 9 million USD


class Entry(NamedTuple):
    """A limit as the scripts take it."""

    name: LimitName
    kind: str  # "r", "t", "m", "c" or "s": see common.lua
    key: str
    limit: int
    span_ms: int  # of "s": how long the sum is kept
    buckets: int
    scoped: Scoped
    begins_at: float = 0.0  # of "s": the period, in Unix time
    ends_at: float = 0.0  # 0: never

    @property
    def is_prepaid(self) -> bool:
        return self.name is LimitName.TOTAL and self.scoped.prepaid is not None

    def stamp(self, generation: str) -> str:
        """What a complete sum bears, "": any is believed. Another stamp: it may lack what nobody counted.

        It has what a sum that isn't there yet needs to be known for zero: the ms at which all counting began,
        0 where that is not since its period did.
        """
        if self.kind != "s" or not generation:
            return ""
        is_whole = self.begins_at and self.scoped.counted_since <= self.begins_at
        return f"{generation}/{round(self.begins_at * 1000) if is_whole else 0}/{self.scoped.mark}"

    def amount(self, number: int) -> Decimal:
        """What the scripts count, in the limit's own unit."""
        if self.kind == "m":
            return Decimal(number) / (NANOS_A_CENT * 100)
        return from_pico(number) if self.kind == "s" else Decimal(number)


class Commands:
    """What is asked for these scopes, in these periods, of a Redis whose memory is of this generation."""

    __slots__ = ("admit", "day", "entries", "generation", "has_cap", "headers", "month", "renew", "restore", "settle")

    def __init__(self, scripts: Scripts, scopes: Scopes, periods: Periods, lifetime_ms: int, generation: str) -> None:
        entries = list(entries_of(scopes, periods))
        keys = scopes.customer
        holds = (keys.holds, keys.held, keys.alive)
        asked = [entry.key for entry in entries]
        self.day = periods.day
        self.month = periods.month
        self.generation = generation
        self.entries = entries
        self.has_cap = any(entry.kind == "s" for entry in entries)
        self.headers: Form | None = None  # of answers, once one was given
        # id, tokens, spend
        self.admit = Template(scripts.admit, [*holds, *asked], 3, [lifetime_ms, *_each(entries, generation)])
        # id, tokens, spend, generation
        self.restore = Template(scripts.restore, [*holds, *asked], 4, [lifetime_ms, *_each(entries, generation)])
        sums = _sums(keys, entries, periods, is_counted=bool(generation))
        # id, tokens, spend, when the call began in µs ("again": charged whether or not it was held)
        self.settle = Template(
            scripts.settle, [keys.holds, keys.held, *sums], 4, [part for each in sums.values() for part in each]
        )
        self.renew = Template(scripts.renew, holds[:2], 1, [lifetime_ms])  # id

    def are_for(self, periods: Periods, generation: str) -> bool:
        """Whether the next call can use them too."""
        return self.day == periods.day and self.month == periods.month and self.generation == generation


def _each(entries: Iterable[Entry], generation: str) -> list[str | int]:
    return [part for e in entries for part in (e.kind, e.limit, e.span_ms, e.stamp(generation) or e.buckets)]


def _sums(
    keys: LimitKeys, entries: Iterable[Entry], periods: Periods, *, is_counted: bool
) -> dict[str, tuple[int, str]]:
    """What a price is charged to: the customer's day and month always, else what is capped."""
    sums = {keys.spend + periods.day: (DAY_KEY_MS, ""), keys.spend + periods.month: (MONTH_KEY_MS, "")}
    capped = (entry for entry in entries if entry.kind == "s")
    return sums | {entry.key: (entry.span_ms, "1" if is_counted else "") for entry in capped}


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


def entries_of(scopes: Scopes, periods: Periods) -> Iterator[Entry]:
    """The limits that are set, in the order in which they are looked at: the policy's own, then the widest scope's."""
    if scopes.policy is not None:
        policy, keys = scopes.policy
        scoped = Scoped(Scope.POLICY, keys, Limits())
        kind, name, each = ("r", LimitName.POLICY_REQUESTS, 1)
        if policy.is_money:
            kind, name, each = ("m", LimitName.POLICY_SPEND, NANOS_A_CENT)
        quota = min(policy.quota * each, 2**53)
        yield Entry(name, kind, f"{keys.prefix}:{kind}", quota, policy.window_s * 1000, BUCKETS, scoped)
    for scoped in scopes.each:
        yield from _entries_of_scope(scoped, periods)


def _entries_of_scope(scoped: Scoped, periods: Periods) -> Iterator[Entry]:
    keys, limits, spend = scoped.keys, scoped.limits, scoped.keys.spend
    day, month = periods[2:4], periods[4:6]
    possible = (
        (LimitName.REQUESTS, "r", keys.requests, limits.requests_per_minute, MINUTE_MS, BUCKETS),
        (LimitName.HOURLY_REQUESTS, "r", f"{keys.requests}:h", limits.requests_per_hour, HOUR_MS, BUCKETS),
        (LimitName.DAILY_REQUESTS, "r", f"{keys.requests}:d", limits.requests_per_day, DAY_MS, DAY_BUCKETS),
        (LimitName.TOKENS, "t", keys.tokens, limits.tokens_per_minute, MINUTE_MS, BUCKETS),
        (LimitName.CONCURRENT, "c", keys.concurrent, limits.max_concurrent, 0, 0),
    )
    for name, kind, key, limit, span_ms, buckets in possible:
        if limit is not None:
            yield Entry(name, kind, key, limit, span_ms, buckets, scoped)
    caps = (
        (LimitName.DAILY, spend + periods.day, limits.daily_cap, DAY_KEY_MS, *day),
        (LimitName.MONTHLY, spend + periods.month, limits.monthly_cap, MONTH_KEY_MS, *month),
        (LimitName.TOTAL, f"{spend}total", limits.total_cap, TOTAL_KEY_MS, 0.0, 0.0),
    )
    for name, key, cap, kept_ms, begins_at, ends_at in caps:
        if cap is not None:
            limit = min(to_pico(cap), MOST_PICO)
            yield Entry(name, "s", key, limit, kept_ms, 0, scoped, begins_at, ends_at)
