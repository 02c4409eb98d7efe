"""The scripts beside a model of a few plain lines, through thousands of random lives (RELIABILITY M4, M10).

TOLLGATE_FAULTS=long pytest tests/limits/test_against_model.py     20,000 steps
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from apps.kit.ids import uuid7
from apps.limits.commands import Entry, entries_of
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import EndUserLimits, LimitBook, LimitKeys, Periods, Scoped
from apps.limits.scripts import Script
from apps.limits.terms import LimitReached, Limits, Scope, from_pico
from tests.faults.size import size
from tests.limits.clock import CLOCK, scripts_by_test_clock, set_clock

LIFETIME_MS = 20_000
BIG = 2**60  # sums around it need more digits than a double has
EDGE = 10**15  # below it they are added in another way

AMOUNTS = st.sampled_from([0, 1, 2, 3, EDGE - 1, EDGE, BIG - 1, BIG, BIG + 1, 2 * BIG])
CAPS = st.none() | st.sampled_from([0, 1, 4, EDGE, 2 * EDGE - 1, 10 * EDGE, 3 * BIG, 3 * BIG + 1]).map(from_pico)
NO_LIMITS = st.just(Limits())
LIMITS = st.builds(
    Limits,
    requests_per_minute=st.sampled_from([None, None, 0, 1, 3, 6]),
    requests_per_hour=st.sampled_from([None, None, 0, 4, 9]),
    requests_per_day=st.sampled_from([None, None, None, 7]),
    tokens_per_minute=st.sampled_from([None, None, 0, 5, 12]),
    max_concurrent=st.sampled_from([None, None, 0, 1, 3]),
    daily_cap=CAPS,
    monthly_cap=CAPS,
    total_cap=CAPS,
)
ALL = Limits(1, 1, 1, Decimal(1), Decimal(1), Decimal(1), 1, 1)
END_USERS = (None, "ann", "ben")


@dataclass
class Call:
    """What the model knows of a call that was let in."""

    hold: Hold
    at: int  # ms
    expires_at: int
    tokens: int
    spend: int
    limited_by: frozenset[str]  # the keys of counters
    is_settled: bool = False


class Model:
    """What should be: no buckets kept, no holds given back; all of it is counted anew whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[Call] = []
        self.settled: dict[str, int] = {}  # by key

    def held_calls(self, entry: Entry) -> list[Call]:
        return [c for c in self.calls if entry.key in c.limited_by and not c.is_settled and c.expires_at > self.now]

    def held(self, entry: Entry) -> int:
        return sum(call.spend for call in self.held_calls(entry)) if entry.kind == "s" else 0

    def bucket(self, entry: Entry, at: int) -> int:
        return at * entry.buckets // entry.span_ms

    def in_window(self, entry: Entry) -> list[Call]:
        first = self.bucket(entry, self.now) - entry.buckets
        return [c for c in self.calls if entry.key in c.limited_by and self.bucket(entry, c.at) >= first]

    def used(self, entry: Entry) -> int:
        match entry.kind:
            case "r":
                return len(self.in_window(entry))
            case "t":
                return sum(call.tokens for call in self.in_window(entry))
            case "c":
                return len(self.held_calls(entry))
            case _:
                return self.settled.get(entry.key, 0)

    def refuses(self, entry: Entry, tokens: int, spend: int) -> bool:
        more = {"t": tokens, "s": spend}.get(entry.kind, 1)
        return entry.limit == 0 or self.used(entry) + self.held(entry) + more > entry.limit

    def room(self, entries: list[Entry]) -> int:
        """The most that fits under all caps: tried against each."""
        caps = [entry for entry in entries if entry.kind == "s"]
        return max(0, min(0 if not e.limit else e.limit - self.used(e) - self.held(e) for e in caps))

    def wait(self, entry: Entry, tokens: int) -> int | None:
        """Until a window has room: tried at each bucket to come."""
        if entry.limit == 0 or entry.kind not in "rt":
            return None
        amount = tokens if entry.kind == "t" else 1
        counted = [(self.bucket(entry, c.at), c.tokens if entry.kind == "t" else 1) for c in self.in_window(entry)]
        now = self.bucket(entry, self.now)
        for bucket in range(now + 1, now + entry.buckets + 2):
            if sum(sum_ for b, sum_ in counted if b >= bucket - entry.buckets) + amount <= entry.limit:
                return bucket * entry.span_ms // entry.buckets - self.now
        return None


