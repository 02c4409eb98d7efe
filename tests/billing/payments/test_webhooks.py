"""What Stripe tells: signed, kept, acted on once, in whatever order it comes and however often."""

import json
import random
import time
from collections import Counter
from decimal import Decimal

import pytest
import stripe
from django.db import connection
from django.test import Client

from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, LedgerTransaction, Payment, PaymentEvent, Refund, Wallet
from apps.billing.parties import details_of
from apps.billing.services import collecting, payment_events
from apps.billing.services.collecting import start_top_up
from apps.billing.services.payment_events import process_event, take_as_payment
from apps.billing.services.payments import add_top_up, surplus_of
from apps.billing.services.quotes import quote_top_up
from tests.billing.payments.conftest import NOW, a_stored_card
from tests.billing.payments.fake_stripe import DECLINED_LATER, WEBHOOK_SECRET, LocalStripe
from tests.cast import Cast, at_once, reread


def url_of(organization) -> str:
    return f"/billing/webhooks/stripe/{organization.pk}"


def deliver(client: Client, organization, event: dict, secret: str = WEBHOOK_SECRET, sent_at: int | None = None) -> int:
    """As Stripe does it; the status that we answer with."""
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, secret, sent_at)
    headers = {"Stripe-Signature": signature}
    return client.post(url_of(organization), body, content_type="application/json", headers=headers).status_code


def a_payment_that_nobody_recorded(local: LocalStripe, customer, card, credit="50") -> Payment:
    """Paid at Stripe, and whoever was to put it down here died."""
    payment = add_top_up(customer, quote_top_up(customer, Decimal(credit), at=NOW), provider="stripe", by=None, at=NOW)
    params = {
        "amount": int(Decimal(credit) * 100),
        "currency": "usd",
        "customer": details_of(customer).stripe_id,
        "payment_method": card.provider_id,
        "confirm": True,
        "metadata": {"tollgate_payment": str(payment.pk)},
    }
    local.client.v1.payment_intents.create(params)
    return payment


def told_of_payments(local: LocalStripe) -> list[dict]:
    return [event for event in local.events() if event["type"].startswith("payment_intent.")]


def balance_of(customer) -> Decimal:
    return Wallet.objects.get(customer=customer).balance


def test_a_payment_that_was_only_told_of_is_put_down(client: Client, local, acme, globex):
    payment = a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    assert deliver(client, acme, event) == 200
    assert (reread(payment).state, balance_of(globex)) == ("succeeded", 50)
    (kept,) = PaymentEvent.objects.all()
    assert (kept.event_id, kept.kind, kept.outcome) == (event["id"], "payment_intent.succeeded", "done")
    assert kept.processed_at is not None
    assert "client_secret" not in json.dumps(kept.payload)


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_and_ever_again_it_comes_to_the_same(client: Client, local, acme, globex, seed: int):
    """Two top-ups, one paid at the second try, and a refund that was made at Stripe."""
    good, bad = a_stored_card(local, globex), a_stored_card(local, globex, DECLINED_LATER)
    first = a_payment_that_nobody_recorded(local, globex, good)
    with pytest.raises(stripe.CardError):
        a_payment_that_nobody_recorded(local, globex, bad, "10")
    second = a_payment_that_nobody_recorded(local, globex, good, "25")
    events = told_of_payments(local)
    refunded = next(each["data"]["object"]["id"] for each in events if each["data"]["object"]["amount"] == 5000)
    refund = local.client.v1.refunds.create({"payment_intent": refunded, "amount": 1500})
    events.append({"id": "evt_refund", "type": "charge.refunded", "data": {"object": {"payment_intent": refunded}}})
    told = events * 3
    random.Random(seed).shuffle(told)
    assert Counter(deliver(client, acme, event) for event in told) == {200: 12}
    assert PaymentEvent.objects.count() == 4
    assert [reread(each).state for each in (first, second)] == ["succeeded", "succeeded"]
    assert list(Payment.objects.filter(state="failed").values_list("credit", flat=True)) == [10]
    assert balance_of(globex) == 60
    assert sorted(CreditLot.objects.values_list("amount", "remaining")) == [(25, 25), (50, 35)]
    (row,) = Refund.objects.all()
    assert (row.provider_id, row.amount, row.credit) == (refund.id, 15, 15)
    kinds = Counter(LedgerTransaction.objects.values_list("kind", flat=True))
    assert kinds == {"top_up": 2, "invoice": 2, "refund": 1, "credit_note": 1}
    for event in PaymentEvent.objects.all():
        process_event(event, at=NOW, again=True)
    assert balance_of(globex) == 60
    assert LedgerTransaction.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_the_same_event_ten_times_at_once_gives_the_credit_once(local, acme, globex):
    a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    statuses = at_once(10, lambda: deliver(Client(), acme, event))
    assert statuses == [200] * 10
    assert balance_of(globex) == 50
    assert CreditLot.objects.count() == 1
    assert PaymentEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_charges_and_what_is_told_meanwhile_are_one_payment(local, acme, globex, monkeypatch):
    """The event is there before the answer to the call that it tells of."""
    card = a_stored_card(local, globex)
    really = collecting.put_down

    def told_before(payment, reading, **how):
        (event,) = told_of_payments(local)
        assert deliver(Client(), acme, event) == 200
        really(payment, reading, **how)

    monkeypatch.setattr(collecting, "put_down", told_before)
    payment = start_top_up(globex, Decimal(50), by=None, at=NOW, method=card)
    assert (payment.state, balance_of(globex)) == ("succeeded", 50)
    assert CreditLot.objects.count() == 1


