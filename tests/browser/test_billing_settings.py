"""What is set about billing, and a statement: by people, on a desk and on a phone."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from apps.billing.models import ExchangeRate, TaxRate
from apps.billing.parties import seller_of
from apps.billing.services.mailing import queue_invoice
from apps.billing.services.sellers import set_logo, update_seller
from tests.billing.making import ISSUED, NOVEMBER, a_credit_note, a_logo, an_invoice
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def a_history(cast: Cast) -> dict[str, object]:
    update_seller(
        cast.acme, by=None, legal_name="Acme GmbH", address="Hauptstraße 1\n10115 Berlin", country="DE", footer="HRB 1",
        payment_terms="IBAN DE02 1203 0000 0000 2020 51", reminder_days=[3, 10],
    )  # fmt: skip
    set_logo(cast.acme, a_logo(), by=None)
    for percent, day in ((19, "2026-01-01"), (20, "2027-01-01")):
        TaxRate.objects.create(organization=cast.acme, name="VAT", country="DE", percent=percent, effective_from=day)
    ExchangeRate.objects.create(
        organization=cast.acme, currency="EUR", per_dollar=Decimal("0.925"), effective_from=ISSUED
    )
    cast.globex.email = "globex@example.com"
    cast.globex.save()
    invoice = an_invoice(cast.globex, ("100", "20.5"), tax="22.9")
    a_credit_note(invoice)
    queue_invoice(invoice, by=None, at=NOVEMBER)
    return {"invoice": invoice.pk, "customer": cast.globex.pk}


def test_a_seller_is_set_up(page: Page, complaints: list[str], cast: Cast):
    sign_in_as(page, cast.olivia)
    page.goto("/console/billing/settings/")
    page.get_by_label("Legal name").fill("Acme GmbH")
    page.get_by_label("Country").select_option("DE")
    page.get_by_label("Tax id").fill("136695976")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Tax id")).to_have_value("DE136695976")
    page.get_by_label("Logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": a_logo()})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("img", name="Your logo")).to_be_visible()
    assert seller_of(cast.acme).logo is not None
    assert complaints == []


def test_pages_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast):
    sign_in_as(page, cast.olivia)
    check(page, "/console/billing/settings/rates/")  # with nothing in it
    ids = a_history(cast)
    for path in ("settings/", "settings/terms/", "settings/rates/", f"invoices/{ids['invoice']}/mailings/"):
        check(page, f"/console/billing/{path}")
    for path in ("details/", "statement/"):
        check(page, f"/console/customers/{ids['customer']}/billing/{path}")
    page.context.clear_cookies()
    sign_in_as(page, cast.gina)
    for path in ("details/", "details/edit/", "statement/?since=2026-10-01&until=2026-12-31"):
        check(page, f"/portal/billing/{path}")
    assert complaints == []
