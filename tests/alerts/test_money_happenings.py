"""Payments that fail, disputes and invoices overdue are told to the operator's channels that subscribed: once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.alerts.channels.slack import text_of
from apps.alerts.delivering import deliver
from apps.alerts.models import Delivery, EventSubscription, MoneyHappening
from apps.alerts.money_happenings import tell_of_money
from apps.alerts.owners import Owner
from apps.alerts.services.channels import add_subscription
from apps.billing.models import Payment
from apps.billing.payments.base import DisputeReading, DisputeState
from apps.billing.services.disputes import record_dispute
from apps.billing.services.payments import add_invoice_payment, add_top_up, record_failure, record_payment
from apps.billing.services.quotes import quote_top_up
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from tests.alerts.conftest import NOON, Receiver, a_channel, a_webhook
from tests.alerts.test_happenings import subscribe, told
from tests.billing.making import an_invoice
from tests.cast import Cast, at_once, reread

MONEY = ("payment.failed", "payment.disputed", "invoice.overdue")
TODAY = NOON.date()


def a_payment(customer: Customer) -> Payment:
    """For 50 of credit, on its way."""
    open_wallet(customer, by=None, at=NOON)
    return add_top_up(customer, quote_top_up(customer, Decimal(50), at=NOON), provider="stripe", by=None, at=NOON)


def disputed(payment: Payment, state: DisputeState) -> None:
    reading = DisputeReading("dp_1", Decimal(50), state, reason="fraudulent", answer_by=NOON + timedelta(days=9))
    record_dispute(payment, reading, at=NOON)


def texts() -> list[str]:
    return [text_of(row) for row in Delivery.objects.order_by("pk")]


def test_a_payment_that_fails_is_told_once(cast: Cast):
    subscribe(Owner(cast.acme), *MONEY)
    payment = a_payment(cast.globex)
    record_failure(payment, "Your card was declined.", at=NOON)
    record_failure(payment, "Your card was declined.", at=NOON)  # told by the provider a second time
    assert tell_of_money(at=NOON) == 1
    assert tell_of_money(at=NOON) == 0
    assert told("payment.failed") == [
        {
            "payment_id": str(payment.pk), "customer_id": str(cast.globex.pk), "customer": "Globex", "invoice": None,
            "amount": "50", "currency": "USD", "provider": "stripe", "state": "failed",
            "error": "Your card was declined.",
        }
    ]  # fmt: skip
    link = f"http://localhost:8000/console/billing/payments/{payment.pk}/"
    assert texts() == [f"*A payment of $50.00 by Globex failed*\nYour card was declined.\n{link}"]


def test_each_state_of_a_dispute_is_told_once(cast: Cast):
    subscribe(Owner(cast.acme), *MONEY)
    payment = a_payment(cast.globex)
    record_payment(payment, at=NOON)
    for state in (DisputeState.OPEN, DisputeState.OPEN, DisputeState.WON):
        disputed(payment, state)
    tell_of_money(at=NOON)
    tell_of_money(at=NOON)
    assert [each["state"] for each in told("payment.disputed")] == ["open", "won"]
    opened, won = texts()
    assert opened.splitlines()[:5] == [
        "*A payment of $50.00 by Globex is disputed: Open*",
        "Invoice INV-0001",
        "Disputed: $50.00",
        "Reason: fraudulent",
        "Answer by 19 Mar 2026 12:00 (UTC)",
    ]
    assert won.splitlines()[0] == "*A payment of $50.00 by Globex is disputed: Won*"
    assert "Answer by" not in won


def test_an_invoice_is_told_on_the_day_after_it_was_due_and_never_again(cast: Cast):
    subscribe(Owner(cast.acme), *MONEY)
    invoice = an_invoice(cast.globex, due_on=TODAY, paid=Decimal(30))
    an_invoice(cast.globex, due_on=TODAY, state="paid", paid=Decimal(100))
    an_invoice(cast.globex, due_on=TODAY - timedelta(days=1))  # before anybody subscribed
    assert tell_of_money(at=NOON) == 0
    tomorrow = NOON + timedelta(days=1)
    assert [tell_of_money(at=tomorrow) for _ in range(2)] == [1, 0]
    assert tell_of_money(at=tomorrow + timedelta(days=1)) == 0
    [data] = told("invoice.overdue")
    assert (data["number"], data["due"], data["due_on"]) == (invoice.number, "70", str(TODAY))
    [text] = texts()
    assert text.splitlines()[:3] == [
        f"*Invoice {invoice.number} of Globex is overdue*", "Open: $70.00", "Due on Mar 10, 2026"
    ]  # fmt: skip


def test_an_invoices_payment_names_it_and_what_a_person_calls_off_is_no_failure(cast: Cast):
    subscribe(Owner(cast.acme), *MONEY)
    invoice = an_invoice(cast.globex, due_on=date(2027, 1, 1))
    for provider in ("stripe", "manual"):
        payment = add_invoice_payment(invoice, provider=provider, by=None, at=NOON)
        record_failure(payment, "Expired card.", at=NOON)
    tell_of_money(at=NOON)
    assert [each["invoice"] for each in told("payment.failed")] == [invoice.number]


def test_nobody_else_hears_of_it(cast: Cast):
    subscribe(Owner(cast.evil_corp), *MONEY)
    subscribe(Owner(cast.acme), "proxy_key.created")
    record_failure(a_payment(cast.globex), "Declined.", at=NOON)
    an_invoice(cast.globex, due_on=TODAY)
    assert not MoneyHappening.objects.exists()
    assert tell_of_money(at=NOON + timedelta(days=1)) == 0
    assert not Delivery.objects.exists()


def test_a_customer_cannot_subscribe_to_money(cast: Cast, client: Client):
    a_channel(Owner(cast.acme, cast.globex))
    client.force_login(cast.gina)
    page = client.get("/portal/alerts/events/").content.decode()
    assert "proxy_key.created" in page
    assert "payment.failed" not in page
    owner = Owner(cast.acme, cast.globex)
    with pytest.raises(Exception, match="Choose a channel"):
        subscribe(owner, "payment.failed")


def test_it_goes_out_signed_to_the_receiver(cast: Cast, receiver: Receiver):
    channel, _secret = a_webhook(Owner(cast.acme), receiver)
    add_subscription(Owner(cast.acme), name="Money", channel=channel, kinds=MONEY, sample_percent=Decimal(100), by=None)
    record_failure(a_payment(cast.globex), "Declined.", at=NOON)
    tell_of_money(at=NOON)
    deliver(within=timedelta(seconds=5))
    [(headers, _body)] = receiver.got
    assert headers["Tollgate-Signature"].startswith("t=")
    assert [payload["type"] for payload in receiver.payloads] == ["payment.failed"]


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_tell_it_once(cast: Cast):
    owner = Owner(cast.acme)
    row = add_subscription(
        owner, name="Money", channel=a_channel(owner), kinds=MONEY, sample_percent=Decimal(100), by=None
    )
    EventSubscription.objects.filter(pk=row.pk).update(created_at=NOON - timedelta(hours=1))
    record_failure(a_payment(cast.globex), "Declined.", at=NOON)
    an_invoice(cast.globex, due_on=TODAY)
    at_once(10, lambda: tell_of_money(at=NOON + timedelta(days=1)))
    assert sorted(Delivery.objects.values_list("kind", flat=True)) == ["invoice.overdue", "payment.failed"]
    assert reread(row).channel.deliveries.count() == 2
