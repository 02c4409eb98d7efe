"""Requests get the price of the day they were made, once, and their hours with them."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from apps.accounts.models import AuditEvent
from apps.pricing.rate_cards import set_own_rates
from apps.pricing.rating import Tokens
from apps.pricing.services import set_price
from apps.usage import reprice as repricing
from apps.usage.audit import audit
from apps.usage.models import HourlyPropertyUsage, HourlyUsage, Request
from apps.usage.record import REFUSED, encode
from apps.usage.reprice import reprice
from apps.usage.rollup import roll_up
from apps.usage.ship import Shipper
from tests.cast import at_once
from tests.usage.conftest import NOON, a_call, an_intent, write_spool

DAY = timedelta(days=1)
UNPRICED = {"cost": None, "price": None, "model_served": "new-model-1", "tokens": Tokens(input=1_000_000)}
LONG_AGO, SOON = NOON - 365 * DAY, NOON + 365 * DAY


def an_unpriced_call(customer, *, outcome: dict | None = None, **fields) -> list[bytes]:
    return a_call(customer, outcome=UNPRICED | (outcome or {}), **{"model": "new-model"} | fields)


def a_price(organization, usd: str = "3", *, model: str = "new-model", since: datetime = LONG_AGO):
    """USD a million input tokens."""
    return set_price(organization, provider="openai", model=model, rates={"input": usd}, effective_from=since, by=None)


@pytest.fixture
def ship_calls(root, ship) -> Callable[[Iterable[list[bytes]]], None]:
    """Have these calls in PostgreSQL and in the hours."""

    def calls_shipped(*calls: list[bytes]) -> None:
        write_spool(root, [payload for call in calls for payload in call])
        ship()
        roll_up()

    return calls_shipped


def everything(**filters):
    return reprice(since=LONG_AGO, until=SOON, **filters)


def test_request_gets_its_price_and_its_hour_the_difference(cast, ship_calls):
    known = a_call(cast.globex, model="new-model", outcome={"model_served": "new-model-1"})
    ship_calls(an_unpriced_call(cast.globex, properties=[("Plan", "pro")]), known)
    price = a_price(cast.acme)
    done = everything()
    assert (done.requests, done.cost, done.price, done.unknown) == (1, 3, Decimal("3.6"), {})
    request = Request.objects.get(price_id=price.pk)
    assert (request.cost, request.price) == (3, Decimal("3.6"))  # its markup was 20 %
    hour = HourlyUsage.objects.get()
    assert (hour.requests, hour.unpriced) == (2, 0)
    assert (hour.cost, hour.price) == (Decimal("3.000345"), Decimal("3.600414"))
    of_plan = HourlyPropertyUsage.objects.get()
    assert (of_plan.unpriced, of_plan.cost, of_plan.price) == (0, 3, Decimal("3.6"))
    assert audit().is_equal


def test_request_that_is_not_in_the_hours_yet_comes_there_with_its_price(cast, root, ship):
    write_spool(root, an_unpriced_call(cast.globex))
    ship()
    a_price(cast.acme)
    assert everything().requests == 1
    assert not HourlyUsage.objects.exists()
    roll_up()
    hour = HourlyUsage.objects.get()
    assert (hour.unpriced, hour.cost) == (0, 3)


def test_pieces_service_tier_and_the_hour_are_priced_too(cast, ship_calls):
    """Two searches, flex, at 12:00 UTC of a Tuesday: within the dearer hours."""
    ship_calls(an_unpriced_call(cast.globex, outcome={"units": (("web_search", 2),), "service_tier": "flex"}))
    price = set_price(
        cast.acme,
        provider="openai",
        model="new-model",
        rates={"input": "1"},
        units={"web_search": "0.01"},
        services={"flex": {"rates": {"input": "0.5"}}},
        effective_from=LONG_AGO,
        by=None,
    )
    assert reprice(since=LONG_AGO, until=SOON, is_dry_run=True).cost == Decimal("0.52")
    price.hours = [{"days": "2", "from": "12:00", "until": "13:00", "rates": {"input": "3"}}]
    price.services = {}
    price.save()
    assert everything().cost == Decimal("3.02")


def test_a_second_run_finds_nothing_to_do(cast, ship_calls):
    ship_calls(an_unpriced_call(cast.globex))
    a_price(cast.acme)
    everything()
    before = list(HourlyUsage.objects.values()), list(Request.objects.values())
    assert everything().requests == 0
    assert (list(HourlyUsage.objects.values()), list(Request.objects.values())) == before


def test_each_request_by_the_price_of_its_day(cast, ship_calls):
    days = [NOON - DAY, NOON, NOON + DAY - timedelta(microseconds=1), NOON + DAY]
    ship_calls(*(an_unpriced_call(cast.globex, at=at) for at in days))
    a_price(cast.acme, "3", since=NOON)
    a_price(cast.acme, "5", since=NOON + DAY)
    done = everything()
    assert list(Request.objects.order_by("started_at").values_list("cost", flat=True)) == [None, 3, 3, 5]
    assert done.unknown == {("openai", "new-model-1"): 1}
    assert audit().is_equal


@pytest.mark.parametrize(
    ("asked", "served"),
    [("new-model", "something"), ("openai/new-model", "something"), ("alias", "new-model")],
    ids=["asked", "with-provider", "served"],
)
def test_price_is_found_by_the_name_asked_for_or_served(cast, ship_calls, asked, served):
    ship_calls(an_unpriced_call(cast.globex, model=asked, outcome={"model_served": served}))
    a_price(cast.acme)
    assert everything().cost == 3


def test_only_requests_with_an_unknown_price_change(cast, ship_calls):
    refused = {"result": REFUSED, "cost": None, "price": None}
    ship_calls(
        a_call(cast.globex, model="new-model"),
        an_unpriced_call(cast.globex, outcome=refused),
        [encode(an_intent(cast.globex, model="new-model"))],
    )
    a_price(cast.acme)
    assert everything().requests == 0
    assert set(Request.objects.values_list("price_id", flat=True)) == {None}


def test_only_requests_that_were_asked_for_change(cast, ship_calls):
    ship_calls(
        an_unpriced_call(cast.globex),
        an_unpriced_call(cast.shady),
        an_unpriced_call(cast.globex, model="other", outcome={"model_served": "other"}),
        an_unpriced_call(cast.globex, at=NOON + DAY),
    )
    for organization in (cast.acme, cast.evil_corp):
        a_price(organization)
        a_price(organization, model="other")
    done = reprice(since=NOON, until=NOON + DAY, organization_id=cast.acme.pk, model="new-model")
    assert done.requests == 1
    priced = Request.objects.exclude(cost=None).get()
    assert (priced.customer_id, priced.model, priced.started_at) == (cast.globex.pk, "new-model", NOON)
    assert audit().is_equal


def test_own_price_of_a_stranger_is_not_taken(cast, ship_calls):
    ship_calls(an_unpriced_call(cast.globex))
    a_price(cast.evil_corp)
    assert (everything().requests, everything().unknown) == (0, {("openai", "new-model-1"): 1})


def test_dry_run_tells_and_changes_nothing(cast, ship_calls):
    ship_calls(an_unpriced_call(cast.globex))
    a_price(cast.acme)
    before = list(HourlyUsage.objects.values()), list(Request.objects.values()), AuditEvent.objects.count()
    done = everything(is_dry_run=True)
    assert (done.requests, done.cost) == (1, 3)
    assert (list(HourlyUsage.objects.values()), list(Request.objects.values()), AuditEvent.objects.count()) == before


def test_many_requests_are_several_transactions(cast, ship_calls, monkeypatch):
    monkeypatch.setattr(repricing, "AT_ONCE", 3)
    unknown = {"model": "unknown", "outcome": {"model_served": "unknown"}}
    calls = [an_unpriced_call(cast.globex, **(unknown if number % 3 else {})) for number in range(20)]
    ship_calls(*calls)
    a_price(cast.acme)
    done = everything()
    assert (done.requests, done.unknown) == (7, {("openai", "unknown"): 13})
    assert audit().is_equal


def test_repricing_is_in_the_audit_log(cast, ship_calls):
    ship_calls(an_unpriced_call(cast.globex))
    a_price(cast.acme)
    everything()
    event = AuditEvent.objects.get(action="usage.reprice")
    assert event.organization == cast.acme
    assert event.changes == {"requests_without_price": [1, 0], "cost": [None, "3"], "price": [None, "3.6"]}


@pytest.mark.django_db(transaction=True)
def test_repricing_while_others_ship_roll_up_and_reprice(cast, root, monkeypatch):
    monkeypatch.setattr(repricing, "AT_ONCE", 10)
    a_price(cast.acme)
    for _ in range(3):
        write_spool(root, [payload for _ in range(100) for payload in an_unpriced_call(cast.globex)])
    actions = iter([lambda: Shipper(root, batch_rows=7).ship(), roll_up, roll_up, everything, everything] * 2)
    at_once(10, lambda: next(actions)())
    Shipper(root).ship()
    roll_up()
    everything()
    assert audit().is_equal
    hours = HourlyUsage.objects.values_list("requests", "unpriced", "cost")
    assert [tuple(map(sum, zip(*hours, strict=True)))] == [(300, 0, 900)]


def a_rule(customer, **rule) -> int:
    """The id of a rule of the customer's own, for all models."""
    version = set_own_rates(customer, rules=[{"match": "*", **rule}], effective_from=LONG_AGO, by=None)
    return version.rules.get().pk


