"""Rate cards in the console: made, changed as of a date, tried out, given to customers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import Role
from apps.pricing.card_book import default_card, layers_of, told_of
from apps.pricing.models import ModelPrice, RateCard, RateCardUse, RateCardVersion
from apps.pricing.rate_cards import add_rate_card, set_own_rates, set_rates, use_rate_card
from tests.cast import Cast, a_member
from tests.pages import rows_of, text_of
from tests.used import a_request

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
PLUS = {"match": "*", "mode": "cost_plus", "markup_percent": "10"}


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def billing(client: Client, cast: Cast) -> Client:
    client.force_login(a_member(cast.acme, Role.BILLING).user)
    return client


def sent(*rules: dict[str, str], **fields: str) -> dict[str, str]:
    """The editor's form as a browser sends it."""
    rows = [*rules, {}]
    data = {"rules-TOTAL_FORMS": str(len(rows)), "rules-INITIAL_FORMS": "0", **fields}
    for number, rule in enumerate(rows):
        data |= {f"rules-{number}-{name}": value for name, value in ({"mode": "cost_plus"} | rule).items()}
    return data


def a_card(cast: Cast, name: str = "Retail", *, at: datetime = NOW - DAY, **rule: Any) -> RateCard:
    return add_rate_card(cast.acme, name=name, rules=[PLUS | rule], effective_from=at, by=None)


def rules_of(version: RateCardVersion) -> list[dict[str, Any]]:
    return [told_of(row).as_told() for row in version.rules.order_by("pk")]


def test_a_card_is_made_of_rows(billing: Client, cast: Cast):
    rules = [
        {"match": "*", "markup_percent": "25", "output": "30", "more": "web_search=0", "floor": "0.001"},
        {"match": "gpt-5*", "mode": "absolute", "input": "1.5", "output": "12", "more": "reasoning=8 web_search=0.02"},
        {"match": "o4-*", "mode": "free"},
    ]
    answer = billing.post("/console/rate-cards/add/", sent(*rules, name="Retail", note="For all"))
    card = RateCard.objects.get()
    assert answer.headers["Location"] == f"/console/rate-cards/{card.pk}/"
    version = card.versions.get()
    assert (card.organization, card.name, version.note, version.effective_from) == (cast.acme, "Retail", "For all", NOW)
    assert rules_of(version) == [
        {
            "match": "gpt-5*",
            "mode": "absolute",
            "rates": {"input": "1.5", "output": "12", "reasoning": "8"},
            "units": {"web_search": "0.02"},
        },
        {"match": "o4-*", "mode": "free"},
        {
            "match": "*",
            "mode": "cost_plus",
            "markup_percent": "25",
            "markups": {"output": "30", "web_search": "0"},
            "floor": "0.001",
        },
    ]
    assert rows_of(billing.get(f"/console/rate-cards/{card.pk}/"))[:4] == [
        "Models How Price Of a call",
        "gpt-5* Own prices Input $1.5 a million Output $12 a million Reasoning $8 a million web search $0.02 each",
        "o4-* Free",
        "* Cost plus a markup cost +25 % Output +30 % web search +0 % at least $0.001",
    ]


WRONG = [  # rows and other fields, and what is said
    pytest.param([{"match": "*"}], {}, "needs a markup_percent", id="no markup"),
    pytest.param([{"match": "*", "markup_percent": "lots"}], {}, "not a number: lots", id="no number"),
    pytest.param(
        [{"match": "*", "markup_percent": "1", "more": "web_search"}], {}, "Write names and numbers", id="more"
    ),
    pytest.param(
        [{"match": "gpt-*", "markup_percent": "1"}, {"match": "*mini", "markup_percent": "1"}],
        {},
        "can mean the same model",
        id="ambiguous",
    ),
    pytest.param([], {"effective_from": "2026-03-10T11:59"}, "This has passed", id="in the past"),
    pytest.param([], {"name": ""}, "This field is required", id="no name"),
    pytest.param([], {"name": "Taken"}, "There is a rate card of this name already", id="a name twice"),
]


@pytest.mark.parametrize(("rules", "fields", "said"), WRONG)
def test_what_is_wrong_is_said_and_nothing_is_saved(billing: Client, cast: Cast, rules, fields, said):
    a_card(cast, "Taken")
    answer = billing.post("/console/rate-cards/add/", sent(*rules, **{"name": "Retail"} | fields))
    assert answer.status_code == 200
    assert said in text_of(answer)
    assert RateCard.objects.count() == 1


