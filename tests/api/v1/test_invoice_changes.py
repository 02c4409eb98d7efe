"""What an operator does to invoices by API: drafts, final, void, written off, credited, sent, paid."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.billing.models import CreditNote, Invoice, InvoiceLine, LedgerTransaction, Mailing, Payment
from apps.billing.parties import details_of
from tests.api.v1.conftest import Program
from tests.billing.made import AFTER, used
from tests.billing.making import a_draft, an_invoice
from tests.cast import Cast, an_api_token, at_once, reread

SETUP = {"description": "Setting up", "amount": "250"}


@pytest.fixture
def after(time_machine):
    time_machine.move_to(AFTER)


def a_one_off(acmes: Program, cast: Cast, *lines, key: str = "draft"):
    body = {"customer": str(cast.globex.pk), "lines": list(lines or (SETUP,)), "memo": "As agreed"}
    return acmes.does("POST", "invoices", body, key=key, status=201)


def test_a_one_off_draft_gets_lines_and_is_made_final(acmes: Program, globexs: Program, cast: Cast):
    told = a_one_off(acmes, cast)
    path = f"invoices/{told['id']}"
    assert (told["state"], told["kind"], told["number"], told["total"]) == ("draft", "one_off", None, "250.00")
    assert (told["memo"], told["lines"][0]["description"]) == ("As agreed", "Setting up")
    more = acmes.does("POST", f"{path}/lines", {"description": "Off", "amount": "-50.5"}, key="2", status=201)
    assert (more["total"], len(more["lines"])) == ("199.50", 2)
    acmes.does("DELETE", f"{path}/lines/{more['lines'][1]['id']}", status=204)
    assert acmes.does("PATCH", path, {"memo": "Thanks"})["memo"] == "Thanks"
    final = acmes.does("POST", f"{path}/finalize")
    assert (final["state"], final["number"], final["total"], final["due"]) == ("open", "INV-0001", "250.00", "250.00")
    assert acmes.does("POST", f"{path}/finalize") == final
    assert globexs.get(path) == final
    for method, where, body in (
        ("POST", "/lines", SETUP), ("PATCH", "", {"memo": "x"}), ("DELETE", "", None),
        ("DELETE", f"/lines/{final['lines'][0]['id']}", None), ("POST", "/rebuild", None),
    ):  # fmt: skip
        acmes.does(method, f"{path}{where}", body, key="late", status=409)
    assert acmes.get(path) == final


@pytest.mark.parametrize("amount", ["0", "0.001", "abc", "", 5])
def test_amounts_that_a_currency_does_not_have_are_refused(acmes: Program, cast: Cast, amount):
    body = {"customer": str(cast.globex.pk), "lines": [SETUP | {"amount": amount}]}
    acmes.does("POST", "invoices", body, key="1", status=400)
    assert not Invoice.objects.exists()


def test_an_invoice_of_less_than_nothing_is_a_conflict(acmes: Program, cast: Cast):
    body = {"customer": str(cast.globex.pk), "lines": [SETUP | {"amount": "-5"}]}
    acmes.does("POST", "invoices", body, key="1", status=409)
    assert not Invoice.objects.exists()


def test_a_draft_is_deleted_and_its_lines_are_its_own(acmes: Program, cast: Cast):
    one, other = a_one_off(acmes, cast), a_one_off(acmes, cast, key="2")
    acmes.does("DELETE", f"invoices/{one['id']}/lines/{other['lines'][0]['id']}", status=404)
    acmes.does("DELETE", f"invoices/{one['id']}", status=204)
    acmes.does("GET", f"invoices/{one['id']}", status=404)
    assert InvoiceLine.objects.count() == 1


@pytest.mark.usefixtures("after")
def test_the_billing_run_makes_drafts_and_they_are_built_anew(acmes: Program, cast: Cast):
    used(cast.globex, price="3")
    assert acmes.does("POST", "billing/run") == {"made": 1, "built_again": 0, "refused": []}
    [draft] = acmes.get("invoices", state="draft")["data"]
    used(cast.globex, price="4", day=4)
    assert acmes.does("POST", f"invoices/{draft['id']}/rebuild")["total"] == "7.00"
    acmes.does("DELETE", f"invoices/{draft['id']}", status=409)
    assert acmes.does("POST", f"invoices/{draft['id']}/finalize")["total"] == "7.00"
    assert acmes.does("POST", "billing/run")["made"] == 0


@pytest.mark.django_db(transaction=True)
def test_ten_who_finalize_at_once_take_one_number(cast: Cast):
    acmes = Program(an_api_token(cast.acme)[1])
    draft = a_one_off(acmes, cast)
    answers = at_once(5, lambda: Program(acmes.plain).does("POST", f"invoices/{draft['id']}/finalize")["number"])
    assert answers == ["INV-0001"] * 5
    assert LedgerTransaction.objects.filter(kind="invoice").count() == 1


def test_an_open_invoice_is_voided_or_written_off(acmes: Program, cast: Cast):
    one, other = (a_one_off(acmes, cast, key=key) for key in "ab")
    for each in (one, other):
        acmes.does("POST", f"invoices/{each['id']}/finalize")
    told = acmes.does("POST", f"invoices/{one['id']}/void", {"reason": "Wrong company"})
    assert (told["state"], told["number"], told["due"]) == ("void", "INV-0001", "0.00")
    assert acmes.does("POST", f"invoices/{one['id']}/void", {"reason": "Again"})["state"] == "void"
    acmes.does("POST", f"invoices/{one['id']}/write-off", {"reason": "x"}, status=409)
    told = acmes.does("POST", f"invoices/{other['id']}/write-off", {"reason": "Bankrupt"})
    assert told["state"] == "uncollectible"
    acmes.does("POST", f"invoices/{other['id']}/void", {}, status=400)
    reasons = Invoice.objects.get(pk=other["id"]).transitions.values_list("after", "reason")
    assert list(reasons) == [("draft", ""), ("open", ""), ("uncollectible", "Bankrupt")]


def test_parts_of_lines_and_then_the_rest_are_credited(acmes: Program, globexs: Program, cast: Cast):
    draft = a_one_off(acmes, cast, SETUP, {"description": "Training", "amount": "100"})
    invoice = acmes.does("POST", f"invoices/{draft['id']}/finalize")
    path = f"invoices/{invoice['id']}/credit"
    first, second = (line["id"] for line in invoice["lines"])
    part = {"settlement": "offset", "reason": "Down", "lines": [{"line": first, "amount": "50"}]}
    note = acmes.does("POST", path, part, key="1", status=201)
    assert (note["number"], note["total"], note["settlement"], note["reason"]) == (
        "CN-0001",
        "50.00",
        "offset",
        "Down",
    )
    assert acmes.does("POST", path, part, key="1", status=201) == note
    acmes.does("POST", path, part | {"lines": part["lines"] * 2}, key="2", status=400)
    acmes.does("POST", path, part | {"lines": [{"line": first, "amount": "200.01"}]}, key="3", status=409)
    acmes.does("POST", path, part | {"settlement": "refund"}, key="4", status=409)  # nothing was paid
    other = an_invoice(cast.initech).lines.get().pk
    acmes.does("POST", path, part | {"lines": [{"line": str(other), "amount": "1"}]}, key="5", status=409)
    rest = acmes.does("POST", path, {"settlement": "offset", "reason": "All"}, key="6", status=201)
    assert [(line["description"], line["amount"]) for line in rest["lines"]] == [
        ("Setting up", "200.00"), ("Training", "100.00")
    ]  # fmt: skip
    told = globexs.get(f"invoices/{invoice['id']}")
    assert (told["state"], told["credited"], told["due"]) == ("paid", "350.00", "0.00")
    acmes.does("POST", path, {"settlement": "offset", "reason": "More"}, key="7", status=409)
    assert CreditNote.objects.count() == 2
    assert second in [str(line.line_id) for line in CreditNote.objects.get(pk=rest["id"]).lines.all()]


def test_an_invoice_is_marked_as_paid_once_a_reference(acmes: Program, cast: Cast):
    invoice = acmes.does("POST", f"invoices/{a_one_off(acmes, cast)['id']}/finalize")
    path = f"invoices/{invoice['id']}/mark-paid"
    told = acmes.does("POST", path, {"reference": "T-1", "amount": "100"})
    assert (told["state"], told["paid"], told["due"]) == ("open", "100.00", "150.00")
    assert acmes.does("POST", path, {"reference": "T-1"}) == told  # that of before
    acmes.does("POST", path, {"reference": "T-1", "amount": "99"}, status=409)
    told = acmes.does("POST", path, {"reference": "T-2"})
    assert (told["state"], told["paid"], told["due"]) == ("paid", "250.00", "0.00")
    assert acmes.does("POST", path, {"reference": "T-2"}) == told
    assert [payment.amount for payment in Payment.objects.order_by("pk")] == [100, 150]
    draft = a_draft(cast.globex)
    acmes.does("POST", f"invoices/{draft.pk}/mark-paid", {"reference": "T-3"}, status=400)


def test_documents_are_sent_once_or_again(acmes: Program, cast: Cast):
    details = details_of(cast.globex)
    invoice = an_invoice(cast.globex)
    path = f"invoices/{invoice.pk}"
    told = acmes.does("POST", f"{path}/send", status=409)
    assert told["detail"] == "Globex has no address for invoices: add one to its billing details."
    details.email = "billing@globex.example"
    details.save()
    told = acmes.does("POST", f"{path}/send", status=202)
    assert (told["to"], told["kind"], told["state"]) == ("billing@globex.example", "invoice", "waiting")
    assert acmes.does("POST", f"{path}/send", {"again": False}, status=202) == told
    assert acmes.does("POST", f"{path}/send", {"again": True}, status=202)["id"] != told["id"]
    credit = {"settlement": "offset", "reason": "Down"}
    note = acmes.does("POST", f"{path}/credit", credit, key="1", status=201)
    sent = acmes.does("POST", f"credit-notes/{note['id']}/send", status=202)
    assert (sent["kind"], sent["credit_note"], sent["invoice"]) == ("credit_note", note["id"], str(invoice.pk))
    assert [each["kind"] for each in acmes.everything(f"{path}/mailings")] == ["credit_note", "invoice", "invoice"]
    assert Mailing.objects.count() == 3


def test_an_invoice_that_came_to_nothing_is_gone(acmes: Program, cast: Cast, time_machine):
    time_machine.move_to(AFTER)
    used(cast.globex, price="3")
    acmes.does("POST", "billing/run")
    [draft] = acmes.get("invoices")["data"]
    used(cast.globex, price="-3", requests=0, hour=13)
    answer = acmes("POST", f"invoices/{draft['id']}/finalize")
    assert answer.status_code in (200, 204)
    if answer.status_code == 204:
        assert not Invoice.objects.exists()


def test_a_customer_pays_and_does_nothing_else(globexs: Program, cast: Cast):
    invoice = an_invoice(cast.globex)
    for action in ("finalize", "rebuild", "void", "write-off", "mark-paid", "credit", "send", "lines"):
        globexs.does("POST", f"invoices/{invoice.pk}/{action}", {}, key="1", status=403)
    told = globexs.does("POST", f"invoices/{invoice.pk}/pay", {"is_transfer": True}, key="1", status=201)
    assert (told["state"], told["amount"], told["invoice"], told["url"]) == ("pending", "100", str(invoice.pk), "")
    assert told["reference"].startswith("TG-")
    assert globexs.does("POST", f"invoices/{invoice.pk}/pay", {"is_transfer": True}, key="1", status=201) == told
    assert reread(invoice).state == "open"
    draft = a_draft(cast.globex)
    globexs.does("POST", f"invoices/{draft.pk}/pay", {"is_transfer": True}, key="2", status=404)


def test_money_is_exact_to_the_last_place(acmes: Program, cast: Cast):
    wanted = [{"description": str(number), "amount": "0.01"} for number in range(100)]
    told = a_one_off(acmes, cast, *wanted)
    assert (told["total"], sum(Decimal(line["amount"]) for line in told["lines"])) == ("1.00", 1)
    assert datetime.fromisoformat(told["created_at"]).tzinfo == UTC
