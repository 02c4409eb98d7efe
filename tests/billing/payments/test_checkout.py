"""Stripe's pages: Checkout, cards that are left there, invoices that are pushed. The edge is scripted, over HTTP."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client

from apps.billing.models import Invoice, Payment, PaymentEvent, Wallet
from apps.billing.payment_tasks import ask_about_payments
from apps.billing.payments.base import ProviderError
from apps.billing.payments.registry import provider_of
from apps.billing.payments.stripe import API_VERSION
from apps.billing.payments.stripe_objects import from_units, to_units
from apps.billing.services.collecting import ask_about, collect_invoice, start_invoice_payment, start_top_up
from apps.billing.services.payment_methods import read_methods, start_method
from apps.billing.services.payment_settings import set_up_stripe
from tests.billing.payments.conftest import NOW
from tests.billing.payments.fake_stripe import SECRET_KEY, WEBHOOK_SECRET
from tests.billing.payments.scripted import ScriptedStripe, running_script
from tests.billing.payments.test_payments import an_invoice, balances
from tests.billing.payments.test_webhooks import deliver
from tests.cast import Cast, reread

CARD = {"id": "pm_1", "object": "payment_method", "type": "card", "card": {"brand": "visa", "last4": "4242"}}
PAGE = "https://checkout.stripe.com/c/pay/cs_1"


@pytest.fixture
def edge(settings) -> Iterator[ScriptedStripe]:
    with running_script() as stripe:
        settings.STRIPE_API_BASE = stripe.url
        stripe.script["POST /v1/customers"] = {"id": "cus_1", "object": "customer"}
        yield stripe


@pytest.fixture
def acme(cast: Cast, edge: ScriptedStripe):
    set_up_stripe(cast.acme, secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET, by=None)
    return cast.acme


def an_intent(payment_id: object = "", **fields) -> dict:
    said = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 5000,
        "amount_received": 5000,
        "currency": "usd",
        "customer": "cus_1",
        "latest_charge": {"id": "ch_1", "object": "charge", "amount_refunded": 0, "disputed": False},
        "payment_method": CARD,
        "metadata": {"tollgate_payment": str(payment_id)} if payment_id else {},
    }  # fmt: skip
    return said | fields


def a_session(payment: Payment, **fields) -> dict:
    said = {"id": "cs_1", "object": "checkout.session", "status": "open", "payment_intent": None, "mode": "payment"}
    return said | {"metadata": {"tollgate_payment": str(payment.pk)}, "payment_status": "unpaid"} | fields


def a_started_top_up(edge: ScriptedStripe, cast: Cast) -> Payment:
    edge.script["POST /v1/checkout/sessions"] = {"id": "cs_1", "object": "checkout.session", "url": PAGE}
    back = "https://tollgate.example/portal/billing/payments/{payment}/"
    return start_top_up(cast.globex, Decimal(50), by=cast.gina, at=NOW, return_url=back)


def test_a_checkout_is_asked_for_with_all_that_finds_it_again(edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    assert (payment.state, payment.provider_id, payment.details["url"]) == ("pending", "cs_1", PAGE)
    (asked,) = edge.of("POST /v1/checkout/sessions")
    assert asked.headers["Stripe-Version"] == API_VERSION == "2026-10-28.endive"
    assert asked.headers["Idempotency-Key"] == f"tollgate:checkout:{payment.pk}"
    assert asked.headers["Authorization"] == f"Bearer {SECRET_KEY}"
    wanted = {
        "mode": "payment",
        "customer": "cus_1",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "5000",
        "metadata[tollgate_payment]": str(payment.pk),
        "payment_intent_data[metadata][tollgate_payment]": str(payment.pk),
        "success_url": f"https://tollgate.example/portal/billing/payments/{payment.pk}/",
    }
    assert {name: asked.params[name] for name in wanted} == wanted
    payment.delete()
    a_started_top_up(edge, cast)
    assert len(edge.of("POST /v1/customers")) == 1


def paid(edge: ScriptedStripe, payment: Payment) -> None:
    edge.script["GET /v1/checkout/sessions/cs_1"] = a_session(payment, status="complete", payment_intent="pi_1")
    edge.script["GET /v1/payment_intents/pi_1"] = an_intent(payment.pk)


ORDERS = [
    pytest.param(["session", "intent"], id="session-first"),
    pytest.param(["intent", "session"], id="payment-first"),
    pytest.param(["session", "session", "intent", "session"], id="again-and-again"),
]


@pytest.mark.parametrize("order", ORDERS)
def test_a_checkout_that_was_paid_gives_its_credit_once(client: Client, edge, acme, cast: Cast, order):
    payment = a_started_top_up(edge, cast)
    paid(edge, payment)
    events = {
        "session": {
            "id": "evt_1",
            "type": "checkout.session.completed",
            "data": {"object": {"id": "cs_1", "mode": "payment"}},
        },
        "intent": {"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}},
    }
    assert {deliver(client, acme, events[name]) for name in order} == {200}
    payment = reread(payment)
    assert (payment.state, payment.provider_id, payment.method) == ("succeeded", "pi_1", "Visa …4242")
    assert Wallet.objects.get().balance == 50


def test_whoever_comes_back_sees_that_it_is_paid_before_anybody_told_us(client: Client, edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    paid(edge, payment)
    client.force_login(cast.gina)
    page = client.get(f"/portal/billing/payments/{payment.pk}/").content.decode()
    assert "Paid" in page
    assert Wallet.objects.get().balance == 50


def test_a_checkout_that_is_open_stays_pending_and_one_that_expired_fails(edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    edge.script["GET /v1/checkout/sessions/cs_1"] = a_session(payment)
    assert ask_about(payment, at=NOW).state == "pending"
    edge.script["GET /v1/checkout/sessions/cs_1"] = a_session(payment, status="expired")
    payment = ask_about(payment, at=NOW)
    assert (payment.state, payment.error) == ("failed", "The checkout was left, or has expired.")


def test_a_coupon_of_stripes_that_pays_all_is_a_payment_of_nothing(edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    edge.script["GET /v1/checkout/sessions/cs_1"] = a_session(
        payment, status="complete", payment_status="no_payment_required", amount_total=0, currency="usd"
    )
    payment = ask_about(payment, at=NOW)
    assert (payment.state, payment.amount, payment.credit) == ("succeeded", 0, 50)
    assert balances(cast.globex) == {"promotion USD": -50, "credit USD": 50}


def test_a_payment_of_which_nobody_told_us_is_asked_about(edge, acme, cast: Cast, monkeypatch):
    payment = a_started_top_up(edge, cast)
    paid(edge, payment)
    monkeypatch.setattr("apps.billing.payment_tasks.timezone.now", lambda: NOW.replace(hour=13))
    ask_about_payments()
    assert reread(payment).state == "succeeded"


def test_a_charge_in_another_currency_is_not_taken_for_it(client: Client, edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    edge.script["GET /v1/payment_intents/pi_1"] = an_intent(payment.pk, currency="eur")
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    assert deliver(client, acme, event) == 500
    assert reread(payment).state == "pending"
    assert "EUR" in PaymentEvent.objects.get().error


def test_a_disputed_payment_says_so(client: Client, edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    disputed = {"id": "ch_1", "object": "charge", "amount_refunded": 0, "disputed": True}
    edge.script["GET /v1/payment_intents/pi_1"] = an_intent(payment.pk, latest_charge=disputed)
    dispute = {"id": "dp_1", "object": "dispute", "amount": 5000, "currency": "usd", "status": "needs_response"}
    edge.script["GET /v1/disputes"] = {"object": "list", "data": [dispute]}
    event = {"id": "evt_1", "type": "charge.dispute.created", "data": {"object": {"payment_intent": "pi_1"}}}
    assert deliver(client, acme, event) == 200
    assert reread(payment).disputed_at is not None


def test_a_card_is_left_on_stripes_page(edge, acme, cast: Cast):
    edge.script["POST /v1/checkout/sessions"] = {"id": "cs_2", "object": "checkout.session", "url": PAGE}
    assert start_method(cast.globex, "https://tollgate.example/back") == PAGE
    (asked,) = edge.of("POST /v1/checkout/sessions")
    assert (asked.params["mode"], asked.params["customer"]) == ("setup", "cus_1")


def test_what_stripe_says_of_a_card_is_heard_by_an_event(client: Client, edge, acme, cast: Cast):
    a_started_top_up(edge, cast)
    edge.script["GET /v1/payment_methods"] = {"object": "list", "data": [CARD]}
    event = {"id": "evt_1", "type": "payment_method.attached", "data": {"object": {"id": "pm_1", "customer": "cus_1"}}}
    assert deliver(client, acme, event) == 200
    (method,) = cast.globex.payment_methods.all()
    assert (method.label, method.is_default) == ("Visa …4242", True)
    edge.script["GET /v1/payment_methods"] = {"object": "list", "data": []}
    assert read_methods(cast.globex, provider_of(acme), at=NOW) == []


def push_script(edge: ScriptedStripe, invoice: Invoice, *, is_paid: bool) -> None:
    paid_by = {"status": "paid", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}}
    said = {
        "id": "in_1",
        "object": "invoice",
        "status": "paid" if is_paid else "open",
        "metadata": {"tollgate_invoice": str(invoice.pk)},
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "payments": {"object": "list", "data": [paid_by] if is_paid else []},
    }  # fmt: skip
    edge.script |= {
        "POST /v1/invoices": said,
        "POST /v1/invoiceitems": {"id": "ii_1", "object": "invoiceitem"},
        "POST /v1/invoices/in_1/finalize": said,
        "POST /v1/invoices/in_1/pay": said,
        "GET /v1/invoices/in_1": said,
        "GET /v1/payment_intents/pi_1": an_intent(amount=10000, amount_received=10000),
        "GET /v1/invoice_payments": {"object": "list", "data": [{"id": "inpay_1", "invoice": "in_1"}]},
    }


def test_an_invoice_is_pushed_and_paid_once_whichever_event_comes_first(client: Client, edge, acme, cast: Cast):
    set_up_stripe(acme, collects="push", by=None)
    invoice = an_invoice(cast.globex)
    push_script(edge, invoice, is_paid=False)
    assert collect_invoice(invoice, at=NOW) is None
    collect_invoice(reread(invoice), at=NOW)
    assert reread(invoice).stripe_id == "in_1"
    (made,) = edge.of("POST /v1/invoices")
    assert made.params["collection_method"] == "send_invoice"
    assert made.params["pending_invoice_items_behavior"] == "exclude"
    assert made.headers["Idempotency-Key"] == f"tollgate:invoice:{invoice.pk}"
    (item,) = edge.of("POST /v1/invoiceitems")
    assert (item.params["amount"], item.params["invoice"], item.params["description"]) == ("10000", "in_1", "INV-0001")
    push_script(edge, invoice, is_paid=True)
    events = [
        {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}},
        {"id": "evt_2", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}},
        {"id": "evt_3", "type": "invoice.payment_succeeded", "data": {"object": {"id": "in_1"}}},
    ]
    assert [deliver(client, acme, event) for event in [*events, *reversed(events)]] == [200] * 6
    (payment,) = Payment.objects.all()
    assert (payment.provider_id, payment.amount, payment.state) == ("pi_1", 100, "succeeded")
    assert (reread(invoice).state, reread(invoice).paid) == ("paid", 100)


def test_an_open_invoice_is_paid_on_stripes_page(client: Client, edge, acme, cast: Cast):
    invoice = an_invoice(cast.globex)
    edge.script["POST /v1/checkout/sessions"] = {"id": "cs_1", "object": "checkout.session", "url": PAGE}
    payment = start_invoice_payment(invoice, by=None, at=NOW)
    edge.script["GET /v1/checkout/sessions/cs_1"] = a_session(payment, status="complete", payment_intent="pi_1")
    edge.script["GET /v1/payment_intents/pi_1"] = an_intent(payment.pk, amount=10000, amount_received=10000)
    event = {"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {"id": "cs_1"}}}
    assert deliver(client, acme, event) == 200
    assert reread(invoice).state == "paid"


def test_events_are_gone_through_again_by_a_command(client: Client, edge, acme, cast: Cast, capsys):
    payment = a_started_top_up(edge, cast)
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    assert deliver(client, acme, event) == 500  # Stripe knows no such payment
    call_command("replay_payment_events", dry_run=True, json=True)
    assert json.loads(capsys.readouterr().out) == {"events": 1}
    call_command("replay_payment_events", json=True)
    assert json.loads(capsys.readouterr().out)["failed"] == ["evt_1: no GET /v1/payment_intents/pi_1"]
    paid(edge, payment)
    for wanted in ({}, {"all": True}):
        call_command("replay_payment_events", json=True, organization=acme.slug, **wanted)
        assert json.loads(capsys.readouterr().out) == {
            "events": 1, "done": 1, "ignored": 0, "unmatched": 0, "failed": [],
        }  # fmt: skip
    call_command("replay_payment_events", json=True)
    assert json.loads(capsys.readouterr().out)["events"] == 0
    assert Wallet.objects.get().balance == 50


def test_a_wrong_key_is_told_without_telling_the_key(edge, acme, cast: Cast, caplog):
    edge.script["POST /v1/customers"] = (
        401,
        {"error": {"type": "invalid_request_error", "message": f"bad {SECRET_KEY}"}},
    )
    with pytest.raises(ProviderError, match="does not take our key") as told:
        a_started_top_up(edge, cast)
    assert SECRET_KEY not in str(told.value)
    assert SECRET_KEY not in caplog.text
    assert SECRET_KEY not in repr(provider_of(acme))


UNITS = [
    ("USD", "12.34", 1234), ("JPY", "1513", 1513), ("ISK", "100", 10000), ("UGX", "5", 500), ("KWD", "1.230", 1230),
    ("MGA", "77", 77),
]  # fmt: skip


@pytest.mark.parametrize(("currency", "amount", "units"), UNITS)
def test_amounts_are_told_in_the_units_that_stripe_counts_in(currency: str, amount: str, units: int):
    assert to_units(Decimal(amount), currency) == units
    assert from_units(units, currency.lower()) == Decimal(amount)
