"""Sums that Redis lost, or never had: counted from the database before a cap is asked of them (RELIABILITY M8)."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from apps.kit.ids import uuid7
from apps.limits import counting
from apps.limits.counting import GENERATION_KEY, SpendAsk, Spent, SpentUnknown
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitKeys, Periods, Scoped, Scopes
from apps.limits.terms import LimiterUnavailable, LimitReached, Limits, Scope, to_pico
from tests.limits.conftest import expire, until

CENT = to_pico(Decimal("0.01"))
CAP = Limits(monthly_cap=Decimal(1))
BEGAN_S = 1_795_000_000.0  # the month; the calls are later
MONTH = Periods("2026-11-20", "2026-11", BEGAN_S, BEGAN_S + 1e7, BEGAN_S, BEGAN_S + 1e7)


@dataclass
class Database:
    """What is shipped, and asks like the real one. Calls by id: when they began (µs), and their price."""

    calls: dict[str, tuple[int, int]] = field(default_factory=dict)
    asked: list[SpendAsk] = field(default_factory=list)
    is_away: bool = False

    async def __call__(self, ask: SpendAsk) -> Spent:
        if self.is_away:
            raise SpentUnknown("away")
        self.asked.append(ask)
        known = {name: price for name, (began_us, price) in self.calls.items() if began_us < ask.before_us}
        return Spent(sum(known.values()), [each for each in ask.ids if each in known])


@dataclass
class House:
    """A limiter on its database, with one customer."""

    limiter: Limiter
    database: Database
    keys: LimitKeys
    limits: Limits = CAP
    counted_since: float = 1.8e12  # never: what isn't there is asked for
    mark: str = "m"
    began_us: int = int(BEGAN_S * 1e6) + 1

    async def admit(self, cents: int) -> Hold:
        scoped = Scoped(Scope.CUSTOMER, self.keys, self.limits, None, self.counted_since, self.mark)
        scopes = Scopes(self.keys, (scoped,))
        return await self.limiter.admit(
            uuid7().hex, scopes, MONTH, tokens=0, spend=cents * CENT, began_us=self.began_us
        )

    async def call(self, cents: int, *, is_shipped: bool = True) -> Hold:
        hold = await self.admit(cents)
        self.limiter.settle(hold, spend=cents * CENT, tokens=0)
        if is_shipped:
            self.ship(hold, cents)
        return hold

    def ship(self, hold: Hold, cents: int) -> None:
        self.database.calls[hold.id] = (hold.began_us, cents * CENT)

    async def sum(self) -> tuple[int, int]:
        """Settled and held, in cents."""
        answer = await self.limiter.pipe.call("HMGET", self.keys.spend + MONTH.month, "settled", "held")
        settled, held = answer  # type: ignore[misc]
        return int(settled or 0) // CENT, int(held or 0) // CENT

    async def lose(self) -> None:
        """Redis is emptied, and everybody has noticed."""
        await self.limiter.pipe.call("FLUSHDB")
        before = self.limiter.counting.generation
        await until(lambda: self.limiter.counting.generation != before)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def house(new_limiter, database: Database, keys: LimitKeys, monkeypatch) -> House:
    monkeypatch.setattr(counting, "WATCH_S", 0.02)
    monkeypatch.setattr(counting, "ASK_AGAIN_S", (0.05, 0.1))
    return House(await new_limiter(spent=database, grace_ms=0), database, keys)


async def refused(house: House, cents: int) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        await house.admit(cents)
    return caught.value


async def test_a_new_cap_counts_what_was_spent_before_it(house: House):
    house.database.calls["old"] = (5, 70 * CENT)
    assert (await refused(house, 31)).used == Decimal("0.7")
    await house.call(30)
    assert await house.sum() == (100, 0)
    assert (await refused(house, 1)).used == 1
    assert len({(ask.scope, ask.customer_id, ask.begins_at) for ask in house.database.asked}) == 1


async def test_calls_at_once_ask_the_database_once(house: House):
    holds = await asyncio.gather(*(house.admit(1) for _ in range(50)))
    assert len(house.database.asked) == 1
    assert len(holds) == 50
    assert await house.sum() == (0, 50)


async def test_what_was_charged_lately_is_told_again_and_counted_once(house: House):
    await house.call(20)
    await house.call(30, is_shipped=False)
    await house.lose()
    unshipped = await house.call(10, is_shipped=False)
    assert await house.sum() == (60, 0)
    assert (await refused(house, 41)).used == Decimal("0.6")
    house.ship(unshipped, 10)
    await settled_down(house)
    assert await house.sum() == (60, 0)


async def settled_down(house: House) -> None:
    """The database was asked again, twice."""
    asked = len(house.database.asked)
    await until(lambda: len(house.database.asked) >= asked + 2)
    await until(lambda: house.limiter.pipe.waiting == 0)


async def test_what_is_shipped_later_is_not_kept_apart_for_ever(house: House):
    await house.call(1)
    await house.lose()
    hold = await house.call(30, is_shipped=False)
    late = [name async for name in kept_apart(house)]
    assert hold.id in late
    house.ship(hold, 30)
    await settled_down(house)
    assert [name async for name in kept_apart(house)] == []
    assert await house.sum() == (31, 0)


async def kept_apart(house: House):
    for name in await house.limiter.pipe.call("HKEYS", house.keys.spend + MONTH.month):  # type: ignore[attr-defined]
        if name.startswith(b"late:"):
            yield name.removeprefix(b"late:").decode()


async def test_what_is_held_is_held_again_before_a_cap_is_asked(house: House):
    hold = await house.admit(60)
    await house.lose()
    assert (await refused(house, 41)).used == 0
    assert await house.sum() == (0, 60)
    house.limiter.settle(hold, spend=5 * CENT, tokens=0)
    house.limiter.settle(hold, spend=5 * CENT, tokens=0)
    assert await house.sum() == (5, 0)
    await house.admit(95)


async def test_a_call_that_ends_before_its_sum_is_counted_again_is_in_it_once(house: House):
    """Held again, charged to a sum that isn't complete, shipped: then somebody calls."""
    hold = await house.admit(60)
    await house.lose()
    house.limiter.settle(hold, spend=50 * CENT, tokens=0)
    await until(lambda: house.limiter.pipe.waiting == 0)
    house.ship(hold, 50)
    await house.call(25)
    assert await house.sum() == (75, 0)


