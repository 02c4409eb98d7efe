"""Events to send, and a price that is easy to reckon with."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.customers.models import Customer
from apps.ingest.calls import Sender
from apps.ingest.event import Told, told_from
from apps.ingest.services import Result, Sent, Status, record_events
from apps.pricing.models import ModelPrice

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
RATES = {"input": "2", "cache_read": "1", "output": "10"}  # USD a million


def told(key: str = "event-1", **fields: Any) -> Told:
    """An event as it may be sent: 1,000 tokens in, 500 out, which cost 0.007 USD."""
    values = {
        "id": key,
        "started_at": "2026-03-10T11:59:00Z",
        "provider": "openai",
        "model": "gpt-test",
        "tokens": {"input": 1000, "output": 500},
    } | fields
    return told_from({name: value for name, value in values.items() if value is not None})


def sender_of(customer: Customer, **fields: Any) -> Sender:
    return Sender(customer.organization_id, customer.pk, customer.effective_markup_percent)._replace(**fields)


def send(customer: Customer, *events: Told, at: datetime = NOW, **options: Any) -> list[Result]:
    """Have these events of the customer recorded."""
    sent = [Sent(sender_of(customer), event) for event in events]
    return record_events(customer.organization, sent, at=at, **options)


def statuses(results: list[Result]) -> list[Status]:
    return [result.status for result in results]


@pytest.fixture
def price(db: None) -> ModelPrice:
    return a_price()


def a_price(**fields: Any) -> ModelPrice:
    values = {
        "organization": None,
        "provider": "openai",
        "model": "gpt-test",
        "match": {"equals": "gpt-test"},
        "rates": RATES,
        "effective_from": datetime(2020, 1, 1, tzinfo=UTC),
        "source": "test",
    }
    return ModelPrice.objects.create(**values | fields)


COST = Decimal("0.007")  # of `told()`
