"""What was sent counts against spend caps: the counters say what the records do, whatever dies in between."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.customers.models import Customer
from apps.customers.services import update_customer
from apps.ingest import charging
from apps.ingest.charging import A_MOMENT, charge, charge_waiting
from apps.ingest.services import Sent, Status, record_events
from apps.keys.models import ProxyKey
from apps.kit.ids import uuid7
from apps.limits.book import load_book, scoped_of_customer
from apps.limits.counting import SpendAsk, Spent
from apps.limits.limiter import Limiter
from apps.limits.scopes import periods_of
from apps.limits.services import set_end_user_limits
from apps.limits.terms import LimitName, Scope, to_pico
from apps.usage.models import Batch
from apps.usage.rollup import roll_up
from apps.usage.spent import recorded, spent
from apps.usage.standing import limits_of_end_user, standing_of_key, standings_of, standings_of_end_users
from tests.cast import Cast, a_proxy_key, reread
from tests.ingest.conftest import COST, a_price, sender_of, told

pytestmark = pytest.mark.django_db(transaction=True)

CAP = Decimal(100)
A_MINUTE_AGO = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def capped(cast: Cast) -> Customer:
    """Globex has a cap for the day and the month. What it pays is what it costs."""
    a_price()
    return update_customer(cast.globex, by=None, daily_cap=CAP, monthly_cap=CAP, markup_percent=Decimal(0))


async def of_database(ask: SpendAsk) -> Spent:
    def read() -> Spent:
        try:
            owner = UUID(bytes=ask.owner) if isinstance(ask.owner, bytes) else ask.owner
            since = datetime.fromtimestamp(ask.begins_at, timezone.get_default_timezone()) if ask.begins_at else None
            ids = [UUID(hex=each) for each in ask.ids]
            customer = UUID(bytes=ask.customer_id)
            price, landed = spent(customer, owner, begins_at=since, ends_at=None, before_us=ask.before_us, ids=ids)
            return Spent(to_pico(price), [each.hex for each in landed])
        finally:
            connection.close()

    return await asyncio.to_thread(read)


def let_in(key: ProxyKey, end_user: str | None = None) -> None:
    """A call through the proxy that costs nothing: from then on its sums are complete."""
    book = load_book(reread(key.customer), reread(key))

    async def call() -> None:
        limiter = Limiter(settings.REDIS_URL, spent=of_database, grace_ms=0)
        limiter.start()
        while limiter.pipe.state.name != "OPEN":  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        began_us = int(timezone.now().timestamp() * 1_000_000)
        periods = periods_of(timezone.now())
        hold = await limiter.admit(uuid7().hex, book.scopes(end_user), periods, tokens=0, spend=1, began_us=began_us)
        limiter.settle(hold, spend=0, tokens=0)
        await limiter.stop()

    asyncio.run(call())


def sent(customer: Customer, *keys: str, ago: timedelta = A_MINUTE_AGO, key: ProxyKey | None = None, **fields) -> None:
    """These events, of COST each."""
    now = timezone.now()
    fields["started_at"] = max(now - ago, now.replace(hour=0, minute=0, second=0, microsecond=0)).isoformat()
    sender = sender_of(reread(customer), **({"proxy_key_id": key.pk} if key else {}))
    results = record_events(customer.organization, [Sent(sender, told(each, **fields)) for each in keys], at=now)
    assert {result.status for result in results} == {Status.ACCEPTED}


def used(customer: Customer, name: LimitName = LimitName.MONTHLY) -> tuple[Decimal, bool]:
    """What the counter says, and whether it claims to be complete."""
    (standing,) = [each for each in standings_of(reread(customer), at=timezone.now()) or () if each.key_id is None]
    (state,) = [state for state in standing.states if state.name == name]
    return state.used, state.is_sure


def in_database(customer: Customer) -> Decimal:
    month = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return recorded([(customer.pk, None)], begins_at=month)[customer.pk, None]


def sums_begin(redis, customer: Customer, *, ago: timedelta) -> None:
    """As if the counters had been complete since some time ago: calls from then on are added."""
    spend = scoped_of_customer(customer).keys.spend
    since = int((timezone.now() - ago).timestamp() * 1_000_000)
    for name in redis.keys(spend + "2*"):
        assert redis.hget(name, "sure")
        redis.hset(name, "since", since)


def test_a_complete_counter_is_counted_again(capped):
    key, _ = a_proxy_key(capped)
    let_in(key)
    sent(capped, "a", "b")
    assert used(capped) == used(capped, LimitName.DAILY) == (2 * COST, True)
    roll_up()
    sent(capped, "c")
    assert used(capped) == (3 * COST, True)
    assert in_database(capped) == 3 * COST
    assert not Batch.objects.filter(is_to_be_charged=True).exists()


def test_to_a_counter_that_is_older_than_the_call_it_is_added(capped, redis):
    key, _ = a_proxy_key(capped)
    let_in(key)
    sums_begin(redis, capped, ago=timedelta(seconds=30))
    sent(capped, "before", ago=A_MINUTE_AGO)
    sent(capped, "after", "and", "more", ago=timedelta(seconds=1))
    assert used(capped) == used(capped, LimitName.DAILY) == (4 * COST, True)
    assert in_database(capped) == 4 * COST


def test_a_batch_is_charged_once_however_often_that_is_tried(capped, redis):
    key, _ = a_proxy_key(capped)
    let_in(key)
    sums_begin(redis, capped, ago=timedelta(seconds=30))
    sent(capped, "before", ago=A_MINUTE_AGO)
    sent(capped, "after", ago=timedelta(0))
    for _ in range(3):  # as if whoever charged had died before it could note that
        Batch.objects.update(is_to_be_charged=True)
        assert charge_waiting(at=timezone.now() + 2 * A_MOMENT) == 2
    assert used(capped) == (2 * COST, True)


def test_a_counter_that_is_not_complete_finds_it_in_the_database(capped, redis):
    sent(capped, "a")
    key, _ = a_proxy_key(capped)
    let_in(key)
    redis.flushdb()
    sent(capped, "b")
    assert used(capped) == (2 * COST, False)  # as the database has it
    let_in(key)
    assert used(capped) == (2 * COST, True)


def test_a_period_that_began_with_what_was_sent_is_not_taken_for_empty(capped, redis):
    """Without this, a new day's first capped call would find no counter, and know it for zero."""
    Customer.objects.filter(pk=capped.pk).update(caps_changed_at=None)
    key, _ = a_proxy_key(capped)
    let_in(key)
    keys = scoped_of_customer(capped).keys
    generation, _, _ = redis.get(keys.alive).decode().rpartition("/")
    redis.set(keys.alive, f"{generation}/0")  # known since long ago
    redis.delete(*redis.keys(keys.spend + "*"))
    sent(capped, "a")
    let_in(key)
    assert used(capped) == (COST, True)


