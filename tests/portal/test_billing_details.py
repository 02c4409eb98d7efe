"""Billing details, as the customer's own people see and change them."""

import pytest
from django.test import Client

from apps.billing.parties import details_of
from apps.customers.models import CustomerRole
from tests.cast import Cast, a_customer_member
from tests.pages import text_of

PAGE, EDIT = "/portal/billing/details/", "/portal/billing/details/edit/"
OURS = {
    "legal_name": "Globex Inc.",
    "address": "1 Main Street",
    "country": "GB",
    "tax_id": "GB 980 7806 84",
    "email": "invoices@globex.example",
    "language": "en_GB",
    "purchase_order": "PO 7",
}


def test_an_admin_changes_who_they_are_and_not_what_they_owe(client: Client, cast: Cast):
    client.force_login(cast.gina)
    client.post(EDIT, OURS | {"currency": "JPY", "tax_status": "exempt", "net_days": "365", "is_reminded": ""})
    details = details_of(cast.globex)
    assert (details.legal_name, details.country, details.tax_id) == ("Globex Inc.", "GB", "980780684")
    assert (details.currency, details.tax_status, details.net_days, details.is_reminded) == ("", "taxed", None, True)
    said = text_of(client.get(PAGE))
    assert "Country United Kingdom" in said
    assert "Currency USD" in said
    (event,) = cast.acme.audit_events.filter(action="billing_details.update")
    assert event.actor_id == cast.gina.pk


def test_a_wrong_tax_id_is_told(client: Client, cast: Cast):
    client.force_login(cast.gina)
    assert "Not a tax id of GB" in text_of(client.post(EDIT, OURS | {"tax_id": "980780685"}))
    assert details_of(cast.globex).legal_name == ""


def test_who_is_charged_in_reverse_keeps_a_tax_id(client: Client, cast: Cast):
    details = details_of(cast.globex)
    details.tax_status, details.tax_id = "reverse_charge", "980780684"
    details.save()
    client.force_login(cast.gina)
    assert "A reverse charge needs" in text_of(client.post(EDIT, OURS | {"tax_id": ""}))


@pytest.mark.parametrize("role", [CustomerRole.DEVELOPER, CustomerRole.VIEWER])
def test_others_look_and_change_nothing(client: Client, cast: Cast, role: CustomerRole):
    client.force_login(a_customer_member(cast.globex, role).user)
    assert EDIT not in client.get(PAGE).content.decode()
    assert client.post(EDIT, OURS).status_code == 403
