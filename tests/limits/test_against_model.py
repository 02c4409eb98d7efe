"""The scripts beside a model of a few plain lines, through thousands of random lives (RELIABILITY M10).

TOLLGATE_FAULTS=long pytest tests/limits/test_against_model.py     20,000 steps
"""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from apps.kit.ids import uuid7
from apps.limits.commands import LimitKeys, entries_of
from apps.limits.limiter import Hold, Limiter
from apps.limits.scripts import Script
from apps.limits.terms import LimitName, LimitReached, Limits, from_pico
from tests.faults.size import size
from tests.limits.clock import CLOCK, scripts_by_test_clock, set_clock

LIFETIME_MS = 20_000
BIG = 2**60  # sums around it need more digits than a double has

AMOUNTS = st.sampled_from([0, 1, 2, 3, BIG - 1, BIG, BIG + 1, 2 * BIG])
CAPS = st.none() | st.sampled_from([0, 1, 4, 3 * BIG, 3 * BIG + 1]).map(from_pico)
LIMITS = st.builds(
    Limits,
    requests_per_minute=st.sampled_from([None, None, 0, 1, 3, 6]),
    tokens_per_minute=st.sampled_from([None, None, 0, 5, 12]),
    max_concurrent=st.sampled_from([None, None, 0, 1, 3]),
    daily_cap=CAPS,
    monthly_cap=CAPS,
)
ALL = Limits(1, 1, 1, Decimal(1), Decimal(1))


@dataclass
class Call:
    """What the model knows of a call that was let in."""

    hold: Hold
    bucket: int
    expires_at: int
    tokens: int
    spend: int
    limited_by: frozenset[LimitName]
    is_settled: bool = False


class Model:
    """What should be: no buckets kept, no holds given back; all of it is counted anew whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[Call] = []
        self.settled = {"d1": 0, "d2": 0, "m1": 0}

    def held_calls(self, name: LimitName) -> list[Call]:
        return [c for c in self.calls if name in c.limited_by and not c.is_settled and c.expires_at > self.now]

    def held(self, name: LimitName, period: str) -> int:
        calls = self.held_calls(name)
        return sum(c.spend for c in calls if period in (c.hold.commands.day, c.hold.commands.month))

    def in_window(self, name: LimitName) -> list[Call]:
        return [c for c in self.calls if name in c.limited_by and c.bucket >= self.now // 1000 - 60]

    def used(self, name: LimitName, day: str, month: str) -> int:
        match name:
            case LimitName.REQUESTS:
                return len(self.in_window(name))
            case LimitName.TOKENS:
                return sum(call.tokens for call in self.in_window(name))
            case LimitName.CONCURRENT:
                return len(self.held_calls(name))
            case LimitName.DAILY:
                return self.settled[day]
            case LimitName.MONTHLY:
                return self.settled[month]

    def refuses(self, name: LimitName, limit: int, tokens: int, spend: int, day: str, month: str) -> bool:
        period = day if name is LimitName.DAILY else month
        more = {LimitName.TOKENS: tokens, LimitName.DAILY: spend, LimitName.MONTHLY: spend}.get(name, 1)
        held = self.held(name, period) if name.is_money else 0
        return limit == 0 or self.used(name, day, month) + held + more > limit

    def wait(self, name: LimitName, limit: int, tokens: int) -> int | None:
        """Until a window has room: tried at each second to come."""
        if limit == 0 or name not in (LimitName.REQUESTS, LimitName.TOKENS):
            return None
        amount = tokens if name is LimitName.TOKENS else 1
        counted = [(call.bucket, call.tokens if name is LimitName.TOKENS else 1) for call in self.in_window(name)]
        for bucket in range(self.now // 1000 + 1, self.now // 1000 + 62):
            if sum(sum_ for b, sum_ in counted if b >= bucket - 60) + amount <= limit:
                return bucket * 1000 - self.now
        return None


class LimiterBesideModel(RuleBasedStateMachine):
    """Calls come, end, are renewed or left; time passes; limits change. Both say the same at every step."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.limiter = Limiter(django_settings.REDIS_URL, lifetime_ms=LIFETIME_MS, scripts=scripts_by_test_clock())
        self.keys = LimitKeys(uuid7().bytes)
        self.model = Model()
        self.state = Script("state", CLOCK)

    def run(self, awaitable):
        async def within() -> object:
            return await awaitable

        return self.runner.run(within())

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

    @rule(ms=st.sampled_from([1, 300, 999, 1000, 5_000, 19_999, 20_000, 59_000, 60_000, 61_000, 200_000]))
    def time_passes(self, ms: int) -> None:
        self.model.now += ms
        self.run(set_clock(self.limiter.pipe, self.model.now))

    @rule(target=calls, limits=LIMITS, tokens=st.integers(0, 6), spend=AMOUNTS, day=st.sampled_from(["d1", "d2"]))
    def a_call_comes(self, limits: Limits, tokens: int, spend: int, day: str) -> Call | None:
        hold_id = uuid7().hex
        entries = entries_of(self.keys, limits, day, "m1")
        refusing = [e for e in entries if self.model.refuses(e.name, e.limit, tokens, spend, day, "m1")]
        try:
            hold = self.run(
                self.limiter.admit(hold_id, self.keys, limits, tokens=tokens, spend=spend, day=day, month="m1")
            )
        except LimitReached as reached:
            first = refusing[0]
            used = self.model.used(first.name, day, "m1")
            assert (reached.name, reached.used) == (
                first.name,
                from_pico(used) if first.name.is_money else used,
            )
            assert reached.retry_after_ms == self.model.wait(first.name, first.limit, tokens)
            return None
        assert not refusing
        names = frozenset(entry.name for entry in entries)
        now = self.model.now
        call = Call(hold, now // 1000, now + LIFETIME_MS, tokens, spend, names)
        if hold.id:
            self.model.calls.append(call)
        return call

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
        self.model.settled[call.hold.commands.day] = min(2**63 - 1, self.model.settled[call.hold.commands.day] + spend)
        self.model.settled["m1"] = min(2**63 - 1, self.model.settled["m1"] + spend)

    @rule(call=calls)
    def a_call_is_renewed(self, call: Call | None) -> None:
        if call is None or not call.hold.id:
            return
        self.run(self.limiter.pipe.call_packed(call.hold.commands.renew.packed(call.hold.id)))
        call.expires_at = self.model.now + LIFETIME_MS

    @invariant()
    def both_say_the_same(self) -> None:
        for day in ("d1", "d2"):
            entries = entries_of(self.keys, ALL, day, "m1")
            keys = [self.keys.holds, self.keys.held, *(entry.key for entry in entries)]
            parts = [part for entry in entries for part in (entry.kind, entry.span_ms, entry.buckets)]
            states = self.run(self.limiter.pipe.call("EVAL", self.state.text, len(keys), *keys, *parts))
            for entry, (used, held) in zip(entries, states, strict=True):
                period = day if entry.name is LimitName.DAILY else "m1"
                expected = self.model.held(entry.name, period) if entry.name.is_money else 0
                assert (entry.name, int(used), int(held)) == (
                    entry.name,
                    self.model.used(entry.name, day, "m1"),
                    expected,
                )


TestLimiterBesideModel = LimiterBesideModel.TestCase
TestLimiterBesideModel.settings = settings(
    max_examples=size(40, 500),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