def test_more_rows_keep_what_was_typed(billing: Client, cast: Cast):
    data = sent({"match": "gpt-4o", "markup_percent": "7"}, name="Typed", more_rows="1")
    answer = billing.post("/console/rate-cards/add/", data)
    html = answer.content.decode()
    assert 'value="gpt-4o"' in html
    assert 'value="Typed"' in html
    assert 'name="rules-11-match"' in html
    assert "This field is required" not in html


def test_a_change_is_a_new_version_from_a_date_that_begins_with_the_newest(billing: Client, cast: Cast):
    card = a_card(cast, match="gpt-4o")
    html = billing.get(f"/console/rate-cards/{card.pk}/edit/").content.decode()
    assert 'value="gpt-4o"' in html
    assert 'value="10"' in html
    rule = {"match": "gpt-4o", "markup_percent": "20"}
    cast.acme.time_zone = "Europe/Berlin"
    cast.acme.save()
    billing.post(f"/console/rate-cards/{card.pk}/edit/", sent(rule, effective_from="2026-04-01T00:00"))
    first, second = card.versions.order_by("number")
    assert (rules_of(first)[0]["markup_percent"], rules_of(second)[0]["markup_percent"]) == ("10", "20")
    assert second.effective_from == datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    text = text_of(billing.get(f"/console/rate-cards/{card.pk}/"))
    assert "1 Apr 2026 00:00" in text
    assert "cost +10 %" in text
    assert "cost +20 %" in text_of(billing.get(f"/console/rate-cards/{card.pk}/?version=2"))
    assert billing.get(f"/console/rate-cards/{card.pk}/?version=3").status_code == 404


def test_a_version_that_has_not_begun_can_be_taken_back(billing: Client, cast: Cast):
    card = a_card(cast)
    set_rates(card, rules=[PLUS], effective_from=NOW + DAY, by=None)
    billing.post(f"/console/rate-cards/{card.pk}/withdraw/", {"version": "2"})
    answer = billing.post(f"/console/rate-cards/{card.pk}/withdraw/", {"version": "1"}, follow=True)
    assert "This version has begun" in text_of(answer)
    assert card.versions.get().number == 1
    answer = billing.post(f"/console/rate-cards/{card.pk}/withdraw/", {"version": "2"}, follow=True)
    assert "no such version any more" in text_of(answer)


def test_the_list_and_the_default(billing: Client, cast: Cast):
    assert "No rate cards" in text_of(billing.get("/console/rate-cards/"))
    card = a_card(cast)
    set_rates(card, rules=[PLUS], effective_from=NOW + DAY, by=None)
    use_rate_card(cast.acme, cast.globex, card, effective_from=NOW, by=None)
    a_card(cast, "Wholesale", at=NOW + DAY)
    add_rate_card(cast.evil_corp, name="Theirs", rules=[PLUS], effective_from=NOW, by=None)
    billing.post("/console/rate-cards/default/", {"card": str(card.pk)})
    assert default_card(cast.acme.pk, NOW) == card
    assert rows_of(billing.get("/console/rate-cards/")) == [
        "Name In force To come Customers",
        "Retail Default Version 1, since 9 Mar 2026 12:00 Version 2, from 11 Mar 2026 12:00 1",
        "Wholesale Not begun Version 1, from 11 Mar 2026 12:00 0",
    ]
    billing.post("/console/rate-cards/default/", {"card": "", "effective_from": "2026-04-01T00:00"})
    assert default_card(cast.acme.pk, NOW) == card
    assert default_card(cast.acme.pk, datetime(2026, 4, 1, tzinfo=UTC)) is None
    assert "From 1 Apr 2026 00:00: none." in text_of(billing.get("/console/rate-cards/"))


def test_another_organizations_card_cannot_be_chosen(billing: Client, cast: Cast):
    theirs = add_rate_card(cast.evil_corp, name="Theirs", rules=[PLUS], effective_from=NOW, by=None)
    for path in ("rate-cards/default/", f"customers/{cast.globex.pk}/rates/card/"):
        answer = billing.post(f"/console/{path}", {"card": str(theirs.pk)}, follow=True)
        assert "not one of the available choices" in text_of(answer)
    assert not RateCardUse.objects.exists()


def test_a_card_is_renamed_and_goes_when_nobody_was_on_it(billing: Client, cast: Cast):
    card = a_card(cast)
    billing.post(f"/console/rate-cards/{card.pk}/rename/", {"name": "Everybody"})
    assert RateCard.objects.get().name == "Everybody"
    a_card(cast, "Other")
    answer = billing.post(f"/console/rate-cards/{card.pk}/rename/", {"name": "Other"}, follow=True)
    assert "of this name already" in text_of(answer)
    billing.post(f"/console/rate-cards/{card.pk}/delete/")
    assert RateCard.objects.get().name == "Other"


