"""Credit for money that somebody says came in: by command and by hand, once for each reference."""

import io
import json
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, LedgerAccount, Payment, Wallet
from apps.billing.services.top_ups import top_up_by_hand
from tests.billing.wallets import NOON, a_wallet, assert_adds_up, usage
from tests.cast import a_customer, an_organization, at_once, reread


def top_up(customer, amount="25", reference="R-1"):
    return top_up_by_hand(customer, Decimal(amount), reference=reference, by=None, at=NOON)


@pytest.fixture
def customer(db):
    return a_customer(an_organization("Acme"), "Globex")


def test_a_top_up_is_payment_lot_and_ledger(customer):
    lot, is_new = top_up(customer)
    assert is_new
    assert (lot.amount, lot.category, lot.source) == (25, CreditLot.Category.PAID, CreditLot.Source.TOP_UP)
    payment = Payment.objects.get()
    assert (payment.provider, payment.provider_id, payment.state) == ("manual", "R-1", Payment.State.SUCCEEDED)
    assert (payment.amount, payment.credit, payment.currency) == (25, 25, "USD")
    assert lot.key == f"top_up:{payment.pk}"
    accounts = LedgerAccount.objects.exclude(balance=0)
    assert {account.kind: account.balance for account in accounts} == {"cash": -25, "credit": 25}
    assert_adds_up(lot.wallet)


def test_what_is_paid_is_rounded_to_cents_and_credited_as_it_was_paid(customer):
    """topup-round"""
    lot, _ = top_up(customer, "17.9699999999999988631316")
    assert lot.amount == Payment.objects.get().amount == Decimal("17.97")


def test_the_same_reference_credits_once(customer):
    first, _ = top_up(customer)
    assert top_up(customer) == (first, False)
    assert reread(first.wallet).balance == 25


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_credit_once():
    customer = a_customer(an_organization())
    outcomes = at_once(10, lambda: top_up(customer)[1])
    assert sorted(outcomes) == [False] * 9 + [True]
    assert Wallet.objects.get().balance == 25


@pytest.mark.parametrize("other", ["amount", "customer"])
def test_a_reference_is_of_one_payment(customer, other):
    top_up(customer)
    whom = customer if other == "amount" else a_customer(customer.organization)
    with pytest.raises(NotPossible, match="R-1"):
        top_up(whom, "26" if other == "amount" else "25")
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("amount", ["0", "-1", "0.004", "1000000000.01"])
def test_amounts_that_make_no_sense_are_refused(customer, amount):
    with pytest.raises(ValidationError):
        top_up(customer, amount)
    assert not Payment.objects.exists()


def test_it_pays_what_was_overdrawn(customer):
    wallet = a_wallet(customer)
    usage(wallet, "5")
    call_command("draw_usage", stdout=io.StringIO())
    top_up(customer)
    assert (reread(wallet).balance, reread(wallet).overdrawn) == (20, 0)


def run(*arguments: str) -> dict:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


COMMAND = ("top_up", "--organization", "acme", "--customer", "globex", "--reference", "R-1")


def test_the_command_tells_what_it_did_and_does_it_once(customer):
    assert run(*COMMAND, "12.50")["credited"] == "12.50"
    again = run(*COMMAND, "12.50")
    assert (Decimal(again["credited"]), again["was_credited_before"], Decimal(again["balance"])) == (0, True, 12.5)


def test_a_dry_run_does_nothing(customer):
    told = run(*COMMAND, "12.50", "--dry-run")
    assert (told["dry_run"], Decimal(told["credited"]), Decimal(told["balance"])) == (True, 12.5, 12.5)
    assert not Wallet.objects.exists()
    assert not Payment.objects.exists()


@pytest.mark.parametrize("amount", ["x", "0", "-1", "inf"])
def test_what_is_no_amount_is_refused(customer, amount):
    with pytest.raises(CommandError):
        call_command(*COMMAND, "--", amount)


def test_draw_usage_draws_all_that_is_behind(customer):
    wallet, other = a_wallet(customer), a_wallet()
    usage(wallet, "5")
    usage(other, "3")
    assert run("draw_usage", "--organization", "acme", "--dry-run")["drawn"] == "5.000000000000"
    assert reread(wallet).drawn == 0
    assert run("draw_usage", "--organization", "acme")["wallets"] == 1
    assert (reread(wallet).drawn, reread(other).drawn) == (5, 0)
    assert run("draw_usage")["wallets"] == 1
    assert run("draw_usage") == {"dry_run": False, "wallets": 0, "drawn": "0"}
