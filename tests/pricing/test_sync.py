"""List prices from genai-prices: complete, exact, with their history, and the same however often they come."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection
from genai_prices import Usage, calc_price

from apps.pricing.book import find_price
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Tokens, rate
from apps.pricing.services import set_price
from apps.pricing.sync import sync_prices

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NO_MARKUP = Decimal(0)


def listening() -> dict[str, Any]:
    """How to connect to the database of this test."""
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("host", "user", "password", "dbname", "port") if parameters.get(name)}


@pytest.fixture
def book() -> None:
    sync_prices(at=NOW)


def test_a_second_sync_changes_nothing(book: None) -> None:
    before = ModelPrice.objects.count()
    report = sync_prices(at=NOW + timedelta(days=1))
    assert (report.added, report.corrected, ModelPrice.objects.count()) == ([], [], before)
    assert report.unchanged > 2000


def test_a_dry_run_adds_nothing() -> None:
    assert len(sync_prices(at=NOW, dry_run=True).added) > 2000
    assert not ModelPrice.objects.exists()


def test_a_corrected_price_holds_from_the_sync_on(book: None, cast) -> None:
    ModelPrice.objects.filter(model="gpt-4o-mini").update(rates={"input": "1", "output": "2"})
    report = sync_prices(at=NOW + timedelta(hours=1))
    assert report.corrected == ["openai/gpt-4o-mini"]
    before = find_price(cast.acme.pk, "openai", "gpt-4o-mini", NOW)
    after = find_price(cast.acme.pk, "openai", "gpt-4o-mini", NOW + timedelta(hours=1))
    assert rate(Tokens(input=1_000_000), before, NO_MARKUP).cost == 1
    assert rate(Tokens(input=1_000_000), after, NO_MARKUP).cost == Decimal("0.15")


def test_a_price_holds_from_its_day(book: None, cast) -> None:
    """OpenAI's o3: $10 and $40 a million before 10 June 2025, $2 and $8 from then on."""
    million = Tokens(input=1_000_000, output=1_000_000)
    for day, cost in ((9, 50), (10, 10)):
        price = find_price(cast.acme.pk, "openai", "o3", datetime(2025, 6, day, tzinfo=UTC))
        assert rate(million, price, NO_MARKUP).cost == cost


def test_what_the_source_has_beside_tokens_comes_with_it(book: None, cast) -> None:
    """Searches, service tiers from the day they are known, and a cached token of sound that costs more than text."""
    before, after = (find_price(cast.acme.pk, "openai", "gpt-5", NOW - timedelta(days=days)) for days in (60, 0))
    assert not before.services
    assert set(after.services) == {"flex", "priority", "fast", "batch"}
    assert (after.units["web_search"], after.units["file_search"]) == (10**10, 25 * 10**8)
    assert after.services["flex"].base.tokens[0] * 2 == after.base.tokens[0]
    flash = find_price(cast.acme.pk, "google", "gemini-2.5-flash", NOW)
    assert flash.units["cache_read_audio"] == 70_000  # $0.10 a million, where text costs $0.03
    assert find_price(cast.acme.pk, "groq", "whisper-large-v3", NOW).units["second"] * 3600 == 111 * 10**9


@pytest.mark.parametrize("name", ["units", "services", "hours"])
def test_whatever_the_source_corrects_is_corrected(book: None, name: str) -> None:
    row = ModelPrice.objects.filter(provider="deepseek", model="deepseek-v4-pro").latest("effective_from")
    ModelPrice.objects.filter(pk=row.pk).update(**{name: [] if name == "hours" else {"web_search": "1"}})
    assert sync_prices(at=NOW + timedelta(hours=1)).corrected == ["deepseek/deepseek-v4-pro"]


def test_the_operators_own_rate_goes_before_the_list(book: None, cast) -> None:
    set_price(
        cast.acme,
        provider="openai",
        model="gpt-4o-mini",
        rates={"input": "3"},
        effective_from=NOW,
        by=cast.olivia,
    )
    own = find_price(cast.acme.pk, "openai", "gpt-4o-mini", NOW)
    other = find_price(cast.evil_corp.pk, "openai", "gpt-4o-mini", NOW)
    assert rate(Tokens(input=1_000_000), own, NO_MARKUP).cost == 3
    assert rate(Tokens(input=1_000_000), other, NO_MARKUP).cost == Decimal("0.15")
    earlier = find_price(cast.acme.pk, "openai", "gpt-4o-mini", NOW - timedelta(seconds=1))
    assert rate(Tokens(input=1_000_000), earlier, NO_MARKUP).cost == Decimal("0.15")


def test_an_unknown_model_has_no_price(book: None, cast) -> None:
    assert find_price(cast.acme.pk, "openai", "nobody-knows-this-1", NOW) is None
    assert find_price(cast.acme.pk, "no-such-provider", "gpt-4o", NOW) is None


MINI, SONNET, PRO = "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5-20250929", "gemini-2.5-pro"
AGREED = [  # provider, the name an answer gives, our tokens, genai-prices' usage: input, output, cache read, write
    ("openai", MINI, Tokens(input=900, cache_read=100, output=50), (1000, 50, 100, 0)),
    ("openai", "gpt-4o", Tokens(input=7, output=3, reasoning=4), (7, 7, 0, 0)),
    ("anthropic", SONNET, Tokens(input=10, cache_read=20, cache_write=30, output=5), (60, 5, 20, 30)),
    ("anthropic", SONNET, Tokens(input=300_000, output=1000), (300_000, 1000, 0, 0)),
    ("google", PRO, Tokens(input=250_000, output=600, reasoning=400), (250_000, 1000, 0, 0)),
    ("google", PRO, Tokens(input=200_000, output=10), (200_000, 10, 0, 0)),
    ("groq", "llama-3.3-70b-versatile", Tokens(input=12, output=34), (12, 34, 0, 0)),
]


@pytest.mark.parametrize(("provider", "model", "tokens", "usage"), AGREED)
def test_costs_agree_with_the_source(book: None, cast, provider, model, tokens, usage) -> None:
    price = find_price(cast.acme.pk, provider, model, NOW)
    sent, written, read, cached = usage
    said = Usage(
        input_tokens=sent, output_tokens=written, cache_read_tokens=read or None, cache_write_tokens=cached or None
    )
    theirs = calc_price(said, model, provider_id=provider, genai_request_timestamp=NOW)
    assert rate(tokens, price, NO_MARKUP).cost == theirs.total_price


@pytest.mark.django_db(transaction=True)
def test_each_change_is_told_to_the_proxies(cast) -> None:
    with psycopg.connect(**listening(), autocommit=True) as listener:
        listener.execute("LISTEN tollgate_grants")
        set_price(cast.acme, provider="openai", model="new", rates={"input": "3"}, effective_from=NOW, by=None)
        heard = [notice.payload for notice in listener.notifies(timeout=2, stop_after=1)]
    assert heard == ["prices"]


def test_context_windows_are_those_of_today_and_make_no_new_price(book: None, cast) -> None:
    rows = ModelPrice.objects.filter(organization=None)
    number, mini = rows.count(), rows.filter(provider="openai", model="gpt-4o-mini")
    assert {row.context_window for row in mini} == {128_000}
    mini.update(context_window=5)
    assert sync_prices(at=NOW).corrected == []
    assert {row.context_window for row in mini.all()} == {128_000}
    assert rows.count() == number
    assert rows.filter(provider="google", model="gemini-2.5-pro").latest("effective_from").context_window == 1_048_576