def test_a_request_is_sold_by_the_rule_that_it_carries(cast, ship_calls):
    rule_id = a_rule(cast.globex, mode="cost_plus", markup_percent="50", per_request="0.1")
    ship_calls(an_unpriced_call(cast.globex, rate_rule_id=rule_id), an_unpriced_call(cast.globex))
    set_own_rates(cast.globex, rules=[], effective_from=LONG_AGO + DAY, by=None)
    a_price(cast.acme)
    done = everything()
    assert (done.cost, done.price) == (6, Decimal("8.2"))
    sold = Request.objects.values_list("rate_rule_id", "price")
    assert dict(sold) == {rule_id: Decimal("4.6"), None: Decimal("3.6")}
    assert audit().is_equal


def test_a_price_that_was_known_before_the_cost_stays(cast, ship_calls):
    rule_id = a_rule(cast.globex, mode="absolute", rates={"input": "7"})
    sold = an_unpriced_call(cast.globex, rate_rule_id=rule_id, outcome={"price": Decimal(7)}, properties=[("A", "b")])
    ship_calls(sold, an_unpriced_call(cast.globex))
    hour = HourlyUsage.objects.get()
    assert (hour.unpriced, hour.cost, hour.price) == (2, 0, 7)
    a_price(cast.acme)
    done = everything()
    assert (done.requests, done.cost, done.price) == (2, 6, Decimal("3.6"))
    hour = HourlyUsage.objects.get()
    assert (hour.unpriced, hour.cost, hour.price) == (0, 6, Decimal("10.6"))
    of_value = HourlyPropertyUsage.objects.get()
    assert (of_value.unpriced, of_value.cost, of_value.price) == (0, 3, 7)
    assert audit().is_equal


