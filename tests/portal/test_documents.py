"""A customer's documents, as files; and the operator's."""

import json

import pytest
from django.test import Client

from tests.billing.making import a_credit_note, a_draft, an_invoice
from tests.cast import Cast
from tests.pages import text_of


@pytest.mark.parametrize("face", ["console", "portal"])
def test_an_invoice_and_a_credit_note_are_files(client: Client, cast: Cast, face: str):
    client.force_login(cast.olivia if face == "console" else cast.gina)
    invoice = an_invoice(cast.globex, ("100",), tax="19")
    note = a_credit_note(invoice)
    said = text_of(client.get(f"/{face}/billing/invoices/{invoice.pk}/document/"))
    assert "VAT 19 % on $100.00 $19.00 Total $119.00" in said
    answer = client.get(f"/{face}/billing/invoices/{invoice.pk}.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="INV-00001.pdf"'
    assert answer.content.startswith(b"%PDF-")
    assert client.get(f"/{face}/billing/credit-notes/{note.pk}.pdf").content.startswith(b"%PDF-")
    told = json.loads(client.get(f"/{face}/billing/invoices/{invoice.pk}.json").content)
    assert (told["number"], told["total"], told["due"], told["state"]) == ("INV-00001", "119.00", "119.00", "open")
    assert told["lines"][0]["quantity"] == "36.363636"
    assert told["lines"][0]["unit_price"] == "2.75"
    assert told["taxes"] == [
        {"name": "VAT", "percent": "19", "is_inclusive": False, "base": "100.00", "amount": "19.00"}
    ]
    assert "logo" not in told["seller"]
    assert json.loads(client.get(f"/{face}/billing/credit-notes/{note.pk}.json").content)["total"] == "40.00"


def test_a_draft_is_the_operators_alone(client: Client, cast: Cast):
    draft = a_draft(cast.globex)
    client.force_login(cast.gina)
    assert client.get(f"/portal/billing/invoices/{draft.pk}.pdf").status_code == 404
    assert client.get(f"/portal/billing/invoices/{draft.pk}.json").status_code == 404
    client.force_login(cast.olivia)
    assert client.get(f"/console/billing/invoices/{draft.pk}.pdf").content.startswith(b"%PDF-")


def test_a_number_with_slashes_is_a_name_of_a_file(client: Client, cast: Cast):
    from apps.billing.services.sellers import update_seller

    update_seller(cast.acme, by=None, invoice_prefix='20/26 "A" ')
    invoice = an_invoice(cast.globex)
    client.force_login(cast.gina)
    answer = client.get(f"/portal/billing/invoices/{invoice.pk}.pdf")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="20-26-A-00001.pdf"'