async def test_what_a_process_recorded_and_died_before_it_told_is_counted_once_its_hold_ends(house: House, new_limiter):
    dying = House(await new_limiter(spent=house.database, grace_ms=0), house.database, house.keys)
    await house.call(10)
    orphan = await dying.admit(40)
    await dying.limiter.stop()
    house.ship(orphan, 35)
    assert (await refused(house, 51)).used == Decimal("0.1")
    assert await house.sum() == (10, 40)
    await expire(house.limiter.pipe, house.keys, orphan)
    assert (await refused(house, 56)).used == Decimal("0.45")
    assert await house.sum() == (45, 0)


async def test_no_cap_is_passed_while_the_database_is_away_too(house: House):
    await house.call(10)
    house.database.is_away = True
    await house.lose()
    with pytest.raises(LimiterUnavailable):
        await house.admit(1)
    house.database.is_away = False
    assert (await refused(house, 91)).used == Decimal("0.1")


async def test_whoever_has_no_cap_notices_nothing(house: House):
    house.database.is_away = True
    house.limits = Limits(requests_per_minute=2)
    await house.call(10)
    await house.lose()
    await house.call(10)
    assert house.database.asked == []


async def test_a_period_that_began_since_is_known_to_be_zero(house: House):
    await house.call(10)
    house.counted_since = 0.0
    house.limits = Limits(daily_cap=Decimal(1))
    tomorrow = 1e10  # after Redis began to know the customer
    periods = MONTH._replace(day="2026-11-21", day_begins_at=tomorrow, day_ends_at=tomorrow + 86400)
    house.database.is_away = True
    scoped = Scoped(Scope.CUSTOMER, house.keys, house.limits, None, 0.0, "m")
    hold = await house.limiter.admit(
        uuid7().hex, Scopes(house.keys, (scoped,)), periods, tokens=0, spend=CENT, began_us=int(tomorrow * 1e6)
    )
    house.limiter.settle(hold, spend=CENT, tokens=0)
    assert await house.limiter.pipe.call("HGET", house.keys.spend + "2026-11-21", "settled") == b"%d" % CENT


async def test_a_cap_that_was_away_for_a_while_counts_what_was_spent_meanwhile(house: House):
    await house.call(10)
    house.database.calls["uncapped"] = (int(BEGAN_S * 1e6) + 5, 50 * CENT)
    await house.call(1)
    assert await house.sum() == (11, 0)  # nobody said that the cap was away
    house.mark = "set again"
    assert (await refused(house, 40)).used == Decimal("0.61")


async def test_an_old_snapshot_is_not_believed(new_limiter, own_redis, database: Database, keys: LimitKeys):
    """Redis comes back with what it had some time ago: its run is another."""
    house = House(await new_limiter(own_redis.url, spent=database, grace_ms=0), database, keys)
    await house.call(10)
    old = await house.limiter.pipe.call("HGETALL", keys.spend + MONTH.month)
    await house.call(70)
    own_redis.server.stop()
    own_redis.start()
    before = house.limiter.counting.generation
    await until(lambda: house.limiter.counting.generation != before)
    await house.limiter.pipe.call("HSET", keys.spend + MONTH.month, *old)  # type: ignore[misc]
    assert (await refused(house, 21)).used == Decimal("0.8")


async def test_every_process_has_time_to_tell_what_it_holds(new_limiter, database: Database, keys: LimitKeys, redis):
    """The one that notices first waits for the others."""
    quick = House(await new_limiter(spent=database, grace_ms=900), database, keys)
    slow = House(await new_limiter(spent=database, grace_ms=900), database, keys)
    await slow.admit(90)
    await quick.limiter.pipe.call("FLUSHDB")
    assert (await refused(quick, 11)).used == 0
    assert await quick.sum() == (0, 90)
    assert redis.exists(GENERATION_KEY)


async def test_what_is_served_while_redis_is_away_is_charged_when_it_is_back(
    new_limiter, own_redis, database: Database, keys: LimitKeys
):
    house = House(await new_limiter(own_redis.url, spent=database, grace_ms=0), database, keys)
    await house.call(10)
    own_redis.server.stop()
    scoped = Scoped(Scope.CUSTOMER, keys, CAP, None, house.counted_since, house.mark)
    hold = house.limiter.admit_alone(
        uuid7().hex, Scopes(keys, (scoped,)), MONTH, tokens=0, now_s=BEGAN_S, began_us=house.began_us
    )
    house.limiter.settle(hold, spend=20 * CENT, tokens=0)
    await until(lambda: house.limiter.stats().overdue > 0)
    own_redis.start()
    await until(lambda: house.limiter.stats().overdue == 0)
    assert (await refused(house, 71)).used == Decimal("0.3")
