"""Stripe end to end, with localstripe in its place: cards, top-ups, invoices, refunds, webhooks."""

from decimal import Decimal

import pytest

from apps.billing.errors import PaymentDeclined
from apps.billing.models import BillingDetails, CreditLot, Payment, Refund, Wallet
from apps.billing.services.collecting import start_top_up
from apps.billing.services.refunds import refund_payment
from tests.billing.payments.conftest import NOW, a_stored_card
from tests.billing.payments.fake_stripe import DECLINED_LATER, LocalStripe
from tests.cast import reread


def balance_of(customer) -> Decimal:
    return Wallet.objects.get(customer=customer).balance


def test_a_customer_is_made_known_once(local: LocalStripe, globex):
    first, second = a_stored_card(local, globex), a_stored_card(local, globex)
    assert first.label == "Visa …4242"
    assert [first.is_default, reread(second).is_default] == [True, False]
    (details,) = BillingDetails.objects.filter(customer=globex)
    customers = local.client.v1.customers.list({}).data
    assert [each.id for each in customers] == [details.stripe_id]
    assert customers[0].metadata.to_dict() == {"tollgate_customer": str(globex.pk)}


def test_a_card_that_is_stored_pays_for_credit(local: LocalStripe, globex):
    card = a_stored_card(local, globex)
    payment = start_top_up(globex, Decimal(50), by=None, at=NOW, method=card)
    assert (payment.state, payment.amount, payment.currency, payment.method) == ("succeeded", 50, "USD", "Visa …4242")
    assert payment.provider_id.startswith("pi_")
    intent = local.client.v1.payment_intents.retrieve(payment.provider_id)
    assert (intent.amount, intent.currency, intent.status) == (5000, "usd", "succeeded")
    assert balance_of(globex) == 50
    (lot,) = CreditLot.objects.filter(wallet__customer=globex)
    assert (lot.amount, lot.category, lot.source) == (50, CreditLot.Category.PAID, "top_up")


def test_a_card_that_is_declined_buys_nothing(local: LocalStripe, globex):
    card = a_stored_card(local, globex, DECLINED_LATER)
    with pytest.raises(PaymentDeclined, match="declined"):
        start_top_up(globex, Decimal(50), by=None, at=NOW, method=card)
    (payment,) = Payment.objects.all()
    assert (payment.state, payment.error) == ("failed", "Your card was declined.")
    assert balance_of(globex) == 0


def test_what_is_left_of_a_top_up_goes_back_to_the_card(local: LocalStripe, globex):
    payment = start_top_up(globex, Decimal(50), by=None, at=NOW, method=a_stored_card(local, globex))
    refund = refund_payment(payment, Decimal(20), reason="Too much", by=None, at=NOW)
    assert (refund.state, refund.credit, refund.provider_id[:3]) == (Refund.State.SUCCEEDED, 20, "re_")
    told = local.client.v1.refunds.list({"payment_intent": payment.provider_id}).data
    assert [(each.id, each.amount) for each in told] == [(refund.provider_id, 2000)]
    assert balance_of(globex) == 30
    assert reread(payment).refunded == 20
