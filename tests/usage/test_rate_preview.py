"""What requests would have cost: each priced again, and an estimate where they are too many."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.pricing.models import ModelPrice
from apps.pricing.rate_cards import add_rate_card, set_own_rates, use_rate_card
from apps.pricing.rules import clean_rules
from apps.usage import rate_preview
from apps.usage.models import Request, Result
from apps.usage.queries.periods import Period
from apps.usage.rate_preview import preview_card, preview_own
from tests.cast import Cast
from tests.used import a_request, an_hour

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PERIOD = Period(NOON - DAY, NOON)
FIXED = clean_rules([{"match": "*", "mode": "absolute", "per_request": "1"}])


@pytest.fixture
def price(db: None) -> ModelPrice:
    rates = {"input": "2", "output": "8"}
    return ModelPrice.objects.create(
        provider="openai", model="gpt-4o-mini", rates=rates, effective_from=NOON - 9 * DAY, source="test"
    )


def used(cast: Cast, held: ModelPrice, *, at: datetime = PERIOD.since, **fields) -> Request:
    """A thousand tokens in, five hundred out: $0.006."""
    told = {"price_id": held.pk, "cost": Decimal("0.006"), "price": Decimal("0.009")}
    return a_request(cast.globex, at, **told | fields)


def test_only_requests_of_the_period_that_were_answered(cast: Cast, price):
    used(cast, price)
    used(cast, price, at=PERIOD.since - timedelta(microseconds=1))
    used(cast, price, at=PERIOD.until)
    used(cast, price, result=Result.REFUSED, cost=0, price=0)
    nothing = {"input_tokens": 0, "output_tokens": 0, "cost": 0, "price": 0, "price_id": None}
    used(cast, price, result=Result.FAILED, **nothing)
    used(cast, price, endpoint="moderations", **nothing)
    found = preview_own(cast.globex, FIXED, PERIOD, at=NOON)
    assert (found.total.requests, found.total.price, found.total.would_be) == (3, Decimal("0.009"), 1)
    assert found.total.difference == Decimal("0.991")
    assert not found.is_partial


def test_a_card_is_tried_behind_own_rates_and_before_the_default(cast: Cast, price):
    for model in ("o1", "o3", "o4"):
        used(cast, price, model=model, model_served=model)
    tried = [{"match": "o3", "mode": "absolute", "per_request": "3"}, {"match": "o1", "mode": "free"}]
    default = [{"match": name, "mode": "absolute", "per_request": "5"} for name in ("o3", "o4")]
    card = add_rate_card(cast.acme, name="Default", rules=default, effective_from=NOON - DAY, by=None)
    use_rate_card(cast.acme, None, card, effective_from=NOON - DAY, by=None)
    own = [{"match": "o1", "mode": "absolute", "per_request": "1"}]
    set_own_rates(cast.globex, rules=own, effective_from=NOON - DAY, by=None)
    found = preview_card(cast.globex, clean_rules(tried), PERIOD, at=NOON)
    assert {name: sums.would_be for name, sums in found.models.items()} == {"o1": 1, "o3": 3, "o4": 5}
    assert [name for name, _ in found.rows()] == ["o4", "o3", "o1"]


def test_without_a_rule_the_markup_of_today(cast: Cast, price):
    used(cast, price)
    cast.globex.markup_percent = Decimal(100)
    assert preview_own(cast.globex, [], PERIOD, at=NOON).total.would_be == Decimal("0.012")


def test_what_nobody_knows_is_counted(cast: Cast, price):
    used(cast, price, price_id=None, cost=None, price=None)
    sums = preview_own(cast.globex, [], PERIOD, at=NOON).total
    assert (sums.unknown, sums.would_be) == (1, 0)
    assert preview_own(cast.globex, FIXED, PERIOD, at=NOON).total.unknown == 0


def test_where_they_are_too_many_the_newest_stand_for_all(cast: Cast, price, monkeypatch):
    monkeypatch.setattr(rate_preview, "MOST", 2)
    used(cast, price, at=PERIOD.since, model="old", model_served="old")
    for hours in (1, 2):
        used(cast, price, at=PERIOD.since + timedelta(hours=hours))
    an_hour(cast.globex, PERIOD.since, requests=3, price=Decimal(27))
    found = preview_own(
        cast.globex, clean_rules([{"match": "*", "mode": "cost_plus", "markup_percent": "0"}]), PERIOD, at=NOON
    )
    assert (found.is_partial, found.total.requests, found.all_requests) == (True, 2, 3)
    assert list(found.models) == ["gpt-4o-mini-2024-07-18"]
    assert found.all_would_be == Decimal("18.00")
