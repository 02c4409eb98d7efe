"""What was sent about an invoice, and sending it again."""

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Role
from apps.billing.models import Mailing
from apps.billing.services.mailing import queue_invoice, send_mailing
from tests.billing.making import a_credit_note, an_invoice
from tests.cast import Cast, a_member
from tests.pages import text_of


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    cast.globex.email = "globex@example.com"
    cast.globex.save()
    client.force_login(cast.olivia)
    return client


def test_it_is_sent_again_by_a_button_and_the_page_tells_of_each(olivia: Client, cast: Cast):
    invoice = an_invoice(cast.globex)
    page = f"/console/billing/invoices/{invoice.pk}/mailings/"
    assert "Nothing was sent about it yet." in text_of(olivia.get(page))
    send_mailing(queue_invoice(invoice, by=None, at=timezone.now()).pk, at=timezone.now())
    answer = olivia.post(f"/console/billing/invoices/{invoice.pk}/send/", follow=True)
    said = text_of(answer)
    assert "It is on its way to globex@example.com." in said
    assert "Invoice number 2 globex@example.com Waiting" in said
    assert "Invoice globex@example.com Sent" in said
    assert len(mail.outbox) == 1


def test_a_credit_note_is_sent_by_a_button(olivia: Client, cast: Cast):
    note = a_credit_note(an_invoice(cast.globex))
    olivia.post(f"/console/billing/credit-notes/{note.pk}/send/")
    (mailing,) = Mailing.objects.all()
    assert (mailing.kind, mailing.credit_note) == ("credit_note", note)


def test_without_an_address_it_says_what_to_do(olivia: Client, cast: Cast):
    invoice = an_invoice(cast.initech)
    said = text_of(olivia.post(f"/console/billing/invoices/{invoice.pk}/send/", follow=True))
    assert "Initech has no address for invoices: add one to its billing details." in said
    assert not Mailing.objects.exists()


def test_who_only_looks_sends_nothing(client: Client, cast: Cast):
    invoice = an_invoice(cast.globex)
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    assert "Send" not in text_of(client.get(f"/console/billing/invoices/{invoice.pk}/mailings/")).replace("Sent", "")
    assert client.post(f"/console/billing/invoices/{invoice.pk}/send/").status_code == 403