def test_caps_of_keys_and_end_users_count_what_was_sent_of_theirs(capped):
    key, _ = a_proxy_key(capped, total_cap=Decimal(5))
    set_end_user_limits(capped, "ada", by=None, monthly_cap=Decimal(1))
    let_in(key, "ada")
    sent(capped, "a", "b", key=key, end_user="ada")
    sent(capped, "c", key=key, end_user="bob")
    sent(capped, "d", end_user="ada")
    standing = standing_of_key(reread(key), at=timezone.now())
    assert standing is not None
    assert [(state.used, state.is_sure) for state in standing.states] == [(3 * COST, True)]
    limits = limits_of_end_user(capped, "ada")
    assert limits is not None
    (of_ada,) = standings_of_end_users(capped, [(limits, "ada")], at=timezone.now()) or ()
    assert (of_ada.scope, of_ada.states[0].used, of_ada.states[0].is_sure) == (Scope.END_USER, 3 * COST, True)
    assert used(capped) == (4 * COST, True)


def test_what_was_sent_of_another_month_counts_in_none_that_is_capped_now(capped):
    key, _ = a_proxy_key(capped)
    let_in(key)
    now = timezone.now()
    old = told("old", started_at=(now.replace(day=1) - timedelta(days=2)).isoformat())
    record_events(capped.organization, [Sent(sender_of(reread(capped)), old)], at=now)
    assert used(capped) == (0, True)


def test_what_is_stored_while_redis_is_away_is_charged_when_it_is_back(capped, redis, settings):
    key, _ = a_proxy_key(capped)
    let_in(key)
    sums_begin(redis, capped, ago=timedelta(seconds=30))
    there, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:9/0"
    charging._client.cache_clear()
    sent(capped, "a", ago=timedelta(0))
    batch = Batch.objects.get()
    assert batch.is_to_be_charged
    assert not charge(batch.pk)
    assert charge_waiting(at=timezone.now() + 2 * A_MOMENT) == 0
    settings.REDIS_URL = there
    assert used(capped) == (0, True)
    assert charge_waiting(at=timezone.now()) == 0  # whoever stored it may yet be at it
    assert charge_waiting(at=timezone.now() + 2 * A_MOMENT) == 1
    assert used(capped) == (COST, True)
    assert charge_waiting(at=timezone.now() + 2 * A_MOMENT) == 0


def test_an_uncapped_customer_asks_nothing_of_redis_but_is_done(cast: Cast, redis):
    sender = sender_of(cast.initech)
    record_events(cast.acme, [Sent(sender, told("a", started_at=timezone.now().isoformat()))], at=timezone.now())
    assert redis.keys("*sent*") == []
    assert not Batch.objects.get().is_to_be_charged
