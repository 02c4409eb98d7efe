"""The users' table as a query: who is on it, in which order, on how many pages, and what narrows it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, log
from zoneinfo import ZoneInfo

import pytest

from apps.usage.histograms import GROWTH, SHIFT
from apps.usage.queries import Scope, users
from apps.usage.queries.users import ORDERS, UserFilter, UserKey, every_user, user_row
from tests.used import a_property_hour, an_hour

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ZONE = ZoneInfo("UTC")
NOTHING_USED = {"input_tokens": 0, "output_tokens": 0, "cost": 0, "price": 0}


@pytest.fixture(params=["hours", "days"])
def scope(cast, request) -> Scope:
    """The same days, summed from hours and from days."""
    zone = UTC if request.param == "hours" else ZONE
    return Scope(cast.acme.pk, datetime(2026, 3, 5, tzinfo=zone), datetime(2026, 3, 11, tzinfo=zone))


@pytest.fixture(autouse=True)
def history(cast) -> None:
    """Ann is dear, bob calls often and is refused, cy costs nobody knows what, dee is Initech's, and nobody."""
    an_hour(
        cast.globex,
        NOON,
        end_user="ann",
        requests=2,
        cost=Decimal(8),
        price=Decimal(9),
        latency_ms=9000,
        latencies=took(4500, 4500),
    )
    an_hour(cast.globex, NOON - DAY, end_user="ann", requests=1, failed=1, cost=Decimal(1), price=Decimal(1))
    an_hour(
        cast.globex,
        NOON - 4 * DAY,
        end_user="bob",
        requests=90,
        refused=40,
        failed=5,
        cost=Decimal(5),
        price=Decimal(4),
    )
    an_hour(cast.globex, NOON, end_user="cy", requests=3, unpriced=3, latencies=took(1, 1, 90_000), **NOTHING_USED)
    an_hour(cast.initech, NOON, end_user="dee", requests=5, cost=Decimal(3), price=Decimal(6), model="o4-mini")
    an_hour(cast.globex, NOON + DAY / 24, end_user=None, requests=4, cost=Decimal(2), price=Decimal(3), model="o4-mini")
    an_hour(cast.shady, NOON, end_user="ann", requests=1000, cost=Decimal(1000), price=Decimal(1000))
    an_hour(cast.globex, NOON - 6 * DAY, end_user="old", requests=1000, cost=Decimal(1000), price=Decimal(1000))


def took(*durations_ms: int) -> list[int]:
    """A histogram, as the roll-ups keep it."""
    buckets = Counter(0 if duration < 1 else 1 + ceil(log(duration) / log(GROWTH)) for duration in durations_ms)
    return [(bucket << SHIFT) + count for bucket, count in sorted(buckets.items())]


def names(page) -> list[str | None]:
    return [row.end_user for row in page.rows]


def test_a_users_figures_are_the_sums_of_its_hours(scope):
    page = users(scope, ZONE)
    assert names(page) == ["ann", "bob", "dee", None, "cy"]
    assert page.total == 5
    ann = page.rows[0]
    assert (ann.figures.requests, ann.figures.cost, ann.figures.margin) == (3, Decimal(9), Decimal(1))
    assert (ann.active_days, ann.requests_per_active_day) == (2, 1.5)
    assert (round(ann.latency.p50 / 4500, 1), ann.latency.requests) == (1, 2)
    assert ann.days == ((NOON.date() - DAY, 1), (NOON.date(), 2))


def test_a_user_is_a_name_at_a_customer(cast, scope):
    an_hour(cast.initech, NOON, end_user="ann", cost=Decimal(100))
    found = users(scope, ZONE).rows[:2]
    assert [(row.key, row.figures.cost) for row in found] == [
        (UserKey(cast.initech.pk, "ann"), Decimal(100)),
        (UserKey(cast.globex.pk, "ann"), Decimal(9)),
    ]


