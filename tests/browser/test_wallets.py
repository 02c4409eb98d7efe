"""An operator gives credit, makes a voucher; its customer redeems it; both see what is left."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.billing.models import Voucher, Wallet
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import grant_credit
from apps.billing.services.top_ups import top_up_by_hand
from apps.billing.services.vouchers import make_vouchers
from apps.billing.services.wallets import open_wallet
from tests.billing.wallets import usage
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast, reread

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def a_week_of_usage(cast: Cast) -> Wallet:
    now = timezone.now()
    wallet = open_wallet(cast.globex, by=None, at=now - timedelta(days=8))
    top_up_by_hand(cast.globex, Decimal(250), reference="RF18 5390 0754", by=None, at=now - timedelta(days=8))
    grant_credit(
        wallet, Decimal(20), key="a", by=None, at=now, expires_at=now + timedelta(days=12), note="Sorry for the outage"
    )
    grant_credit(wallet, Decimal("0.5"), key="b", by=None, at=now, priority=10, note="Survey")
    for day in range(8):
        usage(wallet, f"{day * 3 + 1}.37", day=wallet.draws_from + timedelta(days=day))
    draw_usage(wallet.pk, at=now)
    return wallet


def test_from_no_wallet_to_a_redeemed_voucher(page: Page, complaints: list[str], cast: Cast):
    sign_in_as(page, cast.olivia)
    page.get_by_role("link", name="Billing").click()
    page.get_by_label("Billing").get_by_role("link", name="Wallets").click()
    page.get_by_role("link", name="Choose a customer").click()
    page.get_by_role("link", name="Globex").click()
    page.get_by_role("link", name="Wallet", exact=True).click()
    page.get_by_label("Prepaid").check()
    page.get_by_role("button", name="Open a wallet").click()
    expect(page.get_by_text("this customer’s calls are refused")).to_be_visible()
    page.get_by_role("link", name="Give credit").click()
    page.get_by_label("Amount, in USD").fill("12.50")
    page.get_by_label("What for").fill("Welcome")
    page.get_by_role("button", name="Give").click()
    expect(page.get_by_role("row", name="Given by hand Welcome")).to_be_visible()
    assert cast.globex.wallet.balance == Decimal("12.5")

    page.goto("/console/billing/vouchers/")
    page.get_by_label("Worth, in USD").fill("30")
    page.get_by_role("button", name="Make", exact=True).click()
    code = page.locator("#new-codes").inner_text()
    page.get_by_role("button", name="Sign out").click()

    sign_in_as(page, cast.gina)
    page.goto("/portal/billing/wallet/")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Redeem").click()
    expect(page.get_by_text("$30.00 of credit were added")).to_be_visible()
    expect(page.get_by_text("$42.50").first).to_be_visible()
    assert Voucher.objects.get().uses == 1
    assert reread(cast.globex.wallet).balance == Decimal("42.5")
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_wallets_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast, theme: str):
    page.emulate_media(color_scheme=theme)
    wallet = a_week_of_usage(cast)
    make_vouchers(cast.acme, Decimal(25), by=None, at=timezone.now(), count=3, most_uses=5, note="Fair")
    sign_in_as(page, cast.olivia)
    of_globex = f"/console/billing/wallets/{wallet.customer_id}/"
    of_initech = f"/console/billing/wallets/{cast.initech.pk}/"
    check(page, "/console/billing/wallets/")
    check(page, of_globex)
    check(page, of_initech)
    for what in ("entries/", "grant/", "take/", "top-up/", "edit/"):
        check(page, of_globex + what)
    check(page, "/console/billing/vouchers/")
    page.get_by_role("button", name="Sign out").click()
    sign_in_as(page, cast.gina)
    for what in ("", "warning/", "auto-top-up/"):
        check(page, f"/portal/billing/wallet/{what}")
    assert complaints == []
