"""A day has sums of their own for so many end users and values; the rest is one row, and nothing is lost."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Sum

from apps.usage import rollup
from apps.usage.audit import audit
from apps.usage.models import (
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    DayCardinality,
    HourlyPropertyUsage,
    HourlyUsage,
    Keeping,
    KnownValue,
)
from apps.usage.queries.cardinality import too_many
from apps.usage.rebuild import extent, rebuild_rollups
from apps.usage.reprice import reprice
from apps.usage.rollup import roll_up
from apps.usage.ship import Shipper
from tests.cast import at_once
from tests.usage.conftest import NOON, a_call, write_spool
from tests.usage.test_rebuild import hours
from tests.usage.test_reprice import a_price

MINUTE = timedelta(minutes=1)


@pytest.fixture
def calls(cast, root, ship):
    """Acme may have two users and three values a day; Globex makes calls, a roll-up for each list of them."""
    Keeping.objects.create(organization=cast.acme, most_end_users=2, most_property_values=3)

    def make(*rounds, of=cast.globex) -> None:
        minute = 0
        for each in rounds:
            payloads = []
            for user, properties in each:
                payloads += a_call(of, at=NOON + minute * MINUTE, end_user=user, properties=properties)
                minute += 1
            write_spool(root, payloads)
            ship()
            roll_up()

    return make


def by_user(model) -> dict[str | None, int]:
    return dict(model.objects.values_list("end_user").annotate(Sum("requests")))


def by_value(model) -> dict[str, int]:
    rows = model.objects.values_list("name", "value").annotate(Sum("requests"))
    return {f"{name}={value}": requests for name, value, requests in rows}


def users(*names: str | None) -> list:
    return [(name, []) for name in names]


USERS = [  # the users of each roll-up, and what is counted for whom
    pytest.param([users("a", "b")], {"a": 1, "b": 1}, id="as-many-as-may-be"),
    pytest.param([users("a", "b", "c")], {"a": 1, "b": 1, "(other)": 1}, id="one-too-many"),
    pytest.param([users("a", "b", "c", "c", "d")], {"a": 1, "b": 1, "(other)": 3}, id="others-together"),
    pytest.param([users("a"), users("b"), users("c"), users("a")], {"a": 2, "b": 1, "(other)": 1}, id="in-order"),
    pytest.param([users("c", "a"), users("b", "c")], {"c": 2, "a": 1, "(other)": 1}, id="first-come"),
    pytest.param([users(None, "a", None, "b", "c")], {None: 2, "a": 1, "b": 1, "(other)": 1}, id="none-is-no-user"),
    pytest.param([users("", "a", "b")], {"": 1, "a": 1, "(other)": 1}, id="empty-is-one"),
    pytest.param([users("ü", "u", "U")], {"ü": 1, "u": 1, "(other)": 1}, id="unicode-and-case"),
    pytest.param([users("(other)", "a", "b")], {"(other)": 2, "a": 1}, id="one-called-other"),
]


@pytest.mark.parametrize(("rounds", "counted"), USERS)
def test_users_over_the_cap_are_counted_together(calls, rounds, counted):
    calls(*rounds)
    assert by_user(HourlyUsage) == by_user(DailyUsage) == counted
    assert sum(DailyTotal.objects.values_list("requests", flat=True)) == sum(counted.values())
    assert audit().is_equal


VALUES = [
    pytest.param([[(None, [("Plan", "a")]), (None, [("Plan", "b")])]], {"plan=a": 1, "plan=b": 1}, id="room"),
    pytest.param(
        [[(None, [("Plan", value)]) for value in "abcdd"]],
        {"plan=a": 1, "plan=b": 1, "plan=c": 1, "plan=(other)": 2},
        id="values-of-a-known-name",
    ),
    pytest.param(
        [[(None, [(f"N{number}", "x")]) for number in range(6)]],
        {"n0=x": 1, "n1=x": 1, "n2=x": 1, "(other)=(other)": 3},
        id="names-too",
    ),
    pytest.param(
        [[(None, [("A", "1"), ("B", "2")])], [(None, [("A", "1"), ("C", "3")])], [(None, [("C", "4"), ("D", "5")])]],
        {"a=1": 2, "b=2": 1, "c=3": 1, "c=(other)": 1, "(other)=(other)": 1},
        id="some-of-a-request",
    ),
]


@pytest.mark.parametrize(("rounds", "counted"), VALUES)
def test_values_over_the_cap_are_counted_together(calls, rounds, counted):
    calls(*rounds)
    assert by_value(HourlyPropertyUsage) == by_value(DailyPropertyUsage) == counted
    assert audit().is_equal


def test_users_of_one_name_of_two_customers_are_two(calls, cast):
    calls(users("a"))
    calls(users("a", "b"), of=cast.initech)
    assert by_user(DailyUsage) == {"a": 2, "(other)": 1}


def test_another_day_and_another_organization_have_their_own(calls, cast, root, ship):
    calls(users("a", "b", "c"))
    write_spool(root, a_call(cast.globex, at=NOON + timedelta(days=1), end_user="c"))
    for name in "abc":
        write_spool(root, a_call(cast.shady, end_user=name))
    ship()
    roll_up()
    assert by_user(DailyUsage) == {"a": 2, "b": 2, "c": 2, "(other)": 1}


def test_rebuilding_counts_the_same_together(calls):
    calls(users("c"), users("a", "b"), users("b", "d", "a"))
    before = hours()
    rebuild_rollups(**extent()._asdict())
    assert hours() == before


def test_rebuilding_with_a_lost_register_goes_by_who_called_first(calls):
    calls(users("c"), users("a", "b"), users("b", "d", "a"))
    KnownValue.objects.all().delete()
    DayCardinality.objects.all().delete()
    rebuild_rollups(**extent()._asdict())
    assert by_user(DailyUsage) == {"c": 1, "a": 2, "(other)": 3}
    assert audit().is_equal


def test_a_raised_cap_holds_for_the_day_when_it_is_rebuilt(calls, cast):
    calls(users("a", "b", "c"))
    Keeping.objects.update(most_end_users=10)
    calls(users("c", "d"))
    assert by_user(DailyUsage) == {"a": 1, "b": 1, "(other)": 3}  # what is said of a day stays so
    assert audit().is_equal
    rebuild_rollups(**extent()._asdict())
    assert by_user(DailyUsage) == {"a": 1, "b": 1, "c": 2, "d": 1}
    assert audit().is_equal
    assert too_many(cast.acme.pk, at=NOON) is None


def test_no_cap_that_was_lowered_takes_a_row_away(calls):
    calls(users("a", "b"))
    Keeping.objects.update(most_end_users=1)
    calls(users("a", "b", "c"))
    assert by_user(DailyUsage) == {"a": 2, "b": 2, "(other)": 1}
    assert audit().is_equal


def test_the_installation_has_a_cap_for_all(cast, root, ship, settings):
    settings.USAGE_KEEPING = settings.USAGE_KEEPING | {"most_end_users": 1}
    write_spool(root, [payload for name in "ab" for payload in a_call(cast.globex, end_user=name)])
    ship()
    roll_up()
    assert by_user(DailyUsage) == {"a": 1, "(other)": 1}


def test_the_operator_is_told(calls, cast):
    assert too_many(cast.acme.pk, at=NOON) is None
    calls(users("a", "b", "c"))
    told = too_many(cast.acme.pk, at=NOON)
    assert (told.users_on, told.most_users, told.values_on) == (NOON.replace(hour=0), 2, None)
    assert too_many(cast.evil_corp.pk, at=NOON) is None
    assert too_many(cast.acme.pk, at=NOON + timedelta(days=8)) is None


def test_repricing_finds_the_row_of_the_others(calls, cast, root, ship):
    calls(users("a", "b"))
    unpriced = {"cost": None, "price": None}
    write_spool(root, a_call(cast.globex, end_user="z", outcome=unpriced))
    ship()
    roll_up()
    assert DailyUsage.objects.get(end_user="(other)").unpriced == 1
    a_price(cast.acme, model="gpt-4o-mini")
    done = reprice(since=NOON - timedelta(days=1), until=NOON + timedelta(days=1))
    assert done.requests == 1
    assert DailyUsage.objects.get(end_user="(other)").unpriced == 0
    assert audit().is_equal


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_let_in_as_many_as_may_be(cast, root, monkeypatch):
    Keeping.objects.create(organization=cast.acme, most_end_users=7, most_property_values=5)
    monkeypatch.setattr(rollup, "MOST_BATCHES", 1)
    payloads = []
    for number in range(120):
        payloads += a_call(cast.globex, end_user=f"user {number % 20}", properties=[("Id", str(number % 30))])
    write_spool(root, payloads)
    Shipper(root, batch_rows=5).ship()
    assert sum(at_once(6, roll_up)) == 120
    counted = by_user(DailyUsage)
    assert Counter(counted) == Counter(by_user(HourlyUsage))
    assert len(counted) == 8
    assert counted["(other)"] == 120 - 7 * 6
    assert len(by_value(DailyPropertyUsage)) == 6
    [day] = DayCardinality.objects.all()
    assert (day.end_users, day.property_values) == (7, 5)
    before = hours()
    rebuild_rollups(**extent()._asdict())
    assert hours() == before
    assert audit().is_equal
