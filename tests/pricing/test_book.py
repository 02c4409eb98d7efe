"""Which row of the price book applies."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.pricing.book import find_row
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
