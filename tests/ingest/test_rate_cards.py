"""What is sent instead of proxied is sold by the rate cards of its time, too."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.ingest.event import Told
from apps.ingest.senders import Senders
from apps.ingest.services import Status, record_events
from apps.pricing.models import RateRule
from apps.pricing.rate_cards import set_own_rates
from apps.usage.models import Request
from tests.cast import Cast
from tests.ingest.conftest import COST, NOW, told

RULES = [
    {"match": "gpt-*", "mode": "absolute", "per_request": "3"},
    {"match": "house", "mode": "absolute", "per_request": "5"},
]
SOLD = [  # what is sent; its price, cost, and by which rule
    pytest.param({"started_at": "2026-02-28T23:59:59.999999Z"}, COST, COST, None, id="before the card"),
    pytest.param({"started_at": "2026-03-01T00:00:00Z"}, Decimal(3), COST, "gpt-*", id="from its instant on"),
    pytest.param({"model": "openai/gpt-test"}, Decimal(3), COST, "gpt-*", id="with the provider's name"),
    pytest.param({"alias": "house"}, Decimal(5), COST, "house", id="by the name that it is sold under"),
    pytest.param({"model": "gpt-unheard-of"}, Decimal(3), None, "gpt-*", id="a model of unknown cost"),
    pytest.param({"tokens": None, "status": 500}, Decimal(0), Decimal(0), "gpt-*", id="nothing used"),
    pytest.param({"endpoint": "moderations"}, Decimal(0), Decimal(0), None, id="never charged"),
]


@pytest.mark.parametrize(("fields", "price_paid", "cost", "match"), SOLD)
def test_an_event_is_sold_by_the_card_of_its_time(cast: Cast, price, fields, price_paid, cost, match):
    set_own_rates(cast.globex, rules=RULES, effective_from=datetime(2026, 3, 1, tzinfo=UTC), by=None)
    set_own_rates(cast.initech, rules=[], effective_from=datetime(2026, 3, 1, tzinfo=UTC), by=None)
    events: list[Told] = [told(customer=customer, **fields) for customer in ("globex", "initech")]
    senders = Senders(cast.acme, None, events)
    results = record_events(cast.acme, [senders.sent(event) for event in events], at=NOW)
    assert [result.status for result in results] == [Status.ACCEPTED] * 2
    request = Request.objects.get(customer_id=cast.globex.pk)
    rule = RateRule.objects.filter(pk=request.rate_rule_id).first()
    assert (request.price, request.cost, rule and rule.match) == (price_paid, cost, match)
    assert Request.objects.get(customer_id=cast.initech.pk).rate_rule_id is None
