"""Billing in the API: an operator's, and a customer's own."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.billing.models import LedgerAccount, LedgerTransaction, Payment, Plan, PlanVersion, Subscription
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import add_lot
from apps.billing.services.wallets import open_wallet
from tests.api.v1.conftest import NOW, Program
from tests.billing.making import a_credit_note, a_draft, an_invoice
from tests.cast import Cast, an_api_token
from tests.used import an_hour

Account, Kind = LedgerAccount.Kind, LedgerTransaction.Kind


def test_invoices_are_listed_the_newest_first_page_by_page(acmes: Program, cast: Cast):
    numbers = [an_invoice(cast.globex if index % 2 else cast.initech).number for index in range(5)]
    an_invoice(cast.shady)
    assert [each["number"] for each in acmes.everything("invoices", limit=2)] == numbers[::-1]
    assert [each["number"] for each in acmes.everything("invoices", customer=cast.globex.pk)] == [
        numbers[3],
        numbers[1],
    ]


def test_an_invoice_has_all_that_stands_on_it(acmes: Program, cast: Cast):
    invoice = an_invoice(cast.globex, ("100", "20.5"), tax="22.9", paid=Decimal(3))
    told = acmes.get(f"invoices/{invoice.pk}")
    amounts = {name: told[name] for name in ("subtotal", "tax", "total", "paid", "credited", "due")}
    assert amounts == {
        "subtotal": "120.50", "tax": "22.90", "total": "143.40", "paid": "3.00", "credited": "0.00", "due": "140.40"
    }  # fmt: skip
    assert [(line["position"], line["quantity"], line["amount"]) for line in told["lines"]] == [
        (1, "36.363636", "100.00"), (2, "36.363636", "20.50")
    ]  # fmt: skip
    assert told["taxes"][0]["amount"] == "22.90"
    assert told["buyer"]["legal_name"] == "Globex"
    assert (told["issued_on"], told["period_end"]) == ("2026-11-02", "2026-11-01T00:00:00Z")
    assert "logo" not in told["seller"]


def test_filters(acmes: Program, cast: Cast):
    an_invoice(cast.globex)
    paid = an_invoice(cast.globex, state="paid", kind="top_up")
    assert [each["id"] for each in acmes.get("invoices", state="paid")["data"]] == [str(paid.pk)]
    assert [each["id"] for each in acmes.get("invoices", kind="top_up")["data"]] == [str(paid.pk)]
    assert acmes("GET", "invoices", state="lost").status_code == 400


def test_a_customer_sees_its_own_and_no_drafts(globexs: Program, acmes: Program, cast: Cast):
    own, draft, other = an_invoice(cast.globex), a_draft(cast.globex), an_invoice(cast.initech)
    assert [each["id"] for each in globexs.get("invoices")["data"]] == [str(own.pk)]
    for foreign in (draft, other):
        assert globexs("GET", f"invoices/{foreign.pk}").status_code == 404
        assert globexs("GET", f"invoices/{foreign.pk}/pdf").status_code == 404
    assert acmes.get(f"invoices/{draft.pk}")["number"] is None


def test_documents_are_had_as_pdf(acmes: Program, globexs: Program, cast: Cast):
    invoice = an_invoice(cast.globex)
    note = a_credit_note(invoice)
    for ask in (acmes, globexs):
        answer = ask("GET", f"invoices/{invoice.pk}/pdf")
        assert (answer.headers["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
        assert ask("GET", f"credit-notes/{note.pk}/pdf").content[:5] == b"%PDF-"


def test_credit_notes(acmes: Program, globexs: Program, cast: Cast):
    note = a_credit_note(an_invoice(cast.globex), "40", "7.6")
    a_credit_note(an_invoice(cast.initech))
    assert len(acmes.get("credit-notes")["data"]) == 2
    (told,) = globexs.get("credit-notes")["data"]
    assert (told["id"], told["invoice_number"], told["total"]) == (str(note.pk), "INV-00001", "47.60")
    assert told["lines"] == [{"description": "gpt-4o, input tokens", "amount": "40.00"}]
    assert globexs.get(f"credit-notes/{note.pk}") == told


def test_a_wallet_and_what_is_left_of_its_credit(acmes: Program, globexs: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/wallet"
    assert acmes("GET", path).status_code == 404
    wallet = open_wallet(cast.globex, by=None, at=NOW)
    cash = account_of(cast.acme, Account.CASH, "USD")
    add_lot(
        wallet, Decimal(50), key="top_up:1", at=NOW, source="top_up", against={cash: Decimal(-50)}
    )  # fmt: skip
    for ask in (acmes, globexs):
        assert ask.get(path)["balance"] == "50"
        (lot,) = ask.get(f"{path}/lots")["data"]
        assert (lot["source"], lot["category"], lot["remaining"]) == ("top_up", "paid", "50")
    assert globexs("GET", f"customers/{cast.initech.pk}/wallet").status_code == 404


def test_the_ledger_is_the_operators_and_a_customer_sees_its_own_accounts(acmes: Program, globexs: Program, cast: Cast):
    receivable = account_of(cast.acme, Account.RECEIVABLE, "USD", cast.globex)
    revenue = account_of(cast.acme, Account.REVENUE, "USD")
    entries = {receivable: Decimal(-119), revenue: Decimal(119)}
    source = {"number": "INV-00001"}
    book(cast.acme, Kind.INVOICE, key="1", at=NOW, entries=entries, customer=cast.globex, source=source)
    book(cast.acme, Kind.ADJUSTMENT, key="2", at=NOW, entries={})
    assert [each["kind"] for each in acmes.get("ledger-transactions")["data"]] == ["adjustment", "invoice"]
    (told,) = acmes.get("ledger-transactions", kind="invoice")["data"]
    assert {(each["account"], each["amount"]) for each in told["entries"]} == {
        ("receivable", "-119"), ("revenue", "119")
    }  # fmt: skip
    (own,) = globexs.get("ledger-transactions")["data"]
    assert own["number"] == "INV-00001"
    assert own["entries"] == [{"account": "receivable", "currency": "USD", "amount": "-119"}]


def test_plans_and_who_is_on_them(acmes: Program, globexs: Program, cast: Cast):
    plan = Plan.objects.create(organization=cast.acme, name="Pro", slug="pro")
    Plan.objects.create(organization=cast.evil_corp, name="Theirs", slug="theirs")
    first, second = (PlanVersion.objects.create(plan=plan, number=number, fee=number * 10) for number in (1, 2))
    start = datetime(2026, 3, 1, tzinfo=UTC)
    Subscription.objects.create(
        customer=cast.globex, version=first, starts_at=start, anchor_on=date(2026, 3, 1), time_zone="UTC"
    )
    (told,) = acmes.get("plans")["data"]
    assert (told["name"], told["terms"]["number"], told["terms"]["fee"]) == ("Pro", second.number, "20")
    (own,) = globexs.get("plans")["data"]
    assert own["terms"]["fee"] == "10"  # the terms that it is on
    for ask in (acmes, globexs):
        (subscription,) = ask.get("subscriptions")["data"]
        assert (subscription["plan_name"], subscription["terms"]["number"]) == ("Pro", 1)
        assert subscription["customer"] == str(cast.globex.pk)
    assert Program(an_api_token(cast.acme, cast.initech)[1]).get("plans")["data"] == []


@pytest.mark.parametrize("path", ["invoices", "credit-notes", "ledger-transactions", "plans", "subscriptions"])
def test_it_needs_the_scope(cast: Cast, path: str):
    ask = Program(an_api_token(cast.acme, scopes=["usage:read"])[1])
    assert ask("GET", path).status_code == 403


def test_the_current_period_comes_to_what_its_invoice_would(acmes: Program, globexs: Program, cast: Cast, time_machine):
    time_machine.move_to(NOW)
    an_hour(cast.globex, NOW.replace(hour=8), price=Decimal("31.004"))
    told = globexs.get(f"customers/{cast.globex.pk}/period")
    assert told == acmes.get(f"customers/{cast.globex.pk}/period")
    assert (told["period_start"], told["period_end"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert (told["currency"], told["used"], told["total"]) == ("USD", "31", "31")
    assert Decimal(told["forecast"]) > 31
    assert globexs("GET", f"customers/{cast.initech.pk}/period").status_code == 404
    assert not cast.globex.invoices.exists()


def test_the_overview_is_the_operators(acmes: Program, globexs: Program, cast: Cast, time_machine):
    time_machine.move_to(NOW)
    an_hour(cast.globex, NOW.replace(hour=8), price=Decimal(9), cost=Decimal(7))
    an_hour(cast.shady, NOW.replace(hour=8), price=Decimal(100))
    an_invoice(cast.globex, ("100",))
    told = acmes.get("billing")
    assert told["months"][-1] == {"month": "2026-03-01", "usage": "9", "fees": "0", "cost": "7", "margin": "2"}
    assert [(each["currency"], each["amount"]) for each in told["receivables"]] == [("USD", "100")]
    assert [each["name"] for each in told["movers"]] == ["Globex"]
    assert globexs("GET", "billing").status_code == 403


def test_payments(acmes: Program, globexs: Program, cast: Cast):
    for customer in (cast.globex, cast.initech, cast.shady):
        paid = {"provider": "manual", "provider_id": f"T-{customer.slug}", "currency": "USD", "amount": Decimal(50)}
        Payment.objects.create(organization=customer.organization, customer=customer, **paid)
    assert {each["customer"] for each in acmes.everything("payments")} == {str(cast.globex.pk), str(cast.initech.pk)}
    (own,) = globexs.get("payments")["data"]
    assert (own["customer"], own["amount"], own["state"]) == (str(cast.globex.pk), "50", "pending")
