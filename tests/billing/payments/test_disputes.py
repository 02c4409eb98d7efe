"""Disputes: credit is held, given again or taken for good, invoices are open again; in any order, and once."""

import os
import subprocess
import sys
from decimal import Decimal
from itertools import permutations, product

import pytest

from apps.billing.audit.deep import deep_audit
from apps.billing.models import AutoTopUp, Dispute, LedgerTransaction, Payment, Refund, Wallet
from apps.billing.payments.base import DisputeReading, DisputeState, RefundReading
from apps.billing.services.disputes import record_dispute
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import grant_credit
from apps.billing.services.payments import add_invoice_payment, add_top_up, record_payment
from apps.billing.services.quotes import quote_top_up
from apps.billing.services.refunds import record_refund
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from tests.billing.making import an_invoice
from tests.billing.payments.conftest import NOW
from tests.billing.payments.test_payments import balances, in_euros
from tests.billing.wallets import assert_adds_up, usage
from tests.cast import Cast, at_once, reread
from tests.usage.conftest import database_url

D = Decimal
INQUIRY, OPEN, WON, LOST = DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.WON, DisputeState.LOST


def told(state: DisputeState, amount: str = "50", provider_id: str = "dp_1") -> DisputeReading:
    return DisputeReading(provider_id, D(amount), state, reason="fraudulent")


def a_top_up(customer: Customer, credit: str = "50") -> Payment:
    quote = quote_top_up(customer, D(credit), at=NOW)
    payment = add_top_up(customer, quote, provider="stripe", by=None, at=NOW)
    record_payment(payment, at=NOW, method="Visa …4242")
    return reread(payment)


def a_wallet(customer: Customer) -> Wallet:
    return open_wallet(customer, by=None, at=NOW, settlement=Wallet.Settlement.PREPAID)


def use(wallet: Wallet, price: str) -> None:
    usage(wallet, price, day=wallet.draws_from)
    draw_usage(wallet.pk, at=NOW)


@pytest.fixture
def wallet(cast: Cast) -> Wallet:
    """Globex's, that bought 50 and used 20 of it."""
    wallet = a_wallet(cast.globex)
    a_top_up(cast.globex)
    use(wallet, "20")
    return reread(wallet)


def the_payment() -> Payment:
    return Payment.objects.order_by("created_at").first()


def left_of(wallet: Wallet) -> list[Decimal]:
    return [lot.remaining.normalize() for lot in wallet.lots.order_by("created_at", "pk")]


def assert_exact(wallet: Wallet) -> None:
    assert_adds_up(wallet)
    assert [str(each) for each in deep_audit(wallet.customer.organization_id).findings] == []


def test_unused_credit_is_held_while_it_is_open(wallet):
    record_dispute(the_payment(), told(OPEN), at=NOW)
    assert balances(wallet.customer) == {"cash USD": -50, "held USD": 30, "revenue USD": 20}
    assert (reread(wallet).balance, left_of(wallet), reread(wallet).ceiling) == (0, [0], 20)
    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.amount, dispute.held, dispute.reason) == ("open", 50, 30, "fraudulent")
    assert the_payment().disputed_at == NOW
    assert_exact(wallet)


def test_what_was_held_is_there_again_once_it_is_won(wallet):
    record_dispute(the_payment(), told(OPEN), at=NOW)
    record_dispute(the_payment(), told(WON), at=NOW)
    assert balances(wallet.customer) == {"cash USD": -50, "credit USD": 30, "revenue USD": 20}
    assert (left_of(wallet), Dispute.objects.get().held) == ([30], 0)
    assert not Refund.objects.exists()
    assert_exact(wallet)


def test_what_was_used_meanwhile_is_paid_first_by_what_was_held(wallet):
    record_dispute(the_payment(), told(OPEN), at=NOW)
    use(wallet, "7")  # calls that were under way
    assert reread(wallet).balance == -7
    record_dispute(the_payment(), told(WON), at=NOW)
    assert (reread(wallet).balance, left_of(wallet), reread(wallet).overdrawn) == (23, [23], 0)
    assert_exact(wallet)


@pytest.mark.parametrize("before", [(), (OPEN,), (WON,), (INQUIRY, OPEN)], ids=str)
def test_lost_all_of_the_credit_is_owed_and_the_next_pays_it_first(wallet, before):
    for state in (*before, LOST):
        record_dispute(the_payment(), told(state), at=NOW)
    assert balances(wallet.customer) == {"credit USD": -20, "revenue USD": 20}
    assert (reread(wallet).balance, reread(wallet).overdrawn, left_of(wallet)) == (-20, 20, [0])
    assert reread(wallet).ceiling == 0  # less than the 20 that were spent: calls are refused
    refund = Refund.objects.get()
    assert (refund.amount, refund.credit, refund.unrecovered, refund.state) == (50, 50, 0, "succeeded")
    assert (refund.credit_note.total, the_payment().refundable) == (50, 0)
    a_top_up(wallet.customer, "100")
    assert (reread(wallet).balance, left_of(wallet)) == (80, [0, 80])
    assert_exact(wallet)


def test_other_credit_pays_before_anything_is_below_zero(wallet):
    grant_credit(wallet, D(15), key="given", at=NOW, by=None)
    record_dispute(the_payment(), told(LOST), at=NOW)
    assert (reread(wallet).balance, reread(wallet).overdrawn, left_of(wallet)) == (-5, 5, [0, 0])
    assert_exact(wallet)


