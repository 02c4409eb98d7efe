"""Which row of the price book applies."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.pricing.book import find_price, find_row
from apps.pricing.models import ModelPrice
from tests.cast import Cast

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def a_price(provider: str, rate: str, **more: Any) -> ModelPrice:
    fields = {"model": "gpt-x", "rates": {"input": rate}, "effective_from": NOW, "source": "test", **more}
    return ModelPrice.objects.create(provider=provider, **fields)


@pytest.mark.django_db
def test_azure_charges_openais_list_price_where_the_book_has_none_of_its_own(cast: Cast):
    assert find_row(cast.acme.pk, "azure", "gpt-x", NOW) is None
    a_price("openai", "1", organization=cast.acme)  # what acme pays to OpenAI is no price of Azure's
    assert find_row(cast.acme.pk, "azure", "gpt-x", NOW) is None
    listed = a_price("openai", "2")
    assert find_row(cast.acme.pk, "azure", "gpt-x", NOW) == listed
    at_azure = a_price("azure", "3")
    assert find_row(cast.acme.pk, "azure", "gpt-x", NOW) == at_azure
    own = a_price("azure", "4", organization=cast.acme)
    assert find_row(cast.acme.pk, "azure", "gpt-x", NOW) == own
    assert find_row(cast.evil_corp.pk, "azure", "gpt-x", NOW) == at_azure


@pytest.mark.django_db
def test_nobody_else_charges_anothers_price(cast: Cast):
    a_price("openai", "2")
    assert find_row(cast.acme.pk, "together", "gpt-x", NOW) is None


@pytest.mark.django_db
def test_an_own_rate_leaves_the_context_window_as_it_is_listed(cast: Cast):
    def window() -> int | None:
        price = find_price(cast.acme.pk, "openai", "gpt-x", NOW)
        assert price is not None
        return price.context_window

    a_price("openai", "2", context_window=400_000)
    assert window() == 400_000
    a_price("openai", "1", organization=cast.acme)
    assert window() == 400_000
    ModelPrice.objects.filter(organization=cast.acme).update(context_window=100)
    assert window() == 100


@pytest.mark.django_db
def test_a_window_holds_in_every_service_tier_and_hour(cast: Cast):
    hours = [{"days": "1234567", "from": "00:00", "until": "24:00", "rates": {"input": "3"}}]
    a_price("openai", "2", context_window=7, services={"flex": {"rates": {"input": "1"}}}, hours=hours)
    price = find_price(cast.acme.pk, "openai", "gpt-x", NOW)
    assert price is not None
    every = [price, price.at(NOW.timestamp()), *price.services.values()]
    assert [each.context_window for each in every] == [7, 7, 7]
