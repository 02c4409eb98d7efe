"""What Stripe tells of disputes, in whatever order: the edge is scripted, over HTTP."""

from collections.abc import Iterator
from itertools import permutations

import pytest
from django.core import mail
from django.test import Client

from apps.billing.models import Dispute, PaymentEvent, Wallet
from apps.billing.payment_tasks import ask_about_disputes
from apps.billing.services.payment_settings import set_up_stripe
from tests.billing.payments.fake_stripe import SECRET_KEY, WEBHOOK_SECRET
from tests.billing.payments.scripted import ScriptedStripe, running_script
from tests.billing.payments.test_checkout import a_started_top_up, an_intent, paid
from tests.billing.payments.test_webhooks import deliver
from tests.cast import Cast


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


def a_dispute(status: str, **fields) -> dict:
    said = {"id": "dp_1", "object": "dispute", "amount": 5000, "currency": "usd", "status": status}
    return said | {"reason": "product_not_received", "evidence_details": {"due_by": 1793000000}} | fields


def script(edge, payment, status: str) -> None:
    charge = {"id": "ch_1", "object": "charge", "amount_refunded": 0, "disputed": True}
    edge.script["GET /v1/payment_intents/pi_1"] = an_intent(payment.pk, latest_charge=charge)
    edge.script["GET /v1/disputes"] = {"object": "list", "data": [a_dispute(status)]}


def event(number: int, kind: str) -> dict:
    about = {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"}
    return {"id": f"evt_d{number}", "type": f"charge.dispute.{kind}", "data": {"object": about}}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_what_stripe_tells_comes_in_any_order_and_again(
    client: Client, edge, acme, cast: Cast, order, django_capture_on_commit_callbacks
):
    payment = a_started_top_up(edge, cast)
    paid(edge, payment)
    script(edge, payment, "lost")
    told_of = [event(0, "created"), event(1, "funds_withdrawn"), event(2, "closed")]
    with django_capture_on_commit_callbacks(execute=True):
        for number in (*order, *order):
            assert deliver(client, acme, told_of[number]) == 200
    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.reason, dispute.refund.amount) == ("lost", "product not received", 50)
    assert Wallet.objects.get(customer=cast.globex).balance == 0
    assert PaymentEvent.objects.filter(outcome="done").count() == 3
    subjects = {message.subject for message in mail.outbox if "ispute" in message.subject}
    assert subjects == {"Dispute of $50.00 of Globex: Lost"}


STATUSES = [
    ("warning_needs_response", "inquiry"), ("needs_response", "open"), ("under_review", "open"), ("won", "won"),
    ("warning_closed", "won"), ("lost", "lost"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "state"), STATUSES)
def test_each_status_of_stripes_is_one_of_ours(client: Client, edge, acme, cast: Cast, status, state):
    payment = a_started_top_up(edge, cast)
    script(edge, payment, status)
    assert deliver(client, acme, event(1, "updated")) == 200
    assert Dispute.objects.get().state == state


def test_the_end_of_one_that_nobody_told_us_is_asked_for(client: Client, edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    script(edge, payment, "under_review")
    deliver(client, acme, event(1, "created"))
    script(edge, payment, "won")
    ask_about_disputes()
    assert Dispute.objects.get().state == "won"
    asked = len(edge.asked)
    ask_about_disputes()
    assert len(edge.asked) == asked


def test_the_operator_sees_it(client: Client, edge, acme, cast: Cast):
    payment = a_started_top_up(edge, cast)
    script(edge, payment, "needs_response")
    deliver(client, acme, event(1, "created"))
    client.force_login(cast.olivia)
    page = client.get(f"/console/billing/payments/{payment.pk}/").content.decode()
    assert "product not received" in page
    assert "Until 26 Oct 2026" in page
    assert page.count("Credit held") == 1