def test_again_each_gets_what_the_book_says_now_of_its_day(cast, ship_calls):
    rule_id = a_rule(cast.globex, mode="absolute", rates={"input": "7"})
    ship_calls(
        an_unpriced_call(cast.globex, end_user="a", properties=[("Plan", "pro")]),
        an_unpriced_call(cast.globex, end_user="a", rate_rule_id=rule_id),
        an_unpriced_call(cast.globex, model="other-model", outcome={"model_served": "other-model"}),
    )
    a_price(cast.acme, "3")
    everything()
    right = a_price(cast.acme, "2", since=LONG_AGO + DAY)
    assert everything().requests == 0
    done = everything(is_again=True)
    assert (done.requests, done.cost, done.price) == (2, -2, Decimal("-1.2"))  # what is sold at 7 stays at that
    assert done.unknown == {("openai", "other-model"): 1}
    sold = Request.objects.filter(price_id=right.pk).values_list("rate_rule_id", "cost", "price")
    assert sorted(sold, key=str) == [(rule_id, 2, 7), (None, 2, Decimal("2.4"))]
    of_value = HourlyPropertyUsage.objects.get()
    assert (of_value.unpriced, of_value.cost, of_value.price) == (0, 2, Decimal("2.4"))
    assert audit().is_equal
    event = AuditEvent.objects.filter(action="usage.reprice").latest("pk")
    assert event.changes == {
        "requests_priced_again": [None, 2],
        "cost_of_these": ["6", "4"],
        "price_of_these": ["10.6", "9.4"],
    }
    assert everything(is_again=True).requests == 0


def test_again_what_was_free_or_not_priced_by_the_book_stays(cast, ship_calls):
    nothing = {"cost": Decimal(0), "price": Decimal(0), "price_id": 7}
    ship_calls(
        an_unpriced_call(cast.globex, outcome=nothing),
        an_unpriced_call(cast.globex, outcome={"cost": Decimal(5), "price": Decimal(6), "price_id": None}),
        an_unpriced_call(cast.globex, outcome={"result": REFUSED, "tokens": Tokens()}),
    )
    a_price(cast.acme)
    assert everything(is_again=True).requests == 0


def test_again_a_dry_run_tells_the_difference(cast, ship_calls):
    ship_calls(an_unpriced_call(cast.globex))
    a_price(cast.acme, "3")
    everything()
    a_price(cast.acme, "4", since=LONG_AGO + DAY)
    looked_at: list[int] = []
    done = everything(is_again=True, is_dry_run=True, tell=looked_at.append)
    assert (done.requests, done.cost, done.price, looked_at) == (1, 1, Decimal("1.2"), [1])
    assert Request.objects.get().cost == 3