ORDERED = [
    ("user", ["ann", "bob", "cy", "dee", None]),
    ("-user", ["dee", "cy", "bob", "ann", None]),
    ("customer", ["ann", "bob", "cy", None, "dee"]),
    ("-customer", ["dee", "ann", "bob", "cy", None]),
    ("-requests", ["bob", "dee", None, "ann", "cy"]),
    ("requests", ["ann", "cy", None, "dee", "bob"]),
    ("-answered", ["bob", "dee", None, "ann", "cy"]),
    ("-refused", ["bob", "ann", "cy", "dee", None]),
    ("-errors", ["bob", "ann", "cy", "dee", None]),
    ("-error_rate", ["ann", "bob", "cy", "dee", None]),
    ("-active_days", ["ann", "bob", "cy", "dee", None]),
    ("-requests_per_active_day", ["bob", "dee", None, "cy", "ann"]),
    ("-growth", ["dee", None, "ann", "cy", "bob"]),
    ("-tokens", ["ann", "bob", "dee", None, "cy"]),
    ("tokens_per_request", ["cy", "bob", "dee", None, "ann"]),
    ("-input_tokens", ["ann", "bob", "dee", None, "cy"]),
    ("-output_tokens", ["ann", "bob", "dee", None, "cy"]),
    ("cost", ["cy", None, "dee", "bob", "ann"]),
    ("-price", ["ann", "dee", "bob", None, "cy"]),
    ("-margin", ["dee", "ann", None, "cy", "bob"]),
    ("-cost_per_request", ["ann", "dee", None, "bob", "cy"]),  # of cy's nothing is known: last either way
    ("cost_per_request", ["bob", None, "dee", "ann", "cy"]),
    ("-price_per_request", ["ann", "dee", None, "bob", "cy"]),
    ("-average_latency_ms", ["ann", "cy", None, "dee", "bob"]),
    ("-latency_p50_ms", ["ann", "cy", "bob", "dee", None]),  # of the others nothing is known
    ("latency_p50_ms", ["cy", "ann", "bob", "dee", None]),
    ("-latency_p95_ms", ["cy", "ann", "bob", "dee", None]),
    ("-average_first_token_ms", ["ann", "bob", "cy", "dee", None]),
    ("first_at", ["bob", "ann", "cy", "dee", None]),
    ("-last_at", [None, "ann", "cy", "dee", "bob"]),
]


def test_users_are_ordered(scope):
    for order, expected in ORDERED:
        assert (order, names(users(scope, ZONE, order=order))) == (order, expected)
        assert (order, [user.key.end_user for user in every_user(scope, ZONE, order=order)]) == (order, expected)


def test_every_order_there_is_was_tried():
    assert {order.removeprefix("-") for order, _ in ORDERED} == ORDERS


def test_another_order_is_none(scope):
    with pytest.raises(ValueError, match="no such order: 'end_user; DROP'"):
        users(scope, ZONE, order="-end_user; DROP")


@pytest.mark.parametrize("order", ["-cost", "-latency_p50_ms"])
def test_users_are_paged_in_any_order(scope, order):
    whole = names(users(scope, ZONE, order=order))
    pages = [users(scope, ZONE, order=order, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [name for page in pages for name in names(page)] == whole
    assert [page.total for page in pages] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        (UserFilter(search="N"), ["ann"]),
        (UserFilter(search="%"), []),
        (UserFilter(min_cost=Decimal(3)), ["ann", "bob", "dee"]),
        (UserFilter(min_price=Decimal("4.000000000001")), ["ann", "dee"]),
        (UserFilter(search="b", min_cost=Decimal(6)), []),
    ],
)
def test_users_are_narrowed(scope, narrowed, expected):
    page = users(scope, ZONE, narrowed=narrowed)
    assert (names(page), page.total) == (expected, len(expected))


def test_counts_honour_what_the_scope_narrows(cast, scope):
    page = users(replace(scope, model="o4-mini"), ZONE, order="-requests")
    assert [(row.end_user, row.figures.requests) for row in page.rows] == [("dee", 5), (None, 4)]
    assert names(users(replace(scope, customer_id=cast.initech.pk), ZONE)) == ["dee"]
    assert names(users(replace(scope, sold_as="o4-mini", customer_id=cast.globex.pk), ZONE)) == [None]


def test_by_a_property_only_the_requests_that_have_it_count(cast, scope):
    a_property_hour(cast.globex, NOON, "plan", "pro", end_user="ann", requests=1, cost=Decimal(4))
    a_property_hour(cast.globex, NOON, "plan", "free", end_user="bob", requests=7)
    page = users(scope, ZONE, narrowed=UserFilter(property=("Plan", "pro")))
    assert [(row.end_user, row.figures.requests, row.figures.cost) for row in page.rows] == [("ann", 1, Decimal(4))]
    with pytest.raises(ValueError, match="not by both"):
        users(replace(scope, model="gpt-4o-mini"), ZONE, narrowed=UserFilter(property=("Plan", "pro")))


def test_a_user_who_never_called_has_zeros(cast, scope):
    row = user_row(scope, ZONE, UserKey(cast.globex.pk, "zoe"))
    assert (row.figures.requests, row.active_days, row.requests_per_active_day) == (0, 0, None)


def test_a_user_is_not_mixed_up_with_one_of_another_customer(cast, scope):
    assert user_row(scope, ZONE, UserKey(cast.initech.pk, "ann")).figures.requests == 0
    assert user_row(scope, ZONE, UserKey(cast.initech.pk, None)).figures.requests == 0