class LimiterBesideModel(RuleBasedStateMachine):
    """Calls come, end, are renewed or left; time passes; limits change. Both say the same at every step."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.limiter = Limiter(django_settings.REDIS_URL, lifetime_ms=LIFETIME_MS, scripts=scripts_by_test_clock())
        self.customer = uuid7().bytes
        self.keys = LimitKeys(self.customer)
        self.model = Model()
        self.state = Script("state", CLOCK)

    def run(self, awaitable):
        async def within() -> object:
            return await awaitable

        return self.runner.run(within())

    def book(self, customer: Limits, key: Limits, end_users: Limits, own: Limits) -> LimitBook:
        """Limits in all scopes: the default is everybody's but Ben's, who has his own."""
        return LimitBook(
            self.keys,
            Scoped(Scope.CUSTOMER, self.keys, customer),
            Scoped(Scope.KEY, LimitKeys.of_key(self.customer, b"key"), key, b"key"),
            end_users=EndUserLimits((end_users, 0.0, ""), {"ben": (own, 0.0, "")}),
        )

    @initialize(second=st.integers(0, 999))
    def begin(self, second: int) -> None:
        self.model.now = 1_795_262_400_000 + second
        self.run(self._begin())

    async def _begin(self) -> None:
        self.limiter.pipe.start()  # not the limiter: its renewals come by real time
        while self.limiter.pipe.state.name != "OPEN":  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await set_clock(self.limiter.pipe, self.model.now)

    def teardown(self) -> None:
        self.run(self.limiter.pipe.stop())
        self.runner.close()

    @rule(ms=st.sampled_from([1, 300, 999, 1000, 5_000, 19_999, 20_000, 59_000, 61_000, 200_000, 3_600_000, 2**26]))
    def time_passes(self, ms: int) -> None:
        self.model.now += ms
        self.run(set_clock(self.limiter.pipe, self.model.now))

    @rule(
        target=calls,
        customer=LIMITS,
        key=NO_LIMITS | LIMITS,
        end_users=NO_LIMITS | LIMITS,
        own=LIMITS,
        end_user=st.sampled_from(END_USERS),
        tokens=st.integers(0, 6),
        spend=AMOUNTS,
        day=st.sampled_from(["d1", "d2"]),
    )
    def a_call_comes(
        self,
        customer: Limits,
        key: Limits,
        end_users: Limits,
        own: Limits,
        end_user: str | None,
        tokens: int,
        spend: int,
        day: str,
    ) -> Call | None:
        scopes = self.book(customer, key, end_users, own).scopes(end_user)
        periods = Periods(day, "m1")
        entries = list(entries_of(scopes, periods))
        refusing = [entry for entry in entries if self.model.refuses(entry, tokens, spend)]
        try:
            hold = self.run(self.limiter.admit(uuid7().hex, scopes, periods, tokens=tokens, spend=spend))
        except LimitReached as reached:
            self.check_refusal(reached, refusing, entries, tokens)
            return None
        assert not refusing
        now = self.model.now
        call = Call(hold, now, now + LIFETIME_MS, tokens, spend, frozenset(entry.key for entry in entries))
        if hold.id:
            self.model.calls.append(call)
            used = [0 if entry.kind == "s" else self.model.used(entry) for entry in entries]
            assert list(hold.used) == used
        return call

    def check_refusal(self, reached: LimitReached, refusing: list[Entry], entries: list[Entry], tokens: int) -> None:
        first = refusing[0]
        assert (reached.scope, reached.name) == (first.scoped.scope, first.name)
        assert reached.used == first.amount(self.model.used(first))
        assert reached.retry_after_ms == self.model.wait(first, tokens)
        if first.kind == "s":
            assert abs(reached.room - self.model.room(entries)) <= 2048  # a double's last digits

    @rule(call=calls, tokens=st.integers(0, 9), spend=AMOUNTS)
    def a_call_settles(self, call: Call | None, tokens: int, spend: int) -> None:
        """With more than was held for it, too; and again, and after its hold expired."""
        if call is None:
            return
        self.limiter.settle(call.hold, spend=spend, tokens=tokens)
        if call.is_settled and call.hold.id:
            return
        call.is_settled = True
        call.tokens = tokens
        commands = call.hold.commands
        always = {self.keys.spend + commands.day, self.keys.spend + commands.month}
        for key in always | {entry.key for entry in commands.entries if entry.kind == "s"}:
            self.model.settled[key] = min(2**63 - 1, self.model.settled.get(key, 0) + spend)

    @rule(call=calls)
    def a_call_is_renewed(self, call: Call | None) -> None:
        if call is None or not call.hold.id:
            return
        self.run(self.limiter.pipe.call_packed(call.hold.commands.renew.packed(call.hold.id)))
        call.expires_at = self.model.now + LIFETIME_MS

    def everything(self) -> Iterator[Entry]:
        """Every counter of every scope."""
        book = self.book(ALL, ALL, ALL, ALL)
        found = {
            entry.key: entry
            for end_user in END_USERS
            for day in ("d1", "d2")
            for entry in entries_of(book.scopes(end_user), Periods(day, "m1"))
        }
        return iter(found.values())

    @invariant()
    def both_say_the_same(self) -> None:
        entries = list(self.everything())
        keys = [self.keys.holds, self.keys.held, *(entry.key for entry in entries)]
        parts = [part for entry in entries for part in (entry.kind, entry.span_ms, entry.buckets)]
        states = self.run(self.limiter.pipe.call("EVAL", self.state.text, len(keys), *keys, *parts))
        said = {entry.key: (int(used), int(held)) for entry, (used, held, _) in zip(entries, states, strict=True)}
        assert said == {entry.key: (self.model.used(entry), self.model.held(entry)) for entry in entries}


TestLimiterBesideModel = LimiterBesideModel.TestCase
TestLimiterBesideModel.settings = settings(
    max_examples=size(40, 500),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
