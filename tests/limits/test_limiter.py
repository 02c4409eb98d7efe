"""Limits on a real Redis: all or nothing, exact, and right again after everything that can go wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from django.conf import settings

from apps.kit.ids import uuid7
from apps.limits.commands import LimitKeys
from apps.limits.limiter import Hold, Limiter
from apps.limits.terms import LimitName, LimitReached, Limits, from_pico, to_pico

pytestmark = pytest.mark.asyncio

DAY, MONTH = "2026-11-20", "2026-11"
DOLLAR = to_pico(Decimal(1))


@pytest.fixture
async def limiter() -> AsyncIterator[Limiter]:
    limiter = Limiter(settings.REDIS_URL)
    limiter.start()
    await until_open(limiter)
    yield limiter
    await limiter.stop()


@pytest.fixture
def keys() -> LimitKeys:
    return LimitKeys(uuid7().bytes)


async def until_open(limiter: Limiter) -> None:
    async with asyncio.timeout(5):
        while limiter.pipe.state.name != "OPEN":  # noqa: ASYNC110 (the pipe tells nobody when it opens)
            await asyncio.sleep(0.01)


async def admit(limiter: Limiter, keys: LimitKeys, limits: Limits, tokens: int = 0, spend: int = 0) -> Hold:
    return await limiter.admit(str(uuid7()), keys, limits, tokens=tokens, spend=spend, day=DAY, month=MONTH)


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


@pytest.mark.parametrize("name", list(LimitName))
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


async def test_the_place_of_a_dead_process_comes_free(limiter: Limiter, keys: LimitKeys) -> None:
    dying = Limiter(settings.REDIS_URL, lifetime_ms=200)
    dying.start()
    await until_open(dying)
    limits = Limits(max_concurrent=1, daily_cap=Decimal(1))
    orphan = await admit(dying, keys, limits, spend=DOLLAR)
    await dying.stop()
    await refused(limiter, keys, limits, spend=1)
    await asyncio.sleep(0.3)
    await admit(limiter, keys, limits, spend=DOLLAR // 2)
    assert await money(limiter, keys, DAY) == (DOLLAR // 2, 0)
    limiter.settle(orphan, spend=3, tokens=0)  # it lived after all: charged, and not given back again
    assert await money(limiter, keys, DAY) == (DOLLAR // 2, 3)


async def test_scripts_are_loaded_again_when_redis_forgot_them(limiter: Limiter, keys: LimitKeys) -> None:
    limits = Limits(daily_cap=Decimal(1))
    await limiter.pipe.call("SCRIPT", "FLUSH")
    hold = await admit(limiter, keys, limits, spend=5)
    await limiter.pipe.call("SCRIPT", "FLUSH")
    limiter.settle(hold, spend=4, tokens=0)
    await asyncio.sleep(0.05)
    assert await money(limiter, keys, DAY) == (0, 4)


async def test_a_caller_that_gives_up_shifts_nobodys_reply(limiter: Limiter) -> None:
    echoes = [limiter.pipe.call("ECHO", number) for number in range(1000)]
    for echo in echoes[::3]:
        echo.cancel()
    replies = await asyncio.gather(*echoes, return_exceptions=True)
    for number, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if number % 3 == 0 else reply == str(number).encode()
