"""An operator's own prices: by the service and by the command."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from apps.pricing.book import find_price
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Tokens, rate
from apps.pricing.services import set_price

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_price_has_units_and_service_tiers(cast) -> None:
    set_price(
        cast.acme,
        provider="openai",
        model="own",
        rates={"input": "2"},
        units={"web_search": "0.01"},
        services={"flex": {"rates": {"input": "1"}, "units": {"web_search": "0.005"}}},
        effective_from=NOW,
        by=cast.olivia,
    )
    price = find_price(cast.acme.pk, "openai", "own", NOW)
    used = Tokens(input=1_000_000), price, Decimal(0), (("web_search", 2),)
    assert (rate(*used).cost, rate(*used, "flex").cost) == (Decimal("2.02"), Decimal("1.01"))


@pytest.mark.parametrize(
    ("units", "services", "why"),
    [
        ({"web_serach": "0.01"}, {}, "web_serach"),
        ({"image": "-1"}, {}, "not a price"),
        ({}, {"flex": {"rates": {"inputs": "1"}}}, "no such kind of token"),
        ({}, {"flex": {"units": {"searches": "1"}}}, "searches"),
    ],
)
def test_what_is_no_price_is_refused(cast, units, services, why) -> None:
    told = {"provider": "openai", "model": "own", "rates": {"input": "2"}, "effective_from": NOW, "by": None}
    with pytest.raises(ValidationError, match=why):
        set_price(cast.acme, **told, units=units, services=services)
    assert not ModelPrice.objects.exists()


def test_the_command_takes_units_and_service_tiers(cast, capsys) -> None:
    call_command(
        "price", "own", "--organization", cast.acme.slug, "--input", "2", "--unit", "image:high:1024x1024=0.167",
        "--unit", "second=0.111/3600", "--service", "flex:input=1", "--service", "flex:web_search=0.005", "--json",
    )  # fmt: skip
    row = ModelPrice.objects.get()
    assert (row.rates, row.units) == ({"input": "2"}, {"image:high:1024x1024": "0.167", "second": "0.111/3600"})
    assert row.services == {"flex": {"rates": {"input": "1"}, "units": {"web_search": "0.005"}}}
    assert json.loads(capsys.readouterr().out)["services"] == row.services


@pytest.mark.parametrize("said", ["web_search", "=1", "web_search="])
def test_the_command_refuses_what_it_cannot_read(cast, said) -> None:
    with pytest.raises(CommandError, match="is no price"):
        call_command("price", "own", "--organization", cast.acme.slug, "--input", "2", "--unit", said)
