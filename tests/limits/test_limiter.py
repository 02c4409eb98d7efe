"""Limits on a real Redis: all or nothing, exact, and right again after everything that can go wrong."""

import asyncio
import signal
from collections import Counter
from dataclasses import fields
from decimal import Decimal

import pytest

from apps.kit.ids import uuid7
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.terms import LimiterUnavailable, LimitName, LimitReached, Limits, from_pico, to_pico
from tests.limits.conftest import expire, until, until_open
from tests.limits.scoping import under

DAY, MONTH = "2026-11-20", "2026-11"
DOLLAR = to_pico(Decimal(1))


async def admit(limiter: Limiter, keys: LimitKeys, limits: Limits, tokens: int = 0, spend: int = 0) -> Hold:
    return await limiter.admit(str(uuid7()), under(keys, limits), Periods(DAY, MONTH), tokens=tokens, spend=spend)


async def money(limiter: Limiter, keys: LimitKeys, period: str) -> tuple[int, int]:
    """Held and settled."""
    held, settled = await limiter.pipe.call("HMGET", keys.spend + period, "held", "settled")  # type: ignore[misc]
    return int(held or 0), int(settled or 0)


async def refused(*arguments: object, **amounts: int) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        await admit(*arguments, **amounts)  # type: ignore[arg-type]
    return caught.value


async def test_no_limit_asks_nobody(limiter: Limiter, keys: LimitKeys) -> None:
    before = limiter.pipe.stats().commands
    assert (await admit(limiter, keys, Limits())).id == ""
    assert limiter.pipe.stats().commands == before


