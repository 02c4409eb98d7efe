"""Where customers, keys and end users stand with their limits, as pages show it."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.services import update_organization
from apps.customers.models import Customer
from apps.customers.services import update_customer
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import limit_proxy_key, mint_proxy_key, revoke_proxy_key
from apps.kit.ids import uuid7
from apps.limits.book import load_book
from apps.limits.counting import SpendAsk, Spent
from apps.limits.limiter import Limiter
from apps.limits.scopes import periods_of
from apps.limits.services import set_end_user_limits
from apps.limits.terms import LimitName, Scope, to_pico
from apps.usage.rollup import roll_up
from apps.usage.spent import recorded
from apps.usage.standing import (
    Standing,
    at_a_limit,
    limits_of_end_user,
    standing_of_key,
    standings_of,
    standings_of_end_users,
)
from tests.cast import reread
from tests.usage.conftest import a_call, write_spool
from tests.used import an_hour

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


async def nothing_spent(ask: SpendAsk) -> Spent:
    return Spent(0, [])


def let_in(key: ProxyKey, end_user: str | None, *, price: str, held: str = "") -> None:
    """One call that was settled at `price`, or that still holds `held`."""
    book = load_book(reread(key.customer), reread(key))

    async def call() -> None:
        limiter = Limiter(settings.REDIS_URL, spent=nothing_spent, grace_ms=0)
        limiter.start()
        while limiter.pipe.state.name != "OPEN":  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        scopes = book.scopes(end_user)
        hold = await limiter.admit(uuid7().hex, scopes, periods_of(AT), tokens=0, spend=to_pico(Decimal(held or price)))
        if not held:
            limiter.settle(hold, spend=to_pico(Decimal(price)), tokens=0)
        await limiter.stop()

    asyncio.run(call())


@pytest.fixture
def key(cast) -> ProxyKey:
    update_organization(cast.acme, by=None, time_zone="UTC")
    update_customer(cast.globex, by=None, monthly_cap=Decimal(10), requests_per_hour=9)
    key, _ = mint_proxy_key(reread(cast.globex), name="ci", by=None, daily_cap=Decimal(2))
    return key


def standing_of_end_user(customer: Customer, end_user: str) -> Standing:
    row = limits_of_end_user(customer, end_user)
    assert row is not None
    (found,) = standings_of_end_users(customer, [(row, end_user)], at=AT) or []
    return found


def test_every_scope_with_limits_of_its_own(cast, key):
    mint_proxy_key(cast.globex, name="without limits", by=None)
    gone, _ = mint_proxy_key(cast.globex, name="gone", by=None, daily_cap=Decimal(2))
    revoke_proxy_key(gone, by=None)
    set_end_user_limits(cast.globex, None, by=None, total_cap=Decimal(3))
    set_end_user_limits(cast.globex, "ann", by=None, total_cap=Decimal(4))
    let_in(key, "ann", price="1.5")
    let_in(key, "ben", price="0", held="0.25")
    customer = reread(cast.globex)
    found_at = timezone.now()
    found = standings_of(customer, at=found_at) or []
    assert [(s.scope, s.name) for s in found] == [(Scope.CUSTOMER, "Globex"), (Scope.KEY, "ci")]
    assert standings_of(customer, at=found_at, proxy_keys=customer.proxy_keys.order_by("created_at")) == found
    states = {(s.scope, state.name): (state.used, state.held, state.left) for s in found for state in s.states}
    assert states[Scope.CUSTOMER, LimitName.HOURLY_REQUESTS] == (2, 0, 7)
    assert [state.used for state in standing_of_key(reread(key), at=AT).states] == [Decimal("1.5")]
    ann, ben = (standing_of_end_user(customer, name).states for name in ("ann", "ben"))
    assert [(state.used, state.held, state.left) for state in ann] == [(Decimal("1.5"), 0, Decimal("2.5"))]
    assert [(state.used, state.held, state.left) for state in ben] == [(0, Decimal("0.25"), Decimal("2.75"))]
    assert limits_of_end_user(reread(cast.initech), "ben") is None


def test_who_is_at_a_limit(cast, key):
    assert at_a_limit(cast.acme, at=AT) == []
    let_in(key, None, price="2")
    limit_proxy_key(key, by=None, max_concurrent=0)
    update_customer(cast.shady, by=None, requests_per_minute=0)  # somebody else's
    found = at_a_limit(cast.acme, at=AT) or []
    assert [(s.customer, s.scope, s.key_id) for s in found] == [(cast.globex, Scope.KEY, key.pk)]
    assert {state.name for state in found[0].states if state.is_reached} == {LimitName.CONCURRENT, LimitName.DAILY}


def test_end_users_at_the_default_are_found_where_they_called_lately(cast, key):
    set_end_user_limits(cast.globex, None, by=None, requests_per_day=1)
    set_end_user_limits(cast.globex, "ann", by=None)  # with no limits of its own, it has none
    set_end_user_limits(cast.globex, "zoe", by=None, max_concurrent=0)
    for name in ("ann", "ben", "cid"):
        an_hour(cast.globex, AT.replace(minute=0), end_user=name)
    an_hour(cast.globex, AT - timedelta(days=40), end_user="dan")
    for name in ("ann", "ben", "dan"):
        let_in(key, name, price="0")
    found = at_a_limit(cast.acme, reread(cast.globex), at=AT) or []
    assert [(s.scope, s.name) for s in found] == [(Scope.END_USER, "zoe"), (Scope.END_USER, "ben")]
    assert at_a_limit(cast.acme, cast.initech, at=AT) == []


def test_what_redis_lost_is_shown_as_the_database_has_it(cast, key, root, ship, redis):
    let_in(key, None, price="0")
    write_spool(root, a_call(cast.globex, at=AT, proxy_key_id=key.pk.bytes, outcome={"price": Decimal("1.25")}))
    ship()
    redis.delete(*redis.keys("*spend*"))
    found = standings_of(reread(cast.globex), at=AT) or []
    used = {
        (s.scope, state.name): (state.used, state.is_sure) for s in found for state in s.states if state.name.is_money
    }
    assert used == {
        (Scope.CUSTOMER, LimitName.MONTHLY): (Decimal("1.25"), False),
        (Scope.KEY, LimitName.DAILY): (Decimal("1.25"), False),
    }


def test_nothing_is_known_while_redis_is_away(cast, key, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert standings_of(cast.globex, at=AT) is None
    assert at_a_limit(cast.acme, at=AT) is None


def test_what_is_shipped_is_summed_for_many_at_once(cast, root, ship):
    def call(customer, price: str, *, ago: timedelta = timedelta(0), **fields: object) -> None:
        write_spool(root, a_call(customer, at=AT - ago, outcome={"price": Decimal(price)}, **fields))

    call(cast.globex, "1", end_user="ann")
    ship()
    roll_up()
    call(cast.globex, "0.5", end_user="ann", ago=timedelta(days=2))
    call(cast.globex, "0.25", end_user="ben")
    call(cast.initech, "8", end_user="ann")
    ship()
    globex, initech = cast.globex.pk, cast.initech.pk
    whose = [(globex, "ann"), (globex, "cid"), (globex, None), (initech, "ann")]
    assert recorded(whose, begins_at=None) == {
        (globex, "ann"): Decimal("1.5"),
        (globex, "cid"): 0,
        (globex, None): Decimal("1.75"),
        (initech, "ann"): 8,
    }
    assert recorded([(globex, "ann")], begins_at=AT.replace(hour=0)) == {(globex, "ann"): 1}