def test_a_customer_is_put_on_a_card_and_has_rates_of_its_own(billing: Client, cast: Cast):
    card = a_card(cast)
    url = f"/console/customers/{cast.globex.pk}/rates/"
    assert "None in force" in text_of(billing.get(url))
    billing.post(f"{url}card/", {"card": str(card.pk)})
    billing.post(f"{url}edit/", sent({"match": "o3", "mode": "absolute", "per_request": "0.1"}))
    own, chosen, _plan, _default = layers_of(cast.globex, NOW)
    assert (own.card.customer, rules_of(own), chosen) == (
        cast.globex,
        [{"match": "o3", "mode": "absolute", "per_request": "0.1"}],
        card,
    )
    text = text_of(billing.get(url))
    assert "Own rates Version 1, since 10 Mar 2026 12:00 Rate card Retail Default card none" in text
    assert "o3 Own prices $0.1 a call" in text
    assert "Globex" in text_of(billing.get(f"/console/rate-cards/{card.pk}/"))
    assert layers_of(cast.initech, NOW) == (None, None, None, None)


@pytest.fixture
def used(cast: Cast) -> None:
    """A thousand tokens in and five hundred out, in February; they cost $0.006 and were sold at $0.0072."""
    price = ModelPrice.objects.create(
        provider="openai",
        model="gpt-4o-mini",
        rates={"input": "2", "output": "8"},
        effective_from=FEBRUARY - DAY,
        source="test",
    )
    known = {"price_id": price.pk, "cost": Decimal("0.006"), "price": Decimal("0.0072"), "markup_percent": 20}
    a_request(cast.globex, FEBRUARY, **known)
    a_request(cast.globex, FEBRUARY, alias="house", **known)
    a_request(cast.globex, FEBRUARY, model="new", model_served="new", cost=None, price=None)
    a_request(cast.globex, NOW, **known)
    a_request(cast.initech, FEBRUARY, **known)


def test_a_preview_prices_last_months_requests_and_changes_nothing(billing: Client, cast: Cast, used):
    set_own_rates(
        cast.globex, rules=[PLUS | {"match": "house", "markup_percent": "100"}], effective_from=NOW - DAY, by=None
    )
    rule = {"match": "gpt-4o*", "mode": "absolute", "input": "10", "output": "20"}
    fields = {"customer": str(cast.globex.pk), "period": "last_month", "preview": "1", "name": "Retail"}
    answer = billing.post("/console/rate-cards/add/", sent(rule, **fields))
    assert rows_of(answer)[-4:] == [
        "Model Requests Cost Charged By these rules Difference",
        "gpt-4o-mini-2024-07-18 1 ≈ $0.0060 ≈ $0.0072 $0.0200 $0.0128",
        "house 1 ≈ $0.0060 ≈ $0.0072 $0.0120 ≈ $0.0048",
        "new 1 $0.00 $0.00 $0.00 $0.00",
    ]
    assert "1 would have no price" in text_of(answer)
    assert 'value="Retail"' in answer.content.decode()
    assert not RateCard.objects.filter(customer=None).exists()


def test_a_preview_of_own_rates_is_the_customers(billing: Client, cast: Cast, used):
    rule = {"match": "*", "mode": "absolute", "per_request": "1"}
    answer = billing.post(f"/console/customers/{cast.globex.pk}/rates/edit/", sent(rule, period="month", preview="1"))
    assert rows_of(answer)[-1] == "gpt-4o-mini-2024-07-18 1 ≈ $0.0060 ≈ $0.0072 $1.00 $0.9928"
    assert not RateCard.objects.exists()


def test_a_preview_wants_a_customer_of_ones_own_that_used_anything(billing: Client, cast: Cast):
    rule = {"match": "*", "mode": "free"}
    said = {
        "": "Choose a customer",
        str(cast.shady.pk): "not one of the available choices",
        str(cast.initech.pk): "Initech made no requests in this period",
    }
    for customer, words in said.items():
        answer = billing.post("/console/rate-cards/add/", sent(rule, customer=customer, preview="1"))
        assert words in text_of(answer)


@pytest.mark.parametrize("path", ["rate-cards/", "rate-cards/add/", "customers/{customer}/rates/"])
def test_viewers_may_not(client: Client, cast: Cast, path):
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    assert client.get(f"/console/{path.format(customer=cast.globex.pk)}").status_code == 403
