"""The users' table out of a snapshot: the same as added up, in every order, on every page, however it is narrowed."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest

from apps.usage.models import Snapshot
from apps.usage.queries.snapshot_users import every_user_of, users_of
from apps.usage.queries.users import ORDERS, UserFilter, every_user, users
from apps.usage.snapshots import Asked, take_snapshot
from tests.usage.queries.test_users import DAY, NOON, ZONE, history, took  # noqa: F401 the fixture
from tests.used import a_property_hour, an_hour

FIRST, LAST = datetime(2026, 3, 5, tzinfo=UTC).date(), NOON.date()


@pytest.fixture
def asked(cast) -> Asked:
    """As the fixture `scope` of the tests of `users`."""
    return Asked(cast.acme.pk, "UTC", FIRST, LAST)


def taken(asked: Asked) -> Snapshot:
    assert take_snapshot(asked)
    return Snapshot.objects.latest("as_of", "pk")


@pytest.fixture
def crowd(cast, history) -> None:  # noqa: F811 the fixture
    """Besides, many of whom all is equal, some with the name of another, and one with several models and keys."""
    for number in range(30):
        an_hour(cast.globex, NOON - number // 15 * DAY, end_user=f"same-{number % 15}", latencies=took(700, 1200))
    for model in ("gpt-4o", "o4-mini", "gemini"):
        for number in range(3):
            an_hour(cast.initech, NOON - number * DAY, end_user="ann", model=model, latencies=took(10, 10**number))


def test_every_order_has_the_same_rows(asked, crowd):
    snapshot = taken(asked)
    for order in sorted(f"{sign}{name}" for name in ORDERS for sign in ("", "-")):
        for offset in (0, 14, 40):
            expected = users(asked.scope, ZONE, order=order, limit=7, offset=offset)
            assert (order, users_of(snapshot, order=order, limit=7, offset=offset)) == (order, expected)
        exported = list(every_user_of(snapshot, order=order))
        assert (order, exported) == (order, list(every_user(asked.scope, ZONE, order=order)))
    assert snapshot.users == len(exported) == 21


NARROWED = [
    UserFilter(search="AME-1"),
    UserFilter(search="%"),
    UserFilter(search="nobody of that name"),
    UserFilter(min_cost=Decimal(8)),
    UserFilter(min_price=Decimal("3.000000000001")),
    UserFilter(search="a", min_cost=Decimal(3)),
]


def test_what_is_looked_for_is_found_in_it(asked, crowd):
    snapshot = taken(asked)
    for narrowed, order, offset in product(NARROWED, ["-cost", "user", "-latency_p95_ms"], [0, 3, 30]):
        expected = users(asked.scope, ZONE, order=order, narrowed=narrowed, limit=3, offset=offset)
        assert users_of(snapshot, order=order, narrowed=narrowed, limit=3, offset=offset) == expected


def test_one_can_be_of_a_customer_or_of_a_model(cast, asked, crowd):
    for fewer in (
        replace(asked, customer_id=cast.globex.pk),
        replace(asked, model="o4-mini"),
        replace(asked, sold_as="o4-mini", customer_id=cast.globex.pk),
        replace(asked, first=NOON.date()),
    ):
        assert users_of(taken(fewer)) == users(fewer.scope, ZONE)


def test_one_can_be_of_a_value_of_a_property(cast, asked):
    for number, user in enumerate(["ann", "bob", None]):
        a_property_hour(cast.globex, NOON, "plan", "pro", end_user=user, latency_ms=9000 - number)
    a_property_hour(cast.globex, NOON, "plan", "free", end_user="cy")
    narrowed = UserFilter(property=("Plan", "pro"))
    of_plan = replace(asked, name="Plan", value="pro")
    snapshot = taken(of_plan)
    for order in ("-cost", "latency_p50_ms", "-latency_p95_ms", "active_days"):
        page = users_of(snapshot, order=order, narrowed=narrowed)
        assert page == users(asked.scope, ZONE, order=order, narrowed=narrowed)
        assert page.total == 3


def test_there_may_be_nobody(cast, asked):
    nobody = replace(asked, customer_id=cast.shady.pk, organization_id=cast.acme.pk)
    assert users_of(taken(nobody)) == users(nobody.scope, ZONE) == ([], 0)


def test_another_order_is_none(asked, history):  # noqa: F811 the fixture
    with pytest.raises(ValueError, match="no such order: 'end_user; DROP'"):
        users_of(taken(asked), order="-end_user; DROP")