def test_what_fails_is_answered_with_500_and_kept_and_done_the_next_time(client, local, acme, globex, monkeypatch):
    payment = a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    with monkeypatch.context() as broken:

        def fails(*args, **kwargs):
            raise RuntimeError("the disk is full")

        broken.setattr(payment_events, "put_down", fails)
        client.raise_request_exception = False
        assert deliver(client, acme, event) == 500
    (kept,) = PaymentEvent.objects.all()
    assert (kept.processed_at, kept.error, kept.attempts) == (None, "RuntimeError: the disk is full", 1)
    assert (reread(payment).state, balance_of(globex)) == ("pending", 0)
    assert deliver(client, acme, event) == 200
    assert (reread(payment).state, balance_of(globex)) == ("succeeded", 50)
    assert (reread(kept).outcome, reread(kept).error, reread(kept).attempts) == ("done", "", 2)


def test_stripe_away_is_answered_with_500(client, local, acme, globex, settings):
    a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"  # nobody listens
    assert deliver(client, acme, event) == 500
    assert balance_of(globex) == 0


REFUSED = [
    pytest.param({"secret": "whsec_of_somebody_else"}, 400, id="another-secret"),
    pytest.param({"sent_at": int(time.time()) - 3600}, 400, id="an-hour-old"),
]


@pytest.mark.parametrize(("how", "status"), REFUSED)
def test_what_is_not_signed_for_us_is_not_believed(client, local, acme, globex, how, status):
    a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    assert deliver(client, acme, event, **how) == status
    assert not PaymentEvent.objects.exists()
    assert balance_of(globex) == 0


def test_without_a_webhook_secret_nothing_is_believed(client, local, acme, globex):
    """Not even what is signed with the empty one."""
    row = acme.payment_providers.get()
    row.seal(json.dumps({"secret_key": "sk_test_of_acme", "webhook_secret": ""}))
    row.save()
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    assert deliver(client, acme, event, secret="") == 400


def test_events_of_one_organization_are_not_another_ones(client, cast: Cast, local, acme, globex):
    a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    (event,) = told_of_payments(local)
    assert deliver(client, cast.evil_corp, event) == 404  # it has no Stripe
    assert not PaymentEvent.objects.exists()


def test_what_is_too_long_is_not_read(client, acme):
    answer = client.post(url_of(acme), "x" * 600_000, content_type="application/json")
    assert answer.status_code == 413


def test_events_of_other_things_are_kept_and_ignored(client, local, acme):
    event = {"id": "evt_x", "type": "balance.available", "data": {"object": {"object": "balance"}}}
    assert deliver(client, acme, event) == 200
    assert PaymentEvent.objects.get().outcome == "ignored"


def test_money_that_nobody_waits_for_is_shown_to_the_operator(client, local, acme, globex):
    card = a_stored_card(local, globex)
    customer = details_of(globex).stripe_id
    params = {"amount": 700, "currency": "usd", "customer": customer, "payment_method": card.provider_id}
    local.client.v1.payment_intents.create({**params, "confirm": True})
    (event,) = told_of_payments(local)
    assert deliver(client, acme, event) == 200
    row = PaymentEvent.objects.get()
    assert row.outcome == "unmatched"
    assert not Payment.objects.exists()
    payment = take_as_payment(row, by=None, at=NOW)
    assert (payment.customer, reread(payment).state, surplus_of(reread(payment))) == (globex, "succeeded", 7)
    with pytest.raises(NotPossible):
        take_as_payment(reread(row), by=None, at=NOW)
    assert deliver(client, acme, event) == 200
    assert Payment.objects.count() == 1


def test_refunded_at_stripe_after_it_was_used(client, local, acme, globex):
    """What was used can't be had back: it is noted, and the balance is not below what was used."""
    payment = start_top_up(globex, Decimal(50), by=None, at=NOW, method=a_stored_card(local, globex))
    CreditLot.objects.update(remaining=0)  # used up
    Wallet.objects.filter(customer=globex)
    local.client.v1.refunds.create({"payment_intent": payment.provider_id})
    event = {
        "id": "evt_refund",
        "type": "charge.refunded",
        "data": {"object": {"payment_intent": payment.provider_id}},
    }
    assert deliver(client, acme, event) == 200
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.credit, refund.unrecovered) == (50, 0, 50)
    assert reread(payment).refunded == 50


@pytest.mark.django_db(transaction=True)
def test_delivered_for_real_to_a_server_of_ours(local, acme, globex, live_server):
    """localstripe calls our server, and our server asks localstripe."""
    local.deliver_to(f"{live_server.url}{url_of(acme)}")
    payment = a_payment_that_nobody_recorded(local, globex, a_stored_card(local, globex))
    connection.close()
    for _ in range(300):
        if PaymentEvent.objects.filter(kind="payment_intent.succeeded", outcome="done").exists():
            break
        time.sleep(0.1)
    assert (reread(payment).state, balance_of(globex)) == ("succeeded", 50)
    assert PaymentEvent.objects.filter(kind="payment_intent.succeeded", outcome="done").count() == 1
