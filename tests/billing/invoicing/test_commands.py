"""billing_run and finalize_invoices, as they are called."""

import json
import os
import subprocess
import sys
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from apps.billing.invoice_tasks import build_invoices, finalize_invoices
from apps.billing.models import Invoice
from apps.billing.parties import details_of, seller_of
from tests.billing.made import AFTER, invoices, the_invoice, used
from tests.cast import a_customer, an_organization
from tests.faults.size import some


@pytest.fixture
def customer(db):
    return a_customer(an_organization("Acme"), "Globex")


def called(*words):
    out = StringIO()
    with time_machine.travel(AFTER, tick=False):
        call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_billing_run(customer):
    used(customer, price="2.5", model="mystery")
    answer = called("billing_run", "--organization", "acme", "--period", "2026-10")
    assert answer == {
        "dry_run": False, "customers": 1, "made": 1, "built_again": 0, "finalized": 0, "nothing_to_invoice": 0,
        "credit_notes": 0, "totals": {"USD": "2.50"}, "refused": [],
    }  # fmt: skip


def test_dry_run_changes_nothing(customer):
    used(customer)
    assert called("billing_run", "--finalize", "--dry-run")["finalized"] == 1
    assert invoices(customer) == []


def test_one_customers_only(customer):
    other = a_customer(customer.organization)
    used(customer)
    used(other)
    called("billing_run", "--organization", "acme", "--customer", "globex", "--finalize")
    assert (the_invoice(customer).number, invoices(other)) == ("INV-0001", [])


def test_finalize_invoices(customer):
    used(customer)
    called("billing_run")
    assert called("finalize_invoices")["finalized"] == 1
    assert called("finalize_invoices")["finalized"] == 0


def test_what_is_not_set_is_told_and_is_exit_code_1(customer, capsys):
    details = details_of(customer)
    details.currency = "EUR"
    details.save()
    used(customer)
    with pytest.raises(SystemExit), time_machine.travel(AFTER, tick=False):
        call_command("billing_run", "--json")
    [refused] = json.loads(capsys.readouterr().out)["refused"]
    assert (refused["organization"], refused["customer"]) == ("acme", "globex")


@pytest.mark.parametrize("words", [("--customer", "globex"), ("--period", "October"), ("--organization", "nobody")])
def test_mistakes_are_told(customer, words):
    with pytest.raises(CommandError):
        call_command("billing_run", *words)


def test_beat_builds_and_finalizes(customer):
    used(customer)
    by_hand = a_customer(an_organization())
    used(by_hand)
    seller = seller_of(by_hand.organization)
    seller.finalizes = False
    seller.save()
    with time_machine.travel(AFTER, tick=False):
        build_invoices()
        finalize_invoices()
    assert (the_invoice(customer).state, the_invoice(by_hand).state) == ("open", "draft")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", some(["invoice_finalized:kill:3", "drafts_built:kill:1", "billing_chunk:kill:1"], 1))
def test_killed_half_way_and_run_again_is_the_same(place):
    organization = an_organization("Acme")
    customers = [a_customer(organization) for _ in range(6)]
    for number, each in enumerate(customers):
        used(each, price=f"{number + 1}.25", model="mystery")
    command = [sys.executable, "manage.py", "billing_run", "--period", "2026-10", "--finalize", "--json"]
    name = connection.settings_dict["NAME"]
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    url = f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    environment = os.environ | {"DATABASE_URL": url, "TOLLGATE_FAIL": place}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=100)
    assert killed.returncode == -9
    again = subprocess.run(
        command, env=environment | {"TOLLGATE_FAIL": ""}, capture_output=True, check=True, timeout=100
    )
    made = json.loads(again.stdout)["made"]
    assert made == (0 if place.startswith("billing_chunk") else 6)
    rows = sorted(Invoice.objects.values_list("sequence", "total"))
    assert [sequence for sequence, _ in rows] == [1, 2, 3, 4, 5, 6]
    assert sum(total for _, total in rows) == sum(number + 1.25 for number in range(6))
