"""Billing in the portal: what a customer sees of it, and what it never does."""

from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from apps.billing.models import Invoice
from tests.billing.made import AFTER, a_price, a_subscription, a_wallet, run, the_invoice, used


@pytest.fixture(autouse=True)
def _in_november():
    with time_machine.travel(AFTER, tick=False):
        yield


@pytest.fixture
def globex(cast, client):
    client.force_login(cast.gina)
    return cast.globex


def page(client, name, *arguments):
    answer = client.get(reverse(f"portal:{name}", args=arguments))
    return answer.content.decode() if answer.status_code == 200 else answer.status_code


def test_nothing_yet(globex, client):
    assert "Nothing used yet" in page(client, "billing")
    assert "No invoices yet" in page(client, "invoices")


def test_period_so_far_its_forecast_credit_and_what_is_owed(globex, client):
    used(globex, price="3.5", model="mystery")
    run(globex, finalizes=True)
    allowance = {"name": "Tokens", "models": "mystery", "metric": "tokens", "quantity": "3000"}
    a_subscription(globex, starts=AFTER.replace(day=1, hour=0), allowances=[allowance])
    a_wallet(globex, "20", "credit_first", at=AFTER)
    used(globex, day=2, month=11, price="8", model="mystery")
    used(globex, day=2, month=11, price="4", model="other")
    shown = page(client, "billing")
    assert "$4.00" in shown  # the other model is all included
    assert "1,500 of 3,000 tokens left" in shown
    assert "$20.00" in shown
    assert "INV-0001" in shown


def test_invoice_has_names_as_sold_and_no_cost(globex, client):
    a_price("secret-model")
    used(globex, price="3.5", cost=Decimal("1.2345"), model="secret-model", sold_as="our-best")
    run(globex, finalizes=True)
    shown = page(client, "invoice-detail", the_invoice(globex).pk)
    assert "our-best · input" in shown
    assert "secret-model" not in shown
    assert "1.23" not in shown
    assert "/requests/?since=" in shown
    assert "customer=" not in shown


def test_drafts_and_those_of_others_are_not_there(globex, cast, client):
    used(globex)
    run(globex)
    assert page(client, "invoice-detail", the_invoice(globex).pk) == 404
    assert "No invoices yet" in page(client, "invoices")
    used(cast.initech)
    the_invoice(globex).delete()
    run(cast.initech, finalizes=True)
    assert page(client, "invoice-detail", Invoice.objects.get(customer=cast.initech).pk) == 404