def test_a_part_that_is_disputed_takes_its_part(wallet):
    record_dispute(the_payment(), told(OPEN, "12.50"), at=NOW)
    assert (left_of(wallet), Dispute.objects.get().held) == ([D("17.5")], D("12.5"))
    record_dispute(the_payment(), told(LOST, "12.50"), at=NOW)
    assert (left_of(wallet), reread(wallet).balance, the_payment().refunded) == ([D("17.5")], D("17.5"), D("12.5"))
    assert_exact(wallet)


ENDS = {INQUIRY: (30, 0), OPEN: (0, 30), WON: (30, 0), LOST: (-20, 0)}  # balance, held


@pytest.mark.parametrize("order", [*permutations(ENDS), *product((OPEN, WON, LOST), repeat=2)], ids=str)
def test_in_any_order_and_told_twice_it_is_as_it_was_told_last(wallet, order):
    for state in order:
        for _ in range(2):
            record_dispute(the_payment(), told(state), at=NOW)
    balance, held = ENDS[order[-1]]
    assert (reread(wallet).balance, Dispute.objects.get().held) == (balance, held)
    assert_adds_up(wallet)
    gone = sum(Refund.objects.exclude(state="failed").values_list("amount", flat=True))
    assert gone == the_payment().refunded == (50 if order[-1] is LOST else 0)


def test_an_invoice_that_was_paid_by_it_is_open_again(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = add_invoice_payment(invoice, provider="stripe", by=None, at=NOW)
    record_payment(payment, at=NOW)
    for state in (OPEN, WON, OPEN):
        record_dispute(payment, told(state, "100"), at=NOW)
        assert reread(invoice).state == "paid"
    record_dispute(payment, told(LOST, "100"), at=NOW)
    assert (reread(invoice).state, reread(invoice).due, reread(payment).refunded) == ("open", 100, 100)
    assert balances(cast.globex).get("cash USD") is None
    record_dispute(payment, told(WON, "100"), at=NOW)
    assert (reread(invoice).state, reread(invoice).due, reread(payment).refunded) == ("paid", 0, 0)


def test_with_tax_in_another_currency_nothing_is_left_in_the_till(cast: Cast):
    wallet = a_wallet(in_euros(cast.globex, "19"))
    a_top_up(cast.globex)
    use(wallet, "20")
    record_dispute(the_payment(), told(OPEN, "47.60"), at=NOW)
    record_dispute(the_payment(), told(LOST, "47.60"), at=NOW)
    left = balances(cast.globex)
    assert {name: left[name] for name in left if "EUR" in name} == {}
    assert left == {"credit USD": -20, "revenue USD": 20}
    assert_exact(wallet)


def test_what_is_held_and_no_dispute_holds_is_named(wallet):
    record_dispute(the_payment(), told(OPEN), at=NOW)
    Dispute.objects.update(held=29)
    (found,) = deep_audit(wallet.customer.organization_id).findings
    assert (found.check, found.expected, found.found) == ("payment.held", "29", "30")


def test_the_card_is_not_charged_by_itself_any_more(wallet):
    AutoTopUp.objects.create(wallet=wallet, threshold=10, amount=50)
    record_dispute(the_payment(), told(INQUIRY), at=NOW)
    assert AutoTopUp.objects.get().is_on
    record_dispute(the_payment(), told(OPEN), at=NOW)
    rule = AutoTopUp.objects.get()
    assert (rule.is_on, rule.last_error) == (False, "A payment was disputed.")


def test_what_was_not_paid_cannot_be_disputed(cast: Cast):
    quote = quote_top_up(cast.globex, D(50), at=NOW)
    payment = add_top_up(cast.globex, quote, provider="stripe", by=None, at=NOW)
    assert record_dispute(payment, told(LOST), at=NOW) is None
    assert not Dispute.objects.exists()


def test_what_was_paid_back_before_is_not_taken_twice(wallet):
    record_refund(the_payment(), RefundReading("re_1", D(30)), at=NOW)
    record_dispute(the_payment(), told(LOST, "50"), at=NOW)
    assert (the_payment().refunded, reread(wallet).balance) == (50, -20)
    assert_exact(wallet)


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_take_it_once(cast: Cast):
    wallet = a_wallet(cast.globex)
    payment = a_top_up(cast.globex)
    found = at_once(10, lambda: record_dispute(payment, told(LOST), at=NOW))
    assert {each.pk for each in found} == {Dispute.objects.get().pk}
    assert (Refund.objects.count(), reread(wallet).balance) == (1, 0)
    assert LedgerTransaction.objects.filter(kind="dispute").count() == 1


RECORD = """
import django; django.setup()
from datetime import datetime
from decimal import Decimal
from apps.billing.models import Payment
from apps.billing.payments.base import DisputeReading, DisputeState, RefundReading
from apps.billing.services.disputes import record_dispute
record_dispute(Payment.objects.get(), DisputeReading("dp_1", Decimal(50), DisputeState.LOST),
    at=datetime.fromisoformat("{at}"))
"""


@pytest.mark.django_db(transaction=True)
def test_whoever_dies_half_way_has_changed_nothing(cast: Cast):
    wallet = a_wallet(cast.globex)
    payment = a_top_up(cast.globex)
    environment = os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": "dispute_recorded:kill:1"}
    code = [sys.executable, "-c", RECORD.format(at=NOW.isoformat())]
    assert subprocess.run(code, env=environment, timeout=240, check=False).returncode == -9
    assert (reread(wallet).balance, Dispute.objects.count(), Refund.objects.count()) == (50, 0, 0)
    record_dispute(payment, told(LOST), at=NOW)
    assert (reread(wallet).balance, Refund.objects.count()) == (0, 1)
