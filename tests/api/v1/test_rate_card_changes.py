"""Rate cards by API: made, changed from a date on, used, tried out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.pricing.card_book import layers_of
from apps.pricing.models import RateCard, RateCardUse, RateCardVersion
from apps.pricing.rate_cards import add_rate_card
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast
from tests.used import a_request

pytestmark = pytest.mark.usefixtures("noon")

PLUS = {"match": "*", "mode": "cost_plus", "markup_percent": "50"}
FIXED = {"match": "gpt-5*", "mode": "absolute", "rates": {"input": "3", "output": "9"}, "floor": "0.001"}
LATER = "2026-04-01T00:00:00Z"


def a_card(organization, name: str = "Retail") -> RateCard:
    return add_rate_card(organization, name=name, rules=[PLUS], effective_from=NOW - timedelta(days=1), by=None)


def test_a_card_is_added_once(acmes: Program, cast: Cast):
    told = acmes.does("POST", "rate-cards", {"name": "Retail", "rules": [PLUS, FIXED], "note": "first"}, status=201)
    [version] = told["versions"]
    assert (told["name"], told["customer"]) == ("Retail", None)
    assert version == {
        "number": 1, "effective_from": "2026-03-10T12:00:00Z", "note": "first", "rules": [FIXED, PLUS]
    }  # fmt: skip
    acmes.does("POST", "rate-cards", {"name": "Retail", "rules": []}, status=400)
    assert RateCard.objects.count() == 1
    assert cast.acme.audit_events.get(action="rate_card.add").actor_label.startswith("API token")


WRONG = [
    pytest.param([PLUS, PLUS], id="two-for-the-same"),
    pytest.param([FIXED | {"markup_percent": "5"}], id="a-markup-on-a-price"),
    pytest.param([PLUS | {"match": "a b"}], id="no-pattern"),
    pytest.param([PLUS | {"colour": "red"}], id="a-member-that-is-none"),
    pytest.param([PLUS | {"markup_percent": 50}], id="a-float"),
    pytest.param([PLUS | {"markup_percent": "1e999999999"}], id="a-bomb"),
    pytest.param([FIXED | {"rates": {"Input!": "1"}}], id="no-name"),
    pytest.param([FIXED | {"units": {"no_such_piece": "1"}}], id="no-such-piece"),
]


@pytest.mark.parametrize("rules", WRONG)
def test_rules_that_cannot_be_are_refused(acmes: Program, rules):
    told = acmes.does("POST", "rate-cards", {"name": "Retail", "rules": rules}, status=400)
    assert told["errors"][0]["pointer"].startswith("#/rules")
    assert not RateCard.objects.exists()


def test_a_version_begins_later_and_is_taken_back(acmes: Program, cast: Cast):
    card = a_card(cast.acme)
    path = f"rate-cards/{card.pk}"
    told = acmes.does("POST", f"{path}/versions", {"rules": [FIXED], "effective_from": LATER}, status=201)
    assert [(each["number"], each["effective_from"]) for each in told["versions"]] == [
        (1, "2026-03-09T12:00:00Z"), (2, LATER)
    ]  # fmt: skip
    clash = acmes.does("POST", f"{path}/versions", {"rules": [], "effective_from": LATER}, status=400)
    assert clash["errors"][0]["pointer"] == "#/effective_from"
    past = {"rules": [], "effective_from": "2026-03-10T11:59:59Z"}
    told = acmes.does("POST", f"{path}/versions", past, status=400)
    assert told["errors"][0]["detail"] == "This has passed. What was charged stays as it was."
    acmes.does("DELETE", f"{path}/versions/2", status=204)
    acmes.does("DELETE", f"{path}/versions/2", status=404)
    acmes.does("DELETE", f"{path}/versions/1", status=400)  # it has begun
    assert RateCardVersion.objects.get().number == 1


def test_a_card_is_renamed_and_deleted_unless_used(acmes: Program, cast: Cast):
    card = a_card(cast.acme)
    assert acmes.does("PATCH", f"rate-cards/{card.pk}", {"name": "Wholesale"})["name"] == "Wholesale"
    acmes.does("PUT", f"customers/{cast.globex.pk}/rate-card", {"card": str(card.pk)})
    acmes.does("DELETE", f"rate-cards/{card.pk}", status=400)
    other = a_card(cast.acme, "Other")
    acmes.does("DELETE", f"rate-cards/{other.pk}", status=204)
    assert list(RateCard.objects.all()) == [card]


def test_a_customer_is_put_on_a_card_and_taken_off(acmes: Program, cast: Cast):
    card, path = a_card(cast.acme), f"customers/{cast.globex.pk}/rate-card"
    named = {"id": str(card.pk), "name": "Retail"}
    told = acmes.does("PUT", path, {"card": str(card.pk)})
    assert (told["card"], told["own"], told["plan_card"], told["default"]) == (named, None, None, None)
    assert told["uses"] == [{"card": named, "effective_from": "2026-03-10T12:00:00Z"}]
    assert acmes.does("PUT", path, {"card": str(card.pk)}) == told
    assert RateCardUse.objects.count() == 1
    told = acmes.does("PUT", path, {"card": None, "effective_from": LATER})
    assert (told["card"], told["uses"][0]) == (named, {"card": None, "effective_from": LATER})
    foreign = a_card(cast.evil_corp)
    told = acmes.does("PUT", path, {"card": str(foreign.pk)}, status=400)
    assert told["errors"] == [{"detail": "There is no such card.", "pointer": "#/card"}]
    assert acmes.get(path)["markup_percent"] == "0"


def test_the_default_holds_for_who_is_on_none(acmes: Program, cast: Cast):
    card = a_card(cast.acme)
    assert acmes.get("default-rate-card") == {"card": None, "uses": []}
    told = acmes.does("PUT", "default-rate-card", {"card": str(card.pk)})
    assert told["card"] == {"id": str(card.pk), "name": "Retail"}
    assert acmes.get(f"customers/{cast.initech.pk}/rate-card")["default"] == told["card"]
    assert layers_of(cast.shady, NOW).default is None


def test_a_customers_own_rates_go_first(acmes: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/rates"
    acmes.does("GET", path, status=404)
    told = acmes.does("POST", path, {"rules": [FIXED]}, status=201)
    assert (told["customer"], told["name"], told["versions"][0]["rules"]) == (str(cast.globex.pk), "", [FIXED])
    assert acmes.get(path) == told
    assert acmes.get(f"customers/{cast.globex.pk}/rate-card")["own"] == 1
    told = acmes.does("POST", path, {"rules": [], "effective_from": LATER}, status=201)
    assert [each["number"] for each in told["versions"]] == [1, 2]
    acmes.does("PATCH", f"rate-cards/{told['id']}", {"name": "Mine"}, status=404)


def test_rules_are_tried_out_and_nothing_is_changed(acmes: Program, cast: Cast):
    at = datetime(2026, 2, 3, 8, tzinfo=UTC)
    a_request(
        cast.globex, at, model="gpt-5", input_tokens=1_000_000, output_tokens=0, price=Decimal(2), cost=Decimal(1)
    )
    body = {"customer": str(cast.globex.pk), "rules": [FIXED]}
    told = acmes.does("POST", "rate-trials", body)
    assert (told["since"], told["until"], told["is_partial"]) == (
        "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", False
    )  # fmt: skip
    assert told["total"] == {"requests": 1, "cost": "1", "price": "2", "would_be": "3", "unknown": 0}
    assert not RateCard.objects.exists()
    acmes.does("POST", "rate-trials", body | {"customer": str(cast.shady.pk)}, status=404)
    assert acmes.does("POST", "rate-trials", body | {"is_own": True, "period": "month"})["total"]["requests"] == 0


def test_customers_see_nothing_of_it(globexs: Program, cast: Cast):
    for method, path in (
        ("POST", "rate-cards"), ("GET", "default-rate-card"), ("PUT", f"customers/{cast.globex.pk}/rate-card"),
        ("GET", f"customers/{cast.globex.pk}/rates"), ("POST", "rate-trials"),
    ):  # fmt: skip
        globexs.does(method, path, {}, status=403)
