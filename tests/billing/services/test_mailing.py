"""Documents by e-mail: once, and again only when somebody says so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from apps.billing.document_tasks import send_invoices
from apps.billing.errors import NotConfigured, NotPossible
from apps.billing.models import Mailing
from apps.billing.parties import details_of
from apps.billing.services.mailing import (
    MOST_ATTEMPTS,
    queue_credit_note,
    queue_invoice,
    queue_unsent,
    send_mailing,
    waiting_mailing_ids,
)
from apps.billing.services.sellers import update_seller
from tests.billing.making import a_credit_note, a_draft, an_invoice
from tests.cast import Cast, a_customer, an_organization, at_once, reread

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def addresses(cast: Cast) -> None:
    cast.globex.email = "globex@example.com"
    cast.globex.save()


def send_all() -> None:
    for mailing in Mailing.objects.waiting():
        send_mailing(mailing.pk, at=NOW)


def test_an_invoice_goes_to_its_customer_with_the_document(cast: Cast):
    update_seller(cast.acme, by=None, legal_name="Acme GmbH", email="billing@acme.example", payment_terms="IBAN DE02")
    invoice = an_invoice(cast.globex)
    mailing = queue_invoice(invoice, by=None, at=NOW)
    assert send_mailing(mailing.pk, at=NOW) is True
    (sent,) = mail.outbox
    assert (sent.subject, sent.to, sent.reply_to) == (
        "Invoice INV-00001 from Acme GmbH", ["globex@example.com"], ["billing@acme.example"]
    )  # fmt: skip
    assert "attached is invoice INV-00001 of $100.00, due on Dec 2, 2026." in sent.body
    assert "IBAN DE02" in sent.body
    ((name, content, kind),) = sent.attachments
    assert (name, content[:5], kind) == ("INV-00001.pdf", b"%PDF-", "application/pdf")
    assert reread(invoice).sent_at == NOW
    assert (reread(mailing).state, reread(mailing).sent_at) == ("sent", NOW)


def test_in_the_customers_language_to_the_address_for_invoices(cast: Cast):
    details = details_of(cast.globex)
    details.language, details.email = "de", "buchhaltung@globex.example"
    details.save()
    queue_invoice(an_invoice(cast.globex), by=None, at=NOW)
    send_all()
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("Rechnung INV-00001 von Acme", ["buchhaltung@globex.example"])
    assert "100,00\xa0$" in sent.body


def test_what_is_paid_is_not_asked_for(cast: Cast):
    update_seller(cast.acme, by=None, payment_terms="IBAN DE02")
    queue_invoice(an_invoice(cast.globex, paid=100, state="paid"), by=None, at=NOW)
    send_all()
    assert "Nothing is left to be paid." in mail.outbox[0].body
    assert "IBAN" not in mail.outbox[0].body


def test_queued_twice_it_goes_out_once_and_again_only_when_asked_for(cast: Cast):
    invoice = an_invoice(cast.globex)
    assert queue_invoice(invoice, by=None, at=NOW) == queue_invoice(invoice, by=None, at=NOW)
    send_all()
    send_all()
    assert len(mail.outbox) == 1
    again = queue_invoice(invoice, by=cast.olivia, at=NOW, again=True)
    send_all()
    assert (again.number, len(mail.outbox)) == (2, 2)
    assert cast.acme.audit_events.filter(action="invoice.send", actor_id=cast.olivia.pk).count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_that_send_at_once_send_one(cast: Cast):
    mailing = queue_invoice(an_invoice(cast.globex), by=None, at=NOW)
    outcomes = at_once(10, lambda: send_mailing(mailing.pk, at=NOW))
    assert (outcomes.count(True), outcomes.count(False), len(mail.outbox)) == (1, 9, 1)


@pytest.mark.django_db(transaction=True)
def test_ten_that_queue_at_once_queue_one(cast: Cast):
    invoice = an_invoice(cast.globex)
    outcomes = at_once(10, lambda: queue_invoice(invoice, by=None, at=NOW))
    assert len({outcome.pk for outcome in outcomes}) == 1
    assert Mailing.objects.count() == 1


def test_a_credit_note_goes_out_likewise(cast: Cast):
    note = a_credit_note(an_invoice(cast.globex))
    assert queue_credit_note(note, by=None, at=NOW) == queue_credit_note(note, by=None, at=NOW)
    send_all()
    assert mail.outbox[0].subject == "Credit note CN-00001 from Acme"
    assert mail.outbox[0].attachments[0][0] == "CN-00001.pdf"
    assert reread(note.invoice).sent_at is None


def test_drafts_and_void_ones_are_not_sent(cast: Cast):
    for invoice in (a_draft(cast.globex), an_invoice(cast.initech, state="void")):
        with pytest.raises(NotPossible):
            queue_invoice(invoice, by=None, at=NOW)
    assert not Mailing.objects.exists()


def test_without_an_address_it_says_what_to_do(cast: Cast):
    with pytest.raises(NotConfigured, match="Initech has no address for invoices: add one"):
        queue_invoice(an_invoice(cast.initech), by=None, at=NOW)


def test_what_the_mail_server_refuses_is_tried_again_a_few_times(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    def refuse(message: EmailMessage, **_: object) -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(EmailMessage, "send", refuse)
    mailing = queue_invoice(an_invoice(cast.globex), by=None, at=NOW)
    for attempt in range(1, MOST_ATTEMPTS + 3):
        assert send_mailing(mailing.pk, at=NOW) is False
        assert reread(mailing).attempts == min(attempt, MOST_ATTEMPTS)
        assert waiting_mailing_ids(at=NOW + timedelta(hours=1)) == ([mailing.pk] if attempt < MOST_ATTEMPTS else [])
    assert reread(mailing).state == "failed"
    assert reread(mailing).error == "ConnectionRefusedError: nobody there"
    assert reread(mailing.invoice).sent_at is None


def test_what_was_begun_by_who_died_is_not_sent_by_another(cast: Cast):
    mailing = queue_invoice(an_invoice(cast.globex), by=None, at=NOW)
    Mailing.objects.update(begun_at=NOW, attempts=1)
    assert send_mailing(mailing.pk, at=NOW) is False
    assert (mail.outbox, waiting_mailing_ids(at=NOW + timedelta(days=1))) == ([], [])
    assert reread(mailing).state == "unknown"


def test_all_that_was_never_sent_is_queued_of_one_organization(cast: Cast):
    first, second = an_invoice(cast.globex), an_invoice(cast.globex, state="paid")
    a_draft(cast.globex)
    an_invoice(cast.globex, state="void")
    an_invoice(cast.globex, sent_at=NOW)
    nowhere = an_invoice(cast.initech)
    other = a_customer(an_organization(), email="x@example.com")
    an_invoice(other)
    assert queue_unsent(cast.acme, at=NOW) == (2, [nowhere])
    assert {mailing.invoice for mailing in Mailing.objects.all()} == {first, second}
    assert queue_unsent(cast.acme, at=NOW) == (0, [nowhere])


def test_beat_queues_what_became_final_lately_of_those_who_let_it(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    now = datetime.now(UTC)
    update_seller(cast.acme, by=None, sends=True)
    an_invoice(cast.globex, finalized_at=now - timedelta(days=8))
    recent = an_invoice(cast.globex, finalized_at=now - timedelta(days=6))
    send_invoices()
    assert [mailing.invoice for mailing in Mailing.objects.all()] == [recent]
    update_seller(cast.acme, by=None, sends=False)
    an_invoice(cast.globex, finalized_at=now)
    send_invoices()
    assert Mailing.objects.count() == 1