async def test_400_at_once_against_100_a_minute_lets_100_in(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(requests_per_minute=100)
    calls = [admit(limiter, keys, limits) for _ in range(400)]
    outcomes = Counter(type(outcome) for outcome in await asyncio.gather(*calls, return_exceptions=True))
    assert outcomes == {Hold: 100, LimitReached: 300}


async def test_a_full_window_says_when_to_come_back(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(requests_per_minute=1)
    await admit(limiter, keys, limits)
    stop = await refused(limiter, keys, limits)
    assert (stop.name, stop.used, stop.limit) == (LimitName.REQUESTS, 1, 1)
    assert stop.retry_after_ms is not None and 59_000 <= stop.retry_after_ms <= 61_000


@pytest.mark.parametrize("name", [LimitName(field.name) for field in fields(Limits)])
async def test_zero_lets_nothing_through(limiter: Limiter, keys: LimitKeys, name: LimitName) -> None:
    limits = Limits(**{name: Decimal(0) if name.is_money else 0})  # type: ignore[arg-type]
    stop = await refused(limiter, keys, limits, tokens=1, spend=1)
    assert (stop.name, stop.used, stop.limit) == (name, 0, 0)


async def test_a_cap_counts_what_is_held_and_what_is_settled(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(monthly_cap=Decimal(1))
    first = await admit(limiter, keys, limits, spend=DOLLAR * 6 // 10)
    assert (await refused(limiter, keys, limits, spend=DOLLAR * 5 // 10)).name == LimitName.MONTHLY
    limiter.settle(first, spend=DOLLAR // 10, tokens=0)
    second = await admit(limiter, keys, limits, spend=DOLLAR * 9 // 10)
    limiter.settle(second, spend=DOLLAR * 9 // 10, tokens=0)
    assert await money(limiter, keys, MONTH) == (0, DOLLAR)
    assert (await refused(limiter, keys, limits, spend=1)).used == Decimal(1)


async def test_a_refusal_leaves_nothing_behind(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(
        requests_per_minute=5,
        tokens_per_minute=100,
        max_concurrent=5,
        daily_cap=Decimal(9),
        monthly_cap=Decimal(1),
    )
    stop = await refused(limiter, keys, limits, tokens=10, spend=2 * DOLLAR)
    assert stop.name == LimitName.MONTHLY
    assert await money(limiter, keys, DAY) == (0, 0)
    assert await money(limiter, keys, MONTH) == (0, 0)
    left = await limiter.pipe.call("EXISTS", keys.requests, keys.tokens, keys.concurrent, keys.holds, keys.held)
    assert left == 0


async def test_settling_twice_charges_once(limiter: Limiter, keys: LimitKeys) -> None:
    hold = await admit(limiter, keys, Limits(daily_cap=Decimal(1)), spend=DOLLAR)
    for _ in range(3):
        limiter.settle(hold, spend=7, tokens=0)
    assert await money(limiter, keys, DAY) == (0, 7)


async def test_spend_is_counted_without_a_cap_so_that_a_later_cap_is_right(limiter: Limiter, keys: LimitKeys) -> None:
    limiter.settle(await admit(limiter, keys, Limits()), spend=DOLLAR, tokens=5)
    assert (await refused(limiter, keys, Limits(daily_cap=Decimal(1)), spend=1)).used == Decimal(1)


async def test_the_last_digit_counts_beyond_what_a_double_holds(limiter: Limiter, keys: LimitKeys) -> None:
    cap = from_pico(2**60 + 1)
    limits = Limits(monthly_cap=cap)
    limiter.settle(await admit(limiter, keys, limits, spend=2**60), spend=2**60, tokens=0)
    await refused(limiter, keys, limits, spend=2)
    await admit(limiter, keys, limits, spend=1)


async def test_tokens_are_corrected_in_the_window_they_were_held_in(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(tokens_per_minute=100)
    hold = await admit(limiter, keys, limits, tokens=100)
    await refused(limiter, keys, limits, tokens=1)
    limiter.settle(hold, spend=0, tokens=30)
    await admit(limiter, keys, limits, tokens=70)
    assert (await refused(limiter, keys, limits, tokens=1)).used == 100


async def test_the_place_of_a_dead_process_comes_free(limiter: Limiter, new_limiter, keys: LimitKeys) -> None:
    dying = await new_limiter()
    limits = Limits(max_concurrent=1, daily_cap=Decimal(1))
    orphan = await admit(dying, keys, limits, spend=DOLLAR)
    await dying.stop()
    await refused(limiter, keys, limits, spend=1)
    await expire(limiter.pipe, keys, orphan)
    await admit(limiter, keys, limits, spend=DOLLAR // 2)
    assert await money(limiter, keys, DAY) == (DOLLAR // 2, 0)
    limiter.settle(orphan, spend=3, tokens=0)  # it lived after all: charged, and not given back again
    assert await money(limiter, keys, DAY) == (DOLLAR // 2, 3)
    limiter.settle(orphan, spend=3, tokens=0)
    assert await money(limiter, keys, DAY) == (DOLLAR // 2, 3)


async def test_the_hold_of_a_long_call_is_renewed(
    limiter: Limiter, new_limiter, keys: LimitKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.limits.limiter.RENEWALS", 10_000)  # one every 12 ms
    patient = await new_limiter()
    limits = Limits(max_concurrent=1)
    hold = await admit(patient, keys, limits)
    await limiter.pipe.call("SCRIPT", "FLUSH")  # nor does it depend on what Redis remembers
    await expire(limiter.pipe, keys, hold)
    async with asyncio.timeout(10):
        while await limiter.pipe.call("ZCOUNT", keys.concurrent, 1, "+inf") == 0:  # noqa: ASYNC110 (Redis does not tell)
            await asyncio.sleep(0.005)
    await refused(limiter, keys, limits)
    patient.settle(hold, spend=0, tokens=0)
    await patient.stop()
    await admit(limiter, keys, limits)


async def test_scripts_are_loaded_again_when_redis_forgot_them(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(daily_cap=Decimal(1))
    await limiter.pipe.call("SCRIPT", "FLUSH")
    hold = await admit(limiter, keys, limits, spend=5)
    await limiter.pipe.call("SCRIPT", "FLUSH")
    limiter.settle(hold, spend=4, tokens=0)
    await asyncio.sleep(0.05)
    assert await money(limiter, keys, DAY) == (0, 4)


async def test_a_call_that_is_given_up_while_it_is_let_in_holds_nothing(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(max_concurrent=1, monthly_cap=Decimal(1))
    asking = asyncio.create_task(admit(limiter, keys, limits, spend=DOLLAR))
    await asyncio.sleep(0)  # asked, not yet answered
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await money(limiter, keys, MONTH) == (0, 0)
    await admit(limiter, keys, limits, spend=DOLLAR)


async def test_what_cannot_be_settled_is_settled_when_redis_is_back(new_limiter, own_redis, keys: LimitKeys) -> None:
    limiter, other = await new_limiter(own_redis.url), await new_limiter(own_redis.url)
    limits = Limits(max_concurrent=2, daily_cap=Decimal(1))
    first = await admit(limiter, keys, limits, spend=DOLLAR // 2)
    own_redis.server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(LimiterUnavailable):  # asked, and never told: held or not, nobody knows
        await admit(limiter, keys, limits, spend=DOLLAR // 2)
    limiter.settle(first, spend=5, tokens=0)
    with pytest.raises(LimiterUnavailable):  # not asked
        await admit(limiter, keys, limits, spend=DOLLAR // 2)
    assert limiter.stats().overdue == 2
    own_redis.server.process.send_signal(signal.SIGCONT)
    await until_open(other.pipe)
    await until_open(limiter.pipe)
    await until(lambda: limiter.pipe.waiting == 0)
    assert limiter.stats().overdue == 0
    assert await money(other, keys, DAY) == (0, 5)
    assert await other.pipe.call("ZCARD", keys.holds) == 0


async def test_a_settlement_that_was_under_way_is_settled_once(new_limiter, own_redis, keys: LimitKeys) -> None:
    """It may have reached Redis or not: the hold's id tells."""
    limiter = await new_limiter(own_redis.url)
    hold = await admit(limiter, keys, Limits(daily_cap=Decimal(1)), spend=DOLLAR)
    own_redis.server.process.send_signal(signal.SIGSTOP)
    limiter.settle(hold, spend=7, tokens=0)
    await until(lambda: limiter.stats().overdue == 1)
    own_redis.server.process.send_signal(signal.SIGCONT)
    await until_open(limiter.pipe)
    await until(lambda: limiter.stats().overdue == 0 and limiter.pipe.waiting == 0)
    assert await money(limiter, keys, DAY) == (0, 7)


async def test_another_day_and_other_limits_hold_at_once(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(daily_cap=Decimal(1))
    limiter.settle(await admit(limiter, keys, limits, spend=DOLLAR), spend=DOLLAR, tokens=0)
    await refused(limiter, keys, limits, spend=1)
    await admit(limiter, keys, Limits(daily_cap=Decimal(2)), spend=DOLLAR)
    await limiter.admit("next", under(keys, limits), Periods("2026-11-21", MONTH), tokens=0, spend=DOLLAR)


async def test_one_customers_limits_are_not_anothers(limiter: Limiter) -> None:
    limits = Limits(requests_per_minute=1, max_concurrent=1, daily_cap=Decimal(1))
    for _ in range(3):
        await admit(limiter, LimitKeys(uuid7().bytes), limits, spend=DOLLAR)


async def test_a_sum_beyond_64_bits_stays_at_the_most(limiter: Limiter, keys: LimitKeys) -> None:
    for _ in range(3):
        limiter.settle(await admit(limiter, keys, Limits(), spend=0), spend=2**62, tokens=0)
    assert await money(limiter, keys, DAY) == (0, 2**63 - 1)
    stop = await refused(limiter, keys, Limits(daily_cap=Decimal(10**9)), spend=1)
    assert stop.used == from_pico(2**63 - 1)


async def test_counters_end_some_time_after_their_period(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(requests_per_minute=5, daily_cap=Decimal(1))
    limiter.settle(await admit(limiter, keys, limits, spend=5), spend=5, tokens=0)
    days = [await limiter.pipe.call("TTL", keys.spend + period) for period in (DAY, MONTH)]
    assert [round(ttl / 86_400) for ttl in days] == [3, 63]  # type: ignore[operator]
    assert 110 < await limiter.pipe.call("TTL", keys.requests) <= 120  # type: ignore[operator]


async def test_a_script_that_fails_is_told_once_not_for_each_call(limiter: Limiter, keys: LimitKeys, caplog) -> None:
    await limiter.pipe.call("SET", keys.requests, "of another kind")
    for _ in range(5):
        with pytest.raises(LimiterUnavailable, match="WRONGTYPE"):
            await admit(limiter, keys, Limits(requests_per_minute=1))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_repr_and_stats_tell_how_it_stands(limiter: Limiter, keys: LimitKeys) -> None:
    hold = await admit(limiter, keys, Limits(max_concurrent=1))
    assert repr(limiter).startswith("<Limiter with 1 holds and 0 overdue on <RedisPipe to unix:")
    limiter.settle(hold, spend=0, tokens=0)
    assert (limiter.stats().holds, limiter.stats().overdue) == (0, 0)
