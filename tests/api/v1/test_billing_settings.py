"""What is set about billing by API: who sells and buys, rates, logo; statements."""

from base64 import b64encode
from datetime import date
from decimal import Decimal

import pytest

from apps.billing.models import ExchangeRate, TaxRate
from apps.billing.parties import currency_of, details_of, seller_of
from tests.api.v1.conftest import Program
from tests.billing.making import a_logo, an_invoice
from tests.cast import Cast, reread

pytestmark = pytest.mark.usefixtures("noon")


def test_a_customer_changes_who_it_is_and_its_operator_the_rest(acmes: Program, globexs: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/billing-details"
    body = {"legal_name": "Globex S.A.", "address": "1 Rue\nBrussels", "country": "BE", "tax_id": "0403.170.701"}
    told = globexs.does("PATCH", path, body)
    assert (told["legal_name"], told["tax_id"], told["currency"]) == ("Globex S.A.", "BE0403170701", "USD")
    assert not told.keys() & {"tax_status", "tax_rate", "net_days", "is_reminded"}
    assert globexs.get(path) == told
    refused = globexs.does("PATCH", path, {"tax_status": "exempt"}, status=400)
    assert refused["errors"] == [{"detail": "There is no such member.", "pointer": "#/tax_status"}]
    rate = TaxRate.objects.create(organization=cast.acme, name="VAT", percent=21)
    told = acmes.does("PATCH", path, {"currency": "EUR", "net_days": 14, "tax_rate": str(rate.pk)})
    assert (told["currency"], told["net_days"], told["tax_rate"], told["tax_status"]) == (
        "EUR", 14, str(rate.pk), "taxed"
    )  # fmt: skip
    assert told["legal_name"] == "Globex S.A."
    assert currency_of(cast.globex) == "EUR"
    foreign = TaxRate.objects.create(organization=cast.evil_corp, name="VAT", percent=21)
    acmes.does("PATCH", path, {"tax_rate": str(foreign.pk)}, status=400)
    assert reread(details_of(cast.globex)).tax_rate == rate
    globexs.does("PATCH", f"customers/{cast.initech.pk}/billing-details", body, status=404)


WRONG = [
    ({"country": "XX"}, "country"),
    ({"country": "BE", "tax_id": "BE0403170702"}, "tax_id"),
    ({"email": "nobody"}, "email"),
    ({"language": "tlh"}, "language"),
    ({"legal_name": "x" * 201}, "legal_name"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG)
def test_details_that_cannot_be_are_refused(globexs: Program, cast: Cast, body, pointer):
    told = globexs.does("PATCH", f"customers/{cast.globex.pk}/billing-details", body, status=400)
    assert told["errors"][0]["pointer"] == f"#/{pointer}"
    assert details_of(cast.globex).country == ""


def test_the_currency_is_fixed_once_there_is_an_invoice(acmes: Program, cast: Cast):
    an_invoice(cast.globex)
    path = f"customers/{cast.globex.pk}/billing-details"
    told = acmes.does("PATCH", path, {"currency": "EUR"}, status=400)
    assert told["errors"][0]["detail"] == "The currency is fixed: there is an invoice in it."
    reverse = acmes.does("PATCH", path, {"tax_status": "reverse_charge"}, status=400)
    assert reverse["errors"][0]["pointer"] == "#/tax_id"


def test_how_an_operator_bills(acmes: Program, globexs: Program, cast: Cast):
    told = acmes.get("billing/settings")
    assert (told["currency"], told["net_days"], told["has_logo"]) == ("USD", 30, False)
    body = {"legal_name": "Acme GmbH", "country": "DE", "tax_id": "DE 136 695 976", "reminder_days": [10, 3, 10]}
    told = acmes.does(
        "PATCH", "billing/settings", body | {"net_days": 14, "accent": "#ff0000", "final_step": "suspend"}
    )
    assert (told["tax_id"], told["reminder_days"], told["net_days"], told["accent"], told["final_step"]) == (
        "DE136695976", [3, 10], 14, "#ff0000", "suspend"
    )  # fmt: skip
    for wrong in ({"net_days": 366}, {"accent": "red"}, {"reminder_days": [0]}, {"currency": "ZZZ"}, {"logo": "x"}):
        acmes.does("PATCH", "billing/settings", wrong, status=400)
    globexs.does("GET", "billing/settings", status=403)
    globexs.does("PATCH", "billing/settings", body, status=403)
    assert seller_of(cast.evil_corp).net_days == 30


def test_a_logo_is_set_and_removed(acmes: Program, cast: Cast):
    picture = b64encode(a_logo()).decode()
    assert acmes.does("PUT", "billing/logo", {"content": picture})["has_logo"] is True
    assert bytes(reread(seller_of(cast.acme)).logo) == a_logo()
    acmes.does("PUT", "billing/logo", {"content": "%"}, status=400)
    acmes.does("PUT", "billing/logo", {"content": b64encode(b"GIF89a").decode()}, status=409)
    acmes.does("DELETE", "billing/logo", status=204)
    assert acmes.get("billing/settings")["has_logo"] is False


def test_taxes_from_a_day_on(acmes: Program, cast: Cast):
    body = {"name": "VAT", "country": "DE", "percent": "19"}
    told = acmes.does("POST", "tax-rates", body, status=201)
    assert (told["percent"], told["effective_from"], told["is_inclusive"]) == ("19", "2026-03-10", False)
    acmes.does("POST", "tax-rates", body, status=400)
    acmes.does("POST", "tax-rates", {**body, "name": "City", "is_inclusive": True}, status=409)
    later = acmes.does("POST", "tax-rates", body | {"percent": "16", "effective_from": "2026-07-01"}, status=201)
    assert {each["id"] for each in acmes.everything("tax-rates", limit=1)} == {later["id"], told["id"]}
    assert acmes.does("POST", f"tax-rates/{told['id']}/retire")["retired_at"] == "2026-03-10T12:00:00Z"
    assert TaxRate.objects.count() == 2


def test_exchange_rates_from_a_day_on(acmes: Program, globexs: Program, cast: Cast):
    body = {"currency": "EUR", "effective_from": "2026-03-01", "per_dollar": "0.92"}
    told = acmes.does("PUT", "exchange-rates", body)
    assert told == body | {"source": "by hand"}
    assert acmes.does("PUT", "exchange-rates", body | {"per_dollar": "0.93"})["per_dollar"] == "0.93"
    assert acmes.does("PUT", "exchange-rates", {"currency": "EUR", "per_dollar": "0.9"})["effective_from"] == (
        "2026-03-10"
    )
    ExchangeRate.objects.create(
        organization=cast.evil_corp, currency="EUR", per_dollar=2, effective_from=date(2026, 3, 2)
    )
    assert [each["per_dollar"] for each in acmes.everything("exchange-rates", limit=1)] == ["0.9", "0.93"]
    acmes.does("PUT", "exchange-rates", body | {"currency": "USD"}, status=409)
    acmes.does("PUT", "exchange-rates", body | {"per_dollar": "0"}, status=400)
    acmes.does("DELETE", "exchange-rates", currency="EUR", effective_from="2026-03-02", status=404)
    acmes.does("DELETE", "exchange-rates", currency="EUR", effective_from="2026-03-01", status=204)
    assert [rate.per_dollar for rate in cast.acme.exchange_rates.all()] == [Decimal("0.9")]
    globexs.does("GET", "exchange-rates", status=403)


def test_a_statement_and_its_document(acmes: Program, globexs: Program, cast: Cast):
    lines = [{"description": "Setup", "amount": "100"}]
    draft = acmes.does("POST", "invoices", {"customer": str(cast.globex.pk), "lines": lines}, key="1", status=201)
    acmes.does("POST", f"invoices/{draft['id']}/finalize")
    acmes.does("POST", f"invoices/{draft['id']}/mark-paid", {"reference": "T-1", "amount": "40"})
    path = f"customers/{cast.globex.pk}/statement"
    told = globexs.get(path, since="2026-03-01", until="2026-03-31")
    assert (told["opening"], told["closing"], told["due"], told["currency"]) == ("0", "60", "60", "USD")
    assert [(each["kind"], each["amount"], each["balance"]) for each in told["movements"]] == [
        ("invoice", "100", "100"), ("payment", "-40", "60")
    ]  # fmt: skip
    assert [each["number"] for each in told["open_invoices"]] == ["INV-0001"]
    assert acmes.get(path, since="2026-03-01")["until"] == "2026-03-10"
    document = globexs("GET", f"{path}/pdf", since="2026-03-01")
    assert (document.headers["Content-Type"], document.content[:5]) == ("application/pdf", b"%PDF-")
    credit = globexs.get(path, since="2026-03-01", account="credit")
    assert (credit["account"], credit["movements"], credit["open_invoices"]) == ("credit", [], [])
    acmes.does("GET", path, since="2026-03-02", until="2026-03-01", status=400)
    acmes.does("GET", path, status=400)
    globexs.does("GET", f"customers/{cast.initech.pk}/statement", since="2026-03-01", status=404)
