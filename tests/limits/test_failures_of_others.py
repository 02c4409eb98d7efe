"""What users of other gateways report of their limits, each turned round (BerriAI/litellm, by issue)."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from apps.kit.ids import uuid7
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import EndUserLimits, LimitBook, LimitKeys, Periods, Scoped, Scopes
from apps.limits.terms import LimitName, LimitReached, Limits, Scope, to_pico
from tests.limits.conftest import expire

CENT = to_pico(Decimal("0.01"))
NOVEMBER, DECEMBER = Periods("2026-11-30", "2026-11"), Periods("2026-12-01", "2026-12")
DOLLAR_A_MONTH = Limits(monthly_cap=Decimal(1))


@pytest.fixture
def book(keys: LimitKeys) -> LimitBook:
    """A dollar a month for each end user; ten for their customer."""
    of_customer = Scoped(Scope.CUSTOMER, keys, Limits(monthly_cap=Decimal(10)))
    return LimitBook(keys, of_customer, end_users=EndUserLimits((DOLLAR_A_MONTH, 0.0, "")))


async def admit(limiter: Limiter, scopes: Scopes, cents: int, periods: Periods = NOVEMBER) -> Hold | LimitReached:
    try:
        return await limiter.admit(uuid7().hex, scopes, periods, tokens=0, spend=cents * CENT)
    except LimitReached as reached:
        return reached


async def charge(limiter: Limiter, scopes: Scopes, held: int, price: int, periods: Periods = NOVEMBER) -> Hold:
    hold = await admit(limiter, scopes, held, periods)
    assert isinstance(hold, Hold)
    limiter.settle(hold, spend=price * CENT, tokens=0)
    return hold


async def test_26672_nothing_is_served_beyond_a_cap_that_a_call_overshot(limiter: Limiter, book: LimitBook):
    """A provider that charged more than it said it would: booked in full, and the end."""
    await charge(limiter, book.scopes("ann"), held=50, price=300)
    reached = await admit(limiter, book.scopes("ann"), 0)
    assert isinstance(reached, LimitReached)
    assert (reached.scope, reached.used, reached.limit, reached.room) == (Scope.END_USER, 3, 1, 0)


async def test_27639_what_was_held_by_calls_that_never_ended_comes_free(
    limiter: Limiter, new_limiter, keys: LimitKeys, book: LimitBook
):
    dying = await new_limiter()
    orphan = await admit(dying, book.scopes("ann"), 100)
    assert isinstance(orphan, Hold)
    await dying.stop()
    assert isinstance(await admit(limiter, book.scopes("ann"), 1), LimitReached)
    await expire(limiter.pipe, keys, orphan)
    assert isinstance(await admit(limiter, book.scopes("ann"), 100), Hold)


async def test_34732_calls_at_once_do_not_pass_a_cap_together(limiter: Limiter, book: LimitBook):
    outcomes = await asyncio.gather(*(admit(limiter, book.scopes("ann"), 30) for _ in range(100)))
    assert Counter(map(type, outcomes)) == {Hold: 3, LimitReached: 97}


async def test_36926_what_is_told_twice_counts_once(limiter: Limiter, book: LimitBook):
    scopes = book.scopes("ann")
    hold = await charge(limiter, scopes, held=60, price=40)
    for _ in range(3):
        limiter.settle(hold, spend=40 * CENT, tokens=0)
    assert isinstance(await admit(limiter, scopes, 60), Hold)
    reached = await admit(limiter, scopes, 1)
    assert isinstance(reached, LimitReached)
    assert reached.used == Decimal("0.4")


async def test_40095_whoever_is_seen_for_the_first_time_has_the_default(limiter: Limiter, book: LimitBook):
    outcomes = await asyncio.gather(*(admit(limiter, book.scopes("newcomer"), 50) for _ in range(10)))
    assert Counter(map(type, outcomes)) == {Hold: 2, LimitReached: 8}


async def test_24675_a_new_month_is_a_new_counter_for_end_users_too(limiter: Limiter, book: LimitBook):
    scopes = book.scopes("ann")
    late = await admit(limiter, scopes, 90)
    assert isinstance(late, Hold)
    assert isinstance(await admit(limiter, scopes, 20), LimitReached)
    await charge(limiter, scopes, held=100, price=70, periods=DECEMBER)
    limiter.settle(late, spend=90 * CENT, tokens=0)  # charged to the month that it began in
    reached = await admit(limiter, scopes, 40, DECEMBER)
    assert isinstance(reached, LimitReached)
    assert (reached.name, reached.used) == (LimitName.MONTHLY, Decimal("0.7"))


async def test_nobody_is_refused_for_a_budget_that_is_not_set(limiter: Limiter, keys: LimitKeys):
    """20615, 22726."""
    open_ = LimitBook(keys, Scoped(Scope.CUSTOMER, keys, Limits()), end_users=EndUserLimits((Limits(), 0.0, "")))
    for _ in range(5):
        assert isinstance(await admit(limiter, open_.scopes("ann"), 10**6), Hold)
