"""What the operator sets about billing."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Role
from apps.billing.models import ExchangeRate, Logo, TaxRate
from apps.billing.parties import details_of, seller_of
from tests.billing.making import a_logo, an_invoice
from tests.cast import Cast, a_member, reread
from tests.pages import text_of

SELLER = {
    "legal_name": "Acme GmbH",
    "address": "Hauptstraße 1\n10115 Berlin",
    "country": "DE",
    "tax_id": "136695976",
    "email": "billing@acme.example",
    "currency": "EUR",
    "payment_terms": "IBAN DE02 1203 0000 0000 2020 51",
    "footer": "",
    "accent": "#aa3300",
}
TERMS = {
    "invoice_prefix": "AC-",
    "credit_note_prefix": "ACN-",
    "net_days": "14",
    "grace_days": "2",
    "finalizes": "on",
    "tax_rounding": "line",
    "taxed_when": "top_up",
    "reminder_days": "10, 3,10",
    "final_step": "suspend",
    "final_step_days": "30",
}


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def test_the_seller_is_saved_with_its_tax_id_checked_and_noted(olivia: Client, cast: Cast):
    answer = olivia.post("/console/billing/settings/", SELLER, follow=True)
    assert "Saved." in text_of(answer)
    seller = seller_of(cast.acme)
    assert (seller.legal_name, seller.tax_id, seller.currency, seller.accent) == (
        "Acme GmbH", "DE136695976", "EUR", "#aa3300"
    )  # fmt: skip
    (event,) = cast.acme.audit_events.filter(action="seller.update")
    assert event.changes["currency"] == ["USD", "EUR"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tax_id": "DE136695977"}, "Not a VAT id of DE"),
        ({"accent": "red"}, "Enter a valid value"),
        ({"currency": "XXX"}, "Select a valid choice"),
        ({"country": "XX"}, "Select a valid choice"),
    ],
)
def test_a_seller_that_makes_no_sense_is_not_saved(olivia: Client, cast: Cast, fields, reason: str):
    answer = olivia.post("/console/billing/settings/", SELLER | fields)
    assert reason in text_of(answer)
    assert seller_of(cast.acme).legal_name == ""


def test_another_currency_leaves_customers_theirs_who_were_invoiced(olivia: Client, cast: Cast):
    an_invoice(cast.globex)
    details_of(cast.initech)
    olivia.post("/console/billing/settings/", SELLER)
    assert (details_of(cast.globex).currency, details_of(cast.initech).currency) == ("USD", "")


def test_terms_are_saved(olivia: Client, cast: Cast):
    olivia.post("/console/billing/settings/terms/", TERMS)
    seller = seller_of(cast.acme)
    assert (seller.net_days, seller.grace_days, seller.finalizes, seller.sends) == (14, 2, True, False)
    assert (seller.reminder_days, seller.final_step, seller.final_step_days) == ([3, 10], "suspend", 30)
    assert 'value="3, 10"' in olivia.get("/console/billing/settings/terms/").content.decode()


@pytest.mark.parametrize("days", ["x", "0", "-3", "3.5", "366", "1,2,3,4,5,6,7,8,9"])
def test_days_of_reminders_are_days(olivia: Client, cast: Cast, days: str):
    answer = olivia.post("/console/billing/settings/terms/", TERMS | {"reminder_days": days})
    assert answer.status_code == 200
    assert seller_of(cast.acme).reminder_days == []


def upload(olivia: Client, content: bytes, name: str = "logo.png") -> str:
    file = SimpleUploadedFile(name, content, "image/png")
    return text_of(olivia.post("/console/billing/settings/logo/", {"logo": file}, follow=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_logo_is_kept_also_when_another_takes_its_place(olivia: Client, cast: Cast, kind: str):
    first, second = a_logo(kind=kind), a_logo(colour="#00ff00")
    assert "the logo of documents from now on" in upload(olivia, first)
    upload(olivia, second)
    assert bytes(seller_of(cast.acme).logo) == second
    assert {bytes(logo.content) for logo in Logo.objects.filter(organization=cast.acme)} == {first, second}
    olivia.post("/console/billing/settings/logo/remove/")
    assert seller_of(cast.acme).logo is None
    assert Logo.objects.count() == 2


NO_LOGOS = [
    pytest.param(b"", "empty", id="empty"),
    pytest.param(b"<svg onload=alert(1)>", "has to be a PNG or a JPEG", id="no image"),
    pytest.param(a_logo(kind="GIF"), "has to be a PNG or a JPEG", id="another kind"),
    pytest.param(a_logo()[:60], "has to be a PNG or a JPEG", id="cut off"),
    pytest.param(a_logo((4001, 10)), "larger than 4,000 pixels", id="too wide"),
    pytest.param(a_logo() + b"x" * 256 * 1024, "larger than 256 KB", id="too large"),
]


@pytest.mark.parametrize(("content", "reason"), NO_LOGOS)
def test_what_is_no_logo_is_refused(olivia: Client, cast: Cast, content: bytes, reason: str):
    assert reason in upload(olivia, content)
    assert seller_of(cast.acme).logo is None


VAT = {"name": "VAT", "country": "DE", "percent": "19", "effective_from": "2026-01-01"}


def test_a_tax_rate_is_added_and_retired(olivia: Client, cast: Cast):
    olivia.post("/console/billing/settings/rates/add/", VAT | {"percent": "20"})
    rate = TaxRate.objects.get(organization=cast.acme)
    assert (rate.percent, rate.country, rate.effective_from) == (20, "DE", date(2026, 1, 1))
    assert "VAT DE 20 % 1 Jan 2026 In force" in text_of(olivia.get("/console/billing/settings/rates/"))
    olivia.post(f"/console/billing/settings/rates/{rate.pk}/retire/")
    assert reread(rate).retired_at is not None
    assert "Retired" in text_of(olivia.get("/console/billing/settings/rates/"))
    actions = list(cast.acme.audit_events.values_list("action", flat=True))
    assert (actions.count("tax_rate.add"), actions.count("tax_rate.retire")) == (1, 1)


def test_a_country_has_taxes_of_one_kind(olivia: Client, cast: Cast):
    olivia.post("/console/billing/settings/rates/add/", VAT)
    odd = VAT | {"name": "City tax", "percent": "1", "is_inclusive": "on"}
    assert "the odd one" in text_of(olivia.post("/console/billing/settings/rates/add/", odd))
    assert TaxRate.objects.count() == 1


def test_an_exchange_rate_is_set_put_right_and_removed(olivia: Client, cast: Cast):
    day = {"currency": "EUR", "effective_from": "2026-10-31"}
    for per_dollar in ("0.92", "0.925"):
        olivia.post("/console/billing/settings/exchange-rates/set/", day | {"per_dollar": per_dollar})
    rate = ExchangeRate.objects.get(organization=cast.acme)
    assert (rate.per_dollar, rate.effective_from) == (Decimal("0.925"), date(2026, 10, 31))
    assert "EUR 0.925 31 Oct 2026" in text_of(olivia.get("/console/billing/settings/rates/"))
    olivia.post("/console/billing/settings/exchange-rates/remove/", day)
    assert not ExchangeRate.objects.exists()


@pytest.mark.parametrize("fields", [{"currency": "USD"}, {"per_dollar": "0"}, {"per_dollar": "-1"}])
def test_an_exchange_rate_that_makes_no_sense_is_not_set(olivia: Client, fields):
    day = {"currency": "EUR", "effective_from": "2026-10-31", "per_dollar": "0.9"}
    assert olivia.post("/console/billing/settings/exchange-rates/set/", day | fields).status_code == 200
    assert not ExchangeRate.objects.exists()


def test_another_organizations_exchange_rate_cannot_be_removed(olivia: Client, cast: Cast):
    day = {"currency": "EUR", "effective_from": timezone.localdate()}
    ExchangeRate.objects.create(organization=cast.evil_corp, per_dollar=1, **day)
    olivia.post("/console/billing/settings/exchange-rates/remove/", day)
    assert ExchangeRate.objects.count() == 1


def test_without_rates_the_page_says_what_that_means(olivia: Client):
    said = text_of(olivia.get("/console/billing/settings/rates/"))
    assert "None: invoices have no tax on them." in said
    assert "None: all can be invoiced in US dollars alone." in said


def test_who_may_not_bill_may_not_look(client: Client, cast: Cast):
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    assert client.get("/console/billing/settings/").status_code == 403


DETAILS = {
    "legal_name": "Globex S.A.", "address": "", "country": "FR", "tax_id": "40303265045", "email": "",
    "language": "fr", "purchase_order": "PO 7", "currency": "EUR", "tax_status": "reverse_charge",
    "tax_rate": "", "net_days": "", "is_reminded": "on",
}  # fmt: skip


def test_how_a_customer_is_billed_is_saved(olivia: Client, cast: Cast):
    page = f"/console/customers/{cast.globex.pk}/billing/details/"
    assert olivia.post(page, DETAILS).status_code == 302
    details = details_of(cast.globex)
    assert (details.tax_id, details.currency, details.tax_status) == ("FR40303265045", "EUR", "reverse_charge")
    assert "none, reverse charge" in text_of(olivia.get(page))
    (event,) = cast.acme.audit_events.filter(action="billing_details.update")
    assert event.customer_id == cast.globex.pk


def test_a_reverse_charge_needs_a_tax_id(olivia: Client, cast: Cast):
    answer = olivia.post(f"/console/customers/{cast.globex.pk}/billing/details/", DETAILS | {"tax_id": ""})
    assert "A reverse charge needs the customer's tax id." in text_of(answer).replace("&#x27;", "'")
    assert details_of(cast.globex).legal_name == ""


def test_the_currency_is_fixed_from_the_first_invoice_on(olivia: Client, cast: Cast):
    an_invoice(cast.globex)
    page = f"/console/customers/{cast.globex.pk}/billing/details/"
    assert "Fixed: there is an invoice in it." in text_of(olivia.get(page))
    olivia.post(page, DETAILS)
    assert (details_of(cast.globex).currency, details_of(cast.globex).legal_name) == ("", "Globex S.A.")


def test_a_tax_rate_of_somebody_else_cannot_be_given(olivia: Client, cast: Cast):
    foreign = TaxRate.objects.create(organization=cast.evil_corp, name="VAT", percent=20)
    page = f"/console/customers/{cast.globex.pk}/billing/details/"
    assert "Select a valid choice" in text_of(olivia.post(page, DETAILS | {"tax_rate": foreign.pk}))
