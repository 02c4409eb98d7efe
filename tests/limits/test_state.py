"""Where a customer stands, as pages show it."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from apps.kit.ids import uuid7
from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.state import LimitState, scopes_states
from apps.limits.terms import LimitName, Limits, to_pico
from tests.limits.scoping import under

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMITS = Limits(
    requests_per_minute=10, tokens_per_minute=1000, max_concurrent=4, daily_cap=Decimal(1), monthly_cap=Decimal(20)
)


async def call(limiter: Limiter, customer: UUID, limits: Limits = LIMITS, *, tokens: int, spend: str, price: str = ""):
    """Let in; and settled, if it has a price."""
    hold = await limiter.admit(
        uuid7().hex,
        under(LimitKeys(customer.bytes), limits),
        Periods("2026-11-20", "2026-11"),
        tokens=tokens,
        spend=to_pico(Decimal(spend)),
    )
    if price:
        limiter.settle(hold, spend=to_pico(Decimal(price)), tokens=tokens)
        await limiter.pipe.call("PING")


def limits_state(customer: UUID, limits: Limits, zone: ZoneInfo, at: datetime) -> list[LimitState] | None:
    """Of one customer."""
    states = limits_states({customer: limits}, zone, at)
    return None if states is None else states[customer]


def limits_states(customers: dict[UUID, Limits], zone: ZoneInfo, at: datetime) -> dict[UUID, list[LimitState]] | None:
    """Of many, in one round trip."""
    scopes = {customer: under(LimitKeys(customer.bytes), limits) for customer, limits in customers.items()}
    return scopes_states(scopes, zone, at)


async def test_what_is_used_held_and_left_of_each_limit(limiter: Limiter):
    customer = uuid7()
    await call(limiter, customer, tokens=100, spend="0.5", price="0.25")
    await call(limiter, customer, tokens=300, spend="0.35")
    states = limits_state(customer, LIMITS, ZoneInfo("UTC"), AT)
    assert states is not None
    assert [(s.name, s.limit, s.used, s.held, s.left) for s in states] == [
        (LimitName.REQUESTS, 10, 2, 0, 8),
        (LimitName.TOKENS, 1000, 400, 0, 600),
        (LimitName.CONCURRENT, 4, 1, 0, 3),
        (LimitName.DAILY, 1, Decimal("0.25"), Decimal("0.35"), Decimal("0.4")),
        (LimitName.MONTHLY, 20, Decimal("0.25"), Decimal("0.35"), Decimal("19.4")),
    ]
    assert [s.share for s in states] == [0.2, 0.4, 0.25, 0.6, 0.03]
    assert not any(s.is_reached for s in states)


async def test_only_limits_that_are_set_are_shown(limiter: Limiter):
    customer = uuid7()
    assert limits_state(customer, Limits(), ZoneInfo("UTC"), AT) == []
    (state,) = limits_state(customer, Limits(max_concurrent=0), ZoneInfo("UTC"), AT) or []
    assert (state.is_reached, state.share, state.resets_at) == (True, 1.0, None)


async def test_spend_is_shown_though_it_came_before_the_cap(limiter: Limiter):
    customer = uuid7()
    await call(limiter, customer, Limits(), tokens=1, spend="3", price="2.5")
    (state,) = limits_state(customer, Limits(daily_cap=Decimal(2)), ZoneInfo("UTC"), AT) or []
    assert (state.used, state.left, state.over, state.share) == (Decimal("2.5"), 0, Decimal("0.5"), 1.0)
    assert state.is_reached


IN_THE_WAY = [  # of a limit of 100
    (LimitName.DAILY, "94.99", "0", False),
    (LimitName.DAILY, "90", "5", True),
    (LimitName.TOTAL, "120", "0", True),
    (LimitName.REQUESTS, "99", "0", False),
    (LimitName.REQUESTS, "100", "0", True),
]


@pytest.mark.parametrize(("name", "used", "held", "is_in_the_way"), IN_THE_WAY)
def test_a_cap_is_in_the_way_before_it_is_spent(name: LimitName, used: str, held: str, is_in_the_way: bool):
    state = LimitState(name, Decimal(100), Decimal(used), Decimal(held), None)
    assert state.is_in_the_way is is_in_the_way


async def test_holds_of_a_dead_process_are_not_shown(new_limiter):
    customer = uuid7()
    dying = await new_limiter(lifetime_ms=1)
    await call(dying, customer, tokens=1, spend="0.5")
    await dying.stop()
    await asyncio.sleep(0.01)
    states = {s.name: s for s in limits_state(customer, LIMITS, ZoneInfo("UTC"), AT) or []}
    assert (states[LimitName.CONCURRENT].used, states[LimitName.DAILY].held) == (0, 0)


async def test_many_customers_are_read_at_once(limiter: Limiter):
    globex, initech = uuid7(), uuid7()
    await call(limiter, globex, tokens=7, spend="0.1", price="0.1")
    limits = {globex: Limits(tokens_per_minute=10), initech: Limits(requests_per_minute=3, tokens_per_minute=5)}
    assert limits_states(limits, ZoneInfo("UTC"), AT) == {
        globex: [LimitState(LimitName.TOKENS, Decimal(10), Decimal(7), Decimal(0), None)],
        initech: [
            LimitState(LimitName.REQUESTS, Decimal(3), Decimal(0), Decimal(0), None),
            LimitState(LimitName.TOKENS, Decimal(5), Decimal(0), Decimal(0), None),
        ],
    }


RESETS = [  # when it is seen, the zone, midnight, the first of the month
    ("2026-11-20T12:00:00+00:00", "UTC", "2026-11-21T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
    ("2026-12-31T23:30:00+00:00", "UTC", "2027-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
    ("2026-01-31T23:30:00+00:00", "Asia/Tokyo", "2026-02-02T00:00:00+09:00", "2026-03-01T00:00:00+09:00"),
    ("2028-02-29T12:00:00+00:00", "UTC", "2028-03-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
    ("2026-03-28T23:30:00+00:00", "Europe/Berlin", "2026-03-30T00:00:00+02:00", "2026-04-01T00:00:00+02:00"),
    ("2026-10-25T12:00:00+00:00", "Europe/Berlin", "2026-10-26T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
]


@pytest.mark.parametrize(("at", "zone", "midnight", "first"), RESETS)
def test_caps_reset_at_midnight_of_the_organizations_zone(at: str, zone: str, midnight: str, first: str):
    limits = Limits(daily_cap=Decimal(1), monthly_cap=Decimal(1))
    states = limits_state(uuid7(), limits, ZoneInfo(zone), datetime.fromisoformat(at)) or []
    assert [state.resets_at.isoformat() for state in states if state.resets_at] == [midnight, first]


def test_nothing_is_known_while_redis_is_away(settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert limits_state(uuid7(), LIMITS, ZoneInfo("UTC"), AT) is None
