"""What we know beside genai-prices: each with its source, meant for some model, and in its place in time."""

import re
from datetime import UTC, datetime

import pytest

from apps.pricing import list_extras
from apps.pricing.list_extras import EXTRAS, MODELS, extended
from apps.pricing.list_prices import ALWAYS, ListPrice, ListPrices, list_prices
from apps.pricing.rating import UNITS, VARIED, Price

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
KEY = ("acme", "one")


@pytest.fixture(scope="module")
def listed() -> ListPrices:
    return list_prices()


def a_price(since: datetime = ALWAYS, **told: object) -> ListPrice:
    usual = {"match": {}, "rates": {"input": "1"}, "tiers": [], "units": {}, "services": {}, "hours": []}
    return ListPrice(since, **{**usual, **told})


def with_extras(
    monkeypatch: pytest.MonkeyPatch, versions: list[ListPrice], *extras: dict[str, object]
) -> list[ListPrice]:
    monkeypatch.setattr(list_extras, "EXTRAS", [{"provider": "acme", "models": "o.e", **extra} for extra in extras])
    monkeypatch.setattr(list_extras, "MODELS", [])
    return extended({KEY: versions})[KEY]


def test_each_extra_has_a_source_and_a_model(listed: ListPrices) -> None:
    for extra in EXTRAS:
        meant = [model for provider, model in listed if provider == extra["provider"]]
        assert any(re.fullmatch(extra["models"], model) for model in meant), extra
    assert all(extra["source"].startswith("https://") for extra in [*EXTRAS, *MODELS])


def test_all_prices_can_be_multiplied_with_and_name_known_units(listed: ListPrices) -> None:
    for versions in extended(listed).values():
        for each in versions:
            Price.parse(1, each.rates, each.tiers, None, each.units, each.services, each.hours)
            named = {*each.units, *(unit for service in each.services.values() for unit in service.get("units", ()))}
            assert all(name in UNITS or name.startswith(VARIED) for name in named)
        assert [each.effective_from for each in versions] == sorted({each.effective_from for each in versions})


def test_an_extra_holds_from_its_day_until_its_end(monkeypatch) -> None:
    versions = [a_price(), a_price(JUNE, rates={"input": "3"})]
    told = with_extras(monkeypatch, versions, {"from": MAY, "until": JULY, "rates": {"output": "2"}})
    assert [(each.effective_from, each.rates) for each in told] == [
        (ALWAYS, {"input": "1"}),
        (MAY, {"input": "1", "output": "2"}),
        (JUNE, {"input": "3", "output": "2"}),
        (JULY, {"input": "3"}),
    ]


def test_a_unit_can_be_dropped_and_others_added(monkeypatch) -> None:
    extra = {"units": {"grounded_prompt": "0.035"}, "drop": ["web_search"]}
    [told] = with_extras(monkeypatch, [a_price(units={"web_search": "0.014", "second": "1"})], extra)
    assert told.units == {"second": "1", "grounded_prompt": "0.035"}


def test_a_service_tier_can_cost_what_another_does(monkeypatch) -> None:
    batch = {"rates": {"input": "0.5"}, "tiers": []}
    [told] = with_extras(monkeypatch, [a_price(services={"batch": batch})], {"copied": {"flex": "batch"}})
    assert told.services == {"batch": batch, "flex": batch}
    [without] = with_extras(monkeypatch, [a_price()], {"copied": {"flex": "batch"}})
    assert without.services == {}


def test_a_service_tier_can_cost_so_many_times_the_usual_in_each_other_tier_too(monkeypatch) -> None:
    price = a_price(
        tiers=[{"above": 9, "rates": {"input": "2"}}],
        units={"web_search": "0.01", "cache_read_audio": "0.00000007"},
        services={"fast": {"rates": {"input": "6"}, "tiers": []}},
    )
    [told] = with_extras(monkeypatch, [price], {"scaled": {"us": "1.1"}})
    cached = {"cache_read_audio": "0.000000077"}
    assert told.services == {
        "fast": {"rates": {"input": "6"}, "tiers": []},
        "us": {"rates": {"input": "1.1"}, "tiers": [{"above": 9, "rates": {"input": "2.2"}}], "units": cached},
        "fast+us": {"rates": {"input": "6.6"}, "tiers": [], "units": cached},
    }
