"""Credit that buys itself: once, by the default card, within the month's limit, and not again at once when declined."""

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.billing.models import AutoTopUp, Payment, Wallet
from apps.billing.payment_tasks import ask_about_payments, collect
from apps.billing.payments.base import ProviderError
from apps.billing.payments.stripe import StripePayments
from apps.billing.services.auto_top_up import due_wallet_ids, top_up_by_itself
from apps.billing.services.payment_settings import set_up_stripe
from tests.billing.payments.conftest import NOW, a_stored_card
from tests.billing.payments.fake_stripe import DECLINED_LATER
from tests.billing.payments.test_payments import an_invoice
from tests.billing.payments.test_webhooks import deliver, told_of_payments
from tests.cast import at_once, reread
from tests.usage.conftest import database_url

D = Decimal


@pytest.fixture
def wallet(globex) -> Wallet:
    """Empty, and to be filled with 25 at a time once there is 10 or less."""
    wallet = Wallet.objects.get(customer=globex)
    AutoTopUp.objects.create(wallet=wallet, threshold=D(10), amount=D(25))
    return wallet


def rule() -> AutoTopUp:
    return AutoTopUp.objects.get()


def test_the_default_card_is_charged(local, globex, wallet):
    a_stored_card(local, globex)
    payment = top_up_by_itself(wallet.pk, at=NOW)
    assert (payment.state, payment.amount, payment.is_automatic) == ("succeeded", 25, True)
    assert reread(wallet).balance == 25
    assert top_up_by_itself(wallet.pk, at=NOW) is None
    assert due_wallet_ids(at=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_of_five_at_once_one_buys(local, globex, wallet):
    a_stored_card(local, globex)
    bought = at_once(5, lambda: top_up_by_itself(wallet.pk, at=NOW))
    assert [each for each in bought if isinstance(each, Exception)] == []
    assert (Payment.objects.count(), reread(wallet).balance) == (1, 25)
    assert len(local.client.v1.payment_intents.list({}).data) == 1


def test_a_card_that_is_declined_is_not_tried_again_for_an_hour(local, globex, wallet):
    a_stored_card(local, globex, DECLINED_LATER)
    payment = top_up_by_itself(wallet.pk, at=NOW)
    assert (payment.state, rule().last_error) == ("failed", "Your card was declined.")
    assert top_up_by_itself(wallet.pk, at=NOW + timedelta(minutes=59)) is None
    assert due_wallet_ids(at=NOW + timedelta(minutes=59)) == []
    assert due_wallet_ids(at=NOW + timedelta(minutes=61)) == [wallet.pk]
    assert top_up_by_itself(wallet.pk, at=NOW + timedelta(minutes=61)).state == "failed"


def test_without_a_card_it_says_so(globex, wallet):
    assert top_up_by_itself(wallet.pk, at=NOW) is None
    assert rule().last_error == "There is no payment method to charge."
    assert not Payment.objects.exists()


def test_no_more_than_the_month_allows(local, globex, wallet):
    a_stored_card(local, globex)
    AutoTopUp.objects.update(monthly_limit=D(40), threshold=D(1000))
    amounts = [top_up_by_itself(wallet.pk, at=NOW) for _ in range(2)]
    assert [each.amount if each else None for each in amounts] == [40, None]
    next_month = top_up_by_itself(wallet.pk, at=NOW + timedelta(days=31))
    assert next_month.amount == 40


def test_when_nobody_answers_it_is_charged_once_all_the_same(local, globex, wallet, monkeypatch):
    """Stripe took it and the answer was lost: asked again, the same payment is found by its mark, not made anew."""
    a_stored_card(local, globex)
    really = StripePayments.charge

    def lost(self, order, method):
        really(self, order, method)
        raise ProviderError("the answer was lost")

    monkeypatch.setattr(StripePayments, "charge", lost)
    payment = top_up_by_itself(wallet.pk, at=NOW)
    assert payment.state == "pending"
    assert top_up_by_itself(wallet.pk, at=NOW) is None  # it counts as if it were there
    monkeypatch.setattr(StripePayments, "charge", lambda self, order, method: self.read_payment(the_intent(local)))
    monkeypatch.setattr("apps.billing.payment_tasks.timezone.now", lambda: NOW + timedelta(minutes=5))
    ask_about_payments()
    assert (reread(payment).state, reread(wallet).balance) == ("succeeded", 25)


TOP_UP = """
import django; django.setup()
from datetime import datetime
from uuid import UUID
from apps.billing.services.auto_top_up import top_up_by_itself
top_up_by_itself(UUID("{wallet}"), at=datetime.fromisoformat("{at}"))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["top_up_begun", "method_charged"])
def test_whoever_dies_on_the_way_has_bought_once(local, acme, globex, wallet, place, monkeypatch):
    """Before Stripe is asked: it is asked by the next. After: Stripe tells, or says the same again."""
    a_stored_card(local, globex)
    environment = os.environ | {
        "DATABASE_URL": database_url(), "TOLLGATE_STRIPE_API": local.url, "TOLLGATE_FAIL": f"{place}:kill:1",
    }  # fmt: skip
    code = [sys.executable, "-c", TOP_UP.format(wallet=wallet.pk, at=NOW.isoformat())]
    assert subprocess.run(code, env=environment, timeout=240, check=False).returncode == -9
    payment = Payment.objects.get()
    assert (payment.state, reread(wallet).balance) == ("pending", 0)
    assert top_up_by_itself(wallet.pk, at=NOW) is None  # it counts as if it were there
    for event in told_of_payments(local):
        assert deliver(Client(), acme, event) == 200
    monkeypatch.setattr("apps.billing.payment_tasks.timezone.now", lambda: NOW + timedelta(minutes=5))
    for _ in range(2):
        ask_about_payments()
    assert (reread(payment).state, reread(wallet).balance) == ("succeeded", 25)
    assert (Payment.objects.count(), len(local.client.v1.payment_intents.list({}).data)) == (1, 1)


def test_a_payment_of_which_nobody_ever_hears_keeps_no_wallet_empty(local, globex, wallet):
    a_stored_card(local, globex)
    Payment.objects.create(
        organization=globex.organization, customer=globex, provider="stripe", provider_id="pi_lost", currency="USD",
        amount=25, credit=25, is_automatic=True, created_at=NOW - timedelta(days=2),
    )  # fmt: skip
    assert top_up_by_itself(wallet.pk, at=NOW) is None
    assert top_up_by_itself(wallet.pk, at=NOW + timedelta(days=2)).state == "succeeded"


def the_intent(local) -> str:
    """What Stripe answers to a call under a key that it knows: the same as before. localstripe knows no keys."""
    (intent,) = local.client.v1.payment_intents.list({}).data
    return intent.id


def test_a_final_invoice_is_charged_once_where_the_organization_says_so(local, acme, globex):
    set_up_stripe(acme, collects="charge", by=None)
    a_stored_card(local, globex)
    invoice = an_invoice(globex)
    for _ in range(2):
        collect(str(invoice.pk))
    assert (reread(invoice).state, Payment.objects.count()) == ("paid", 1)


def test_a_final_invoice_whose_card_is_declined_stays_open(local, acme, globex):
    set_up_stripe(acme, collects="charge", by=None)
    a_stored_card(local, globex, DECLINED_LATER)
    invoice = an_invoice(globex)
    for _ in range(2):
        collect(str(invoice.pk))
    assert (reread(invoice).state, reread(invoice).due) == ("open", 100)
    assert list(Payment.objects.values_list("state", flat=True)) == ["failed"]


def test_otherwise_it_waits_to_be_paid(local, acme, globex):
    a_stored_card(local, globex)
    invoice = an_invoice(globex)
    collect(str(invoice.pk))
    assert (reread(invoice).state, Payment.objects.count()) == ("open", 0)
