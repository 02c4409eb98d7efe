"""Billing in the console: what its pages show, and what can be done there."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from apps.accounts.models import AuditEvent, Role
from apps.billing.models import CreditNote, Invoice
from apps.billing.queries.invoices import line_rows
from apps.billing.services.settling import settle_invoice
from tests.billing.made import AFTER, a_price, a_subscription, a_tax, run, the_invoice, used
from tests.cast import a_member, reread
from tests.used import a_request


@pytest.fixture(autouse=True)
def _in_november():
    with time_machine.travel(AFTER, tick=False):
        yield


@pytest.fixture
def acme(cast, client):
    client.force_login(cast.olivia)
    return cast


@pytest.fixture
def draft(acme):
    a_price()
    a_tax(acme.globex, "20")
    used(acme.globex, price="3.50")
    run(acme.globex)
    return the_invoice(acme.globex)


def page(client, name, *arguments, **asked):
    answer = client.get(reverse(f"console:{name}", args=arguments), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def post(client, name, *arguments, **given):
    return client.post(reverse(f"console:{name}", args=arguments), given)


def test_nothing_yet(acme, client):
    assert "Nothing to bill yet" in page(client, "billing")
    assert "No invoices yet" in page(client, "invoices")
    assert "Nothing to invoice yet" in page(client, "invoice-preview", acme.globex.pk)


def test_overview(draft, acme, client):
    a_subscription(acme.initech, fee=Decimal(120), interval="year")
    used(acme.globex, day=2, month=11, price="10", cost=Decimal(4))
    used(acme.globex, day=2, price="2.5", hour=9)
    shown = page(client, "billing")
    assert "$10.00" in shown  # revenue of November
    assert "60.0%" in shown or "60%" in shown  # its margin
    assert "$10.00<small>fees of plans" in shown
    assert "+$4.00" in shown  # since the first days of October


def test_list_is_narrowed(draft, client):
    assert "Globex" in page(client, "invoices", state="draft", month="2026-10", q="glob")
    for asked in ({"state": "paid"}, {"month": "2026-09"}, {"q": "nobody"}, {"state": "overdue"}):
        assert "No invoice like that" in page(client, "invoices", **asked)


def test_detail_leads_to_the_requests(draft, acme, client):
    shown = page(client, "invoice-detail", draft.pk)
    assert "gpt-4o-mini · input" in shown
    query = "since=2026-10-01T00%3A00&amp;until=2026-11-01T00%3A00&amp;sold_as=gpt-4o-mini&amp;customer="
    assert f"{query}{acme.globex.pk}" in shown
    assert "$4.20" in shown


def test_a_line_leads_to_what_was_sold_by_its_name(acme, client):
    """By an alias, or without one; and to nothing that the same model was sold as else."""
    at, mini = datetime(2026, 10, 5, 12, tzinfo=UTC), "gpt-4o-mini"
    sold = [("fast", mini), (None, mini), ("fast", "gpt-4o"), ("cheap", mini)]
    ids = [str(a_request(acme.initech, at, alias=alias, model_served=served).id) for alias, served in sold]
    for name, served in ((mini, mini), ("fast", mini)):
        used(acme.initech, price="1", model=served, sold_as=name)
    run(acme.initech)
    invoice = Invoice.objects.get(customer=acme.initech)
    rows = {row.line.model: row.query for row in line_rows(invoice, with_customer=True)}
    for name, wanted in (("fast", [0, 2]), (mini, [1])):
        shown = client.get(f"/console/requests/?{rows[name]}").content.decode()
        assert [number for number, each in enumerate(ids) if each in shown] == wanted


def test_from_draft_to_credit_note(draft, acme, client):
    post(client, "invoice-line-add", draft.pk, description="Setup", amount="10")
    assert reread(draft).total == Decimal("16.20")
    [line] = draft.lines.filter(is_by_hand=True)
    post(client, "invoice-line-remove", draft.pk, line.pk)
    answer = post(client, "invoice-finalize", draft.pk)
    assert (answer.status_code, reread(draft).number) == (302, "INV-0001")
    settle_invoice(draft, Decimal("4.20"), at=AFTER, by=None)
    first = draft.lines.first()
    given = {"settlement": "credit", "reason": "Slow", "key": "8d0a2f3e-3b1c-4f5e-9a51-0d6e1cfb1111"}
    for _ in range(2):
        post(client, "invoice-credit", draft.pk, **given, **{f"line_{first.pk.hex}": "0.50"})
    note = CreditNote.objects.get()
    assert (note.total, note.created_by, acme.globex.wallet.balance) == (Decimal("0.60"), acme.olivia, Decimal("0.60"))
    assert "CN-0001" in page(client, "invoice-detail", draft.pk)
    actions = set(AuditEvent.objects.filter(actor_label=acme.olivia.email).values_list("action", flat=True))
    assert actions >= {"invoice.add_line", "invoice.remove_line", "invoice.finalize", "credit_note.issue"}


def test_void_and_write_off_ask_why(draft, client):
    post(client, "invoice-finalize", draft.pk)
    assert "booked back" in page(client, "invoice-void", draft.pk)
    post(client, "invoice-write-off", draft.pk, reason="gone")
    assert reread(draft).state == "uncollectible"
    post(client, "invoice-void", draft.pk)
    assert reread(draft).state == "uncollectible"
    post(client, "invoice-void", draft.pk, reason="wrong")
    assert reread(draft).state == "void"
    assert "wrong" in page(client, "invoice-detail", draft.pk)


def test_what_is_not_possible_is_told(draft, client):
    answer = client.post(
        reverse("console:invoice-line-add", args=[draft.pk]), {"description": "Gift", "amount": "-99"}, follow=True
    )
    assert "come to" in answer.content.decode()
    post(client, "invoice-finalize", draft.pk)
    settle_invoice(draft, Decimal("4.20"), at=AFTER, by=None)
    answer = post(client, "invoice-void", draft.pk, reason="wrong")
    assert "Issue a credit note" in answer.content.decode()


def test_one_off(acme, client):
    given = {"description": "Setup", "amount": "100", "memo": "Thanks", "key": "8d0a2f3e-3b1c-4f5e-9a51-0d6e1cfb2222"}
    first, second = (post(client, "invoice-add", acme.globex.pk, **given) for _ in range(2))
    assert first.url == second.url
    invoice = Invoice.objects.get()
    assert (invoice.kind, invoice.total, invoice.memo) == ("one_off", 100, "Thanks")
    post(client, "invoice-delete", invoice.pk)
    assert not Invoice.objects.exists()


def test_preview_leaves_nothing_behind(acme, client):
    used(acme.globex, day=2, month=11, price="3.5", model="mystery")
    shown = page(client, "invoice-preview", acme.globex.pk)
    assert "$3.50" in shown
    assert not Invoice.objects.exists()


def test_run_and_rebuild(acme, client):
    used(acme.globex, price="3.5", model="mystery")
    post(client, "billing-run")
    used(acme.globex, day=9, price="1", model="mystery")
    invoice = the_invoice(acme.globex)
    post(client, "invoice-rebuild", invoice.pk)
    assert reread(invoice).total == Decimal("4.50")


def test_viewers_look_and_change_nothing(draft, acme, client):
    client.force_login(a_member(acme.acme, Role.VIEWER).user)
    assert "Make it final" not in page(client, "invoice-detail", draft.pk)
    assert post(client, "invoice-finalize", draft.pk).status_code == 403
    assert reread(draft).state == "draft"
