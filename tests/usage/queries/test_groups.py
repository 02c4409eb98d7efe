"""Figures by something: whose they are, what narrows them, and in which order they come."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.usage.queries import (
    Figures,
    Scope,
    by_customer,
    grouped_by,
    grouped_by_property,
    property_names,
    totals,
)
from apps.usage.queries.groups import tops
from apps.usage.queries.periods import midnight
from apps.usage.record import FAILED, REFUSED, encode
from apps.usage.rollup import roll_up
from tests.usage.conftest import NOON, a_call, an_intent, write_spool
from tests.used import an_hour

HOUR = timedelta(hours=1)


@pytest.fixture
def scope(cast) -> Scope:
    return Scope(cast.acme.pk, NOON, NOON + HOUR)


@pytest.fixture(autouse=True)
def history(cast, root, ship) -> None:
    """Acme's hour: Globex 3 requests by ann and nobody, Initech 1. Others: before, after, and a stranger's."""
    dear = {"price": Decimal(1), "cost": Decimal("0.5"), "model_served": "gpt-5"}
    calls = [
        a_call(cast.globex, end_user="ann", properties=[("Plan", "pro")], outcome={"first_token_ms": 100}),
        a_call(cast.globex, end_user="ann", properties=[("Plan", "free")], outcome={"latency_ms": 200}),
        a_call(cast.globex, provider="azure", outcome=dear),
        a_call(cast.initech, end_user="bob", properties=[("PLAN", "pro")]),
        a_call(cast.globex, at=NOON - timedelta(microseconds=1)),
        a_call(cast.globex, at=NOON + HOUR),
        a_call(cast.shady, end_user="ann", properties=[("Plan", "pro")]),
    ]
    write_spool(root, [payload for call in calls for payload in call])
    ship()
    roll_up()


def counts(groups) -> dict[object, int]:
    return {group.value: group.figures.requests for group in groups}


def test_totals_are_all_of_the_scope(scope):
    figures = totals(scope)
    assert (figures.requests, figures.price, figures.cost) == (4, Decimal("1.001242"), Decimal("0.501035"))
    assert (figures.input_tokens, figures.cache_read_tokens, figures.output_tokens, figures.tokens) == (
        4800,
        800,
        1200,
        6000,
    )
    assert (figures.average_latency_ms, figures.average_first_token_ms) == (650, 100)
    assert (figures.first_at, figures.last_at) == (NOON, NOON)
    assert figures.margin == Decimal("0.500207")


def test_the_dearest_of_each_are_those_that_groups_have_on_top(cast):
    hour = NOON + 10 * HOUR
    for user, price in (("zoe", 5), ("ann", 5), (None, 9), ("ben", 1), ("cid", 2)):
        for model in ("gpt-5", "o4-mini"):
            an_hour(cast.globex, hour, end_user=user, model=model, price=Decimal(price))
    day = [midnight(date, ZoneInfo("UTC")) for date in (hour.date(), hour.date() + 24 * HOUR)]
    for since, until in ((hour, hour + HOUR), day):
        scope = Scope(cast.acme.pk, since, until, customer_id=cast.globex.pk)
        found = tops(scope, "user", "model", limit=3)
        assert found == {name: grouped_by(scope, name, limit=3) for name in ("user", "model")}
        assert [group.value for group in found["user"]] == [None, "ann", "zoe"]


def test_totals_of_nothing_are_zero(scope):
    assert totals(replace(scope, model="never used")) == Figures()
    assert totals(replace(scope, model="never used")).error_rate is None


def test_groups_are_of_the_organization_alone(cast, scope):
    assert counts(grouped_by(scope, "customer")) == {cast.globex.pk: 3, cast.initech.pk: 1}
    assert counts(grouped_by(scope, "user")) == {"ann": 2, None: 1, "bob": 1}
    assert counts(grouped_by(scope, "provider")) == {"openai": 3, "azure": 1}
    assert counts(grouped_by(scope, "model")) == {"gpt-4o-mini-2024-07-18": 3, "gpt-5": 1}
    assert counts(grouped_by(scope, "key")) == {cast.globex.pk: 3, cast.initech.pk: 1}


def test_groups_by_property_leave_out_requests_without_it(cast, scope):
    assert counts(grouped_by_property(scope, "pLaN")) == {"pro": 2, "free": 1}
    assert counts(grouped_by_property(replace(scope, customer_id=cast.initech.pk), "plan")) == {"pro": 1}
    assert property_names(cast.acme) == ["Plan"]


@pytest.mark.parametrize(
    ("narrowed", "requests"),
    [
        ({"end_user": "ann"}, 2),
        ({"end_user": None}, 1),
        ({"model": "gpt-5"}, 1),
        ({"provider": "openai"}, 3),
        ({"provider": "azure", "end_user": "ann"}, 0),
    ],
)
def test_scope_is_narrowed(scope, narrowed, requests):
    assert totals(replace(scope, **narrowed)).requests == requests


def test_groups_are_ordered_and_paged(scope):
    assert [group.value for group in grouped_by(scope, "user")] == [None, "ann", "bob"]
    assert [group.value for group in grouped_by(scope, "user", order="price")] == ["bob", "ann", None]
    assert [group.value for group in grouped_by(scope, "user", limit=1, offset=1)] == ["ann"]


def test_customers_together_have_zeros_for_those_without_requests(cast):
    wanted = [cast.globex.pk, cast.initech.pk, cast.shady.pk]
    found = by_customer(cast.acme, wanted, NOON, NOON + HOUR)
    assert {customer: figures.requests for customer, figures in found.items()} == dict(
        zip(wanted, (3, 1, 0), strict=True)
    )


def test_rates_leave_out_what_we_refused(cast, root, ship, scope):
    calls = [
        a_call(cast.initech, outcome={"result": REFUSED, "latency_ms": 1}),
        a_call(cast.initech, outcome={"result": FAILED, "latency_ms": 1600}),
        [encode(an_intent(cast.initech))],
    ]
    write_spool(root, [payload for call in calls for payload in call])
    ship()
    roll_up()
    figures = totals(replace(scope, customer_id=cast.initech.pk))
    assert (figures.requests, figures.refused, figures.answered, figures.errors) == (4, 1, 3, 2)
    assert figures.error_rate == 2 / 3
    assert figures.average_latency_ms == 1200  # of the served and the failed one


def test_what_is_sold_under_a_name_is_one_model_to_the_operator_and_another_to_its_customers(cast, root, ship, scope):
    calls = [a_call(cast.initech, alias=name) for name in ("house-model", "house-model", "other-name")]
    write_spool(root, [payload for call in calls for payload in call])
    ship()
    roll_up()
    of_initech = replace(scope, customer_id=cast.initech.pk)
    served = "gpt-4o-mini-2024-07-18"
    assert counts(grouped_by(of_initech, "model")) == {served: 4}
    assert counts(grouped_by(of_initech, "sold_as")) == {"house-model": 2, "other-name": 1, served: 1}
