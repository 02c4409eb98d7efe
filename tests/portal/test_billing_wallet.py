"""A customer's page of its wallet: what is left, codes, warnings, and credit that buys itself."""

from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.billing.models import AutoTopUp, CreditLot, Wallet
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import grant_credit
from apps.billing.services.vouchers import make_vouchers
from apps.billing.services.wallets import open_wallet
from apps.customers.models import CustomerRole
from tests.billing.wallets import usage
from tests.cast import Cast, a_customer_member, reread
from tests.pages import rows_of, text_of

URL = "/portal/billing/wallet/"


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


@pytest.fixture
def wallet(cast: Cast) -> Wallet:
    return open_wallet(cast.globex, by=None, at=timezone.now())


def midnight():
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def give(wallet: Wallet, amount: str = "100") -> CreditLot:
    return grant_credit(wallet, Decimal(amount), key=amount, by=None, at=timezone.now())[0]


def test_without_a_wallet_there_is_no_credit(gina: Client):
    told = text_of(gina.get(URL))
    assert "You have no credit" in told
    assert "Redeem a voucher" in told


def test_the_page_has_balance_lots_and_history(gina: Client, wallet: Wallet):
    give(wallet)
    usage(wallet, "7.5", day=midnight())
    draw_usage(wallet.pk, at=timezone.now())
    answer = gina.get(URL)
    assert "Balance $92.50" in text_of(answer)
    assert f"{midnight():%-d %b %Y} Usage -$7.50" in rows_of(answer)
    assert "/portal/requests/?period=custom" in answer.content.decode()


def test_a_code_is_redeemed_once(gina: Client, cast: Cast):
    [(_voucher, code)] = make_vouchers(cast.acme, Decimal(20), by=None, at=timezone.now())
    first = gina.post(f"{URL}redeem/", {"code": code.lower()}, follow=True)
    assert "$20.00 of credit were added" in text_of(first)
    assert "redeemed before" in text_of(gina.post(f"{URL}redeem/", {"code": code}, follow=True))
    assert cast.globex.wallet.balance == 20


def test_who_tries_many_codes_is_stopped(gina: Client):
    answers = [gina.post(f"{URL}redeem/", {"code": f"code-{n}"}).status_code for n in range(21)]
    assert answers == [302] * 20 + [429]


def test_only_admins_change_anything(client: Client, cast: Cast, wallet: Wallet):
    client.force_login(a_customer_member(cast.globex, CustomerRole.DEVELOPER).user)
    assert client.get(URL).status_code == 200
    assert "Redeem" not in text_of(client.get(URL))
    for what in ("redeem/", "warning/", "auto-top-up/"):
        assert client.post(URL + what).status_code == 403


def test_credit_is_bought_by_itself_as_was_set(gina: Client, wallet: Wallet):
    assert "No payment method" in text_of(gina.get(f"{URL}auto-top-up/"))
    typed = {"is_on": "on", "threshold": "10", "amount": "50", "monthly_limit": "200"}
    assert gina.post(f"{URL}auto-top-up/", typed).status_code == 302
    rule = AutoTopUp.objects.get(wallet=wallet)
    assert (rule.is_on, rule.threshold, rule.amount, rule.monthly_limit) == (True, 10, 50, 200)
    assert "$50.00 when the balance is at $10.00 or below, at most $200.00 a month" in text_of(gina.get(URL))
    typed = {"threshold": "10", "amount": "50", "monthly_limit": ""}
    gina.post(f"{URL}auto-top-up/", typed)
    assert (reread(rule).is_on, reread(rule).monthly_limit) == (False, None)


@pytest.mark.django_db(transaction=True)
def test_a_low_balance_is_told_once_and_again_after_it_was_enough(client: Client, cast: Cast):
    wallet = open_wallet(cast.globex, by=None, at=timezone.now())
    client.force_login(cast.gina)
    give(wallet, "30")
    client.post(f"{URL}warning/", {"low_balance": "20"})
    for price in ("5", "5.01", "5"):
        usage(wallet, price, day=midnight())
        draw_usage(wallet.pk, at=timezone.now())
    [told] = mail.outbox
    assert told.to == [cast.gina.email]
    assert told.subject == "$19.99 of credit left at Acme"
    assert "less than the $20.00" in told.body
    assert "/portal/billing/wallet/" in told.body
    give(wallet, "50")
    usage(wallet, "50", day=midnight())
    draw_usage(wallet.pk, at=timezone.now())
    assert len(mail.outbox) == 2
