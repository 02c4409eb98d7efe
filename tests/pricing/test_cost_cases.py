"""What calls cost, to the last digit: the provider's answer through the real reader, and the real list prices.

cost_cases.json has a case for each way in which providers charge. `tokens` and `pieces` are the sum as it is worked
by hand from the page in `source`: how many, and USD a million tokens or a piece. What no reader tells (batches,
speech) is given as `units`.
"""

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from apps.pricing.book import find_price
from apps.pricing.rating import Price, Tokens, rate
from apps.pricing.sync import sync_prices
from apps.proxy.meter import Meter, Usage
from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask
from tests.proxy.protocols.answers import EVENTS, JSON, encode, events, head

pytestmark = pytest.mark.django_db  # which has the database made; only `prices` reads it

CASES = json.loads(Path(__file__).with_name("cost_cases.json").read_text(encoding="utf-8"))
NOBODY = UUID(int=0)  # who has no prices of its own
SYNCED_AT = datetime.fromisoformat("2027-01-01T00:00:00Z")

each_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case['provider']}: {case['name']}") for case in CASES]
)


@pytest.fixture(scope="module")
def prices(django_db_setup: None, django_db_blocker: Any) -> dict[str, Price]:
    """The price of each case, by its name, from a book that was synced once."""
    with django_db_blocker.unblock(), transaction.atomic():
        sync_prices(at=SYNCED_AT)
        found = {key_of(case): price_of(case) for case in CASES}
        transaction.set_rollback(True)
    return found


def key_of(case: dict[str, Any]) -> str:
    return f"{case['provider']}: {case['name']}"


def price_of(case: dict[str, Any]) -> Price:
    at = datetime.fromisoformat(case["at"])
    price = find_price(NOBODY, case["provider"], case["model"], at)
    assert price is not None, case
    return price.at(at.timestamp())


def used(case: dict[str, Any]) -> Usage:
    """What the answer tells."""
    if "answer" not in case:
        told = case["units"]
        units = tuple(told.get("units", {}).items())
        return Usage(Tokens(**told.get("tokens", {})), units=units, service_tier=case.get("service_tier", ""))
    return metered(case, JSON, encode({"id": "1", "model": case["model"], **case["answer"]}))


def metered(case: dict[str, Any], content_type: bytes, answer: bytes) -> Usage:
    match = routes.find("POST", case["path"].encode(), [])
    assert match is not None
    ask = Ask(model=case["model"])
    if match.operation.needs_json:
        ask = match.wire.read(match.operation, encode({"model": case["model"], **case.get("request", {})}))
    ask.provider = case["provider"]
    meter = Meter(match.wire, match.operation, ask, head(content_type))
    meter.feed(answer)
    meter.feed(b"")
    return meter.finish()


def cost_of(usage: Usage, price: Price) -> Decimal:
    return rate(usage.tokens, price, Decimal(0), usage.units, usage.service_tier).cost


@each_case
def test_a_call_costs_what_the_provider_charges(prices: dict[str, Price], case: dict[str, Any]) -> None:
    usage = used(case)
    assert cost_of(usage, prices[key_of(case)]) == Decimal(case["cost"])
    charged = case.get("provider_cost")
    assert usage.provider_cost == (None if charged is None else Decimal(charged))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case["name"])
        for case in CASES
        if "answer" in case and case["path"] in ("/v1/responses", "/v1/chat/completions")
    ],
)
def test_it_costs_the_same_streamed(prices: dict[str, Price], case: dict[str, Any]) -> None:
    answer = {"id": "1", "model": case["model"], **case["answer"]}
    if case["path"] == "/v1/responses":
        stream = events({"type": "response.completed", "response": answer}, named=True)
    else:
        stream = events({**answer, "choices": []}, b"[DONE]")
    assert cost_of(metered(case, EVENTS, stream), prices[key_of(case)]) == Decimal(case["cost"])


@each_case
def test_the_sum_by_hand_is_right(case: dict[str, Any]) -> None:
    by_tokens = sum((Decimal(count) * Decimal(rate) for count, rate in case["tokens"]), Decimal(0))
    by_pieces = sum((Decimal(count) * Decimal(rate) for count, rate in case.get("pieces", ())), Decimal(0))
    assert by_tokens / 1_000_000 + by_pieces == Decimal(case["cost"])


def test_there_are_cases_of_all_providers_that_charge_in_their_own_way() -> None:
    counted = Counter(case["provider"] for case in CASES)
    assert counted.total() >= 80
    assert set(counted) >= {
        "openai", "anthropic", "google", "mistral", "groq", "deepseek", "x-ai", "together", "openrouter",
    }  # fmt: skip
    assert all(case["source"].startswith("https://") for case in CASES)
