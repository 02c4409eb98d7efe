"""Credit comes once for each key, is taken from what is left, and expires once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import AuditEvent
from apps.billing.errors import NotEnoughCredit
from apps.billing.models import CreditLot, LedgerAccount, LedgerTransaction
from apps.billing.services.ledger import account_of
from apps.billing.services.lots import adjust_credit, expire_lot, expired_lots, grant_credit, take_credit
from tests.billing.wallets import A_DAY, NOON, a_lot, a_wallet, assert_adds_up, left_in
from tests.cast import at_once, reread

Kind = LedgerTransaction.Kind


@pytest.fixture
def wallet(db):
    return a_wallet()


def balances(wallet) -> dict[str, Decimal]:
    accounts = LedgerAccount.objects.filter(organization=wallet.customer.organization).exclude(balance=0)
    return {account.kind: account.balance.normalize() for account in accounts}


def take(wallet, amount, key="take", **fields):
    return take_credit(wallet, Decimal(amount), key=key, at=NOON, **fields)


def test_a_grant_is_in_lot_ledger_and_audit_log(wallet):
    lot = a_lot(wallet, "25", note="Welcome", expires_at=NOON + A_DAY)
    assert (lot.category, lot.source, lot.remaining) == (CreditLot.Category.PROMOTIONAL, CreditLot.Source.GRANT, 25)
    assert balances(wallet) == {"credit": 25, "promotion": -25}
    event = AuditEvent.objects.get(action="credit.grant")
    assert event.changes["amount"] == [None, "25"]
    assert event.customer_id == wallet.customer_id
    assert_adds_up(wallet)


def test_the_same_key_grants_once(wallet):
    first = a_lot(wallet, "25", key="welcome")
    again, is_new = grant_credit(wallet, Decimal(25), key="welcome", at=NOON + A_DAY, by=None)
    assert (again, is_new) == (first, False)
    assert AuditEvent.objects.filter(action="credit.grant").count() == 1
    assert reread(wallet).balance == 25


@pytest.mark.django_db(transaction=True)
def test_ten_grants_at_once_grant_once():
    wallet = a_wallet()
    lots = at_once(10, lambda: grant_credit(wallet, Decimal(5), key="one", at=NOON, by=None)[0].pk)
    assert len(set(lots)) == 1
    assert reread(wallet).balance == 5
    assert_adds_up(wallet)


BAD = [
    ({"amount": Decimal(0)}, "above zero"),
    ({"amount": Decimal(-1)}, "above zero"),
    ({"amount": Decimal("0.0000000000001")}, "12 decimal places"),
    ({"amount": Decimal(10) ** 10}, "not above a billion"),
    ({"amount": Decimal(1), "expires_at": NOON}, "gone at once"),
    ({"amount": Decimal(1), "effective_at": NOON + A_DAY}, "when it begins to count"),
    ({"amount": Decimal(1), "note": "x" * 201}, "at most 200"),
]


@pytest.mark.parametrize(("fields", "said"), BAD)
def test_credit_that_makes_no_sense_is_refused(wallet, fields, said):
    with pytest.raises(ValidationError, match=said):
        grant_credit(wallet, fields.pop("amount"), key="k", at=NOON, by=None, **fields)
    assert not CreditLot.objects.exists()
    assert balances(wallet) == {}


def test_credit_is_taken_from_what_is_used_last(wallet):
    soon, later = a_lot(wallet, "10", expires_at=NOON + A_DAY), a_lot(wallet, "10")
    take(wallet, "12")
    assert left_in(soon, later) == [8, 0]
    assert balances(wallet) == {"credit": 8, "promotion": -8}
    assert_adds_up(wallet)


def test_credit_is_taken_once_for_a_key(wallet):
    a_lot(wallet, "10")
    first, is_new = take(wallet, "3")
    again, is_new_again = take(wallet, "3")
    assert (is_new, is_new_again, again) == (True, False, first)
    assert reread(wallet).balance == 7


def test_no_more_is_taken_than_there_is(wallet):
    lot = a_lot(wallet, "10")
    with pytest.raises(NotEnoughCredit, match=r"only \$10.00"):
        take(wallet, "10.01")
    assert left_in(lot) == [10]
    assert balances(wallet) == {"credit": 10, "promotion": -10}


def test_money_that_goes_back_is_taken_from_the_lot_that_it_bought(wallet):
    bought, given = a_lot(wallet, "10"), a_lot(wallet, "10")
    cash = account_of(wallet.customer.organization, LedgerAccount.Kind.CASH, "USD")
    take(wallet, "4", kind=Kind.REFUND, against={cash: Decimal(4)}, lots=[bought])
    assert left_in(bought, given) == [6, 10]
    with pytest.raises(NotEnoughCredit):
        take(wallet, "7", key="again", lots=[bought])


def test_an_adjustment_has_its_reason_in_the_audit_log(wallet):
    a_lot(wallet, "10")
    adjust_credit(wallet, Decimal(2), key="k", reason="Given twice", at=NOON, by=None)
    adjust_credit(wallet, Decimal(2), key="k", reason="Given twice", at=NOON, by=None)
    event = AuditEvent.objects.get(action="credit.take")
    assert event.changes == {"taken": [None, "2"], "reason": [None, "Given twice"]}
    assert LedgerTransaction.objects.get(kind=Kind.ADJUSTMENT).source == {"reason": "Given twice"}


def test_a_lot_expires_once_and_not_before(wallet):
    lot = a_lot(wallet, "10", expires_at=NOON + A_DAY)
    a_lot(wallet, "5")
    assert expired_lots(at=NOON + A_DAY - timedelta(seconds=1)) == []
    assert expire_lot(lot.pk, at=NOON + A_DAY - timedelta(seconds=1)) == 0
    assert expired_lots(at=NOON + A_DAY) == [(wallet.pk, lot.pk)]
    assert expire_lot(lot.pk, at=NOON + A_DAY) == 10
    assert expire_lot(lot.pk, at=NOON + A_DAY) == 0
    assert expired_lots(at=NOON + A_DAY) == []
    assert balances(wallet) == {"credit": 5, "promotion": -15, "breakage": 10}
    assert LedgerTransaction.objects.get(kind=Kind.EXPIRY).at == NOON + A_DAY
    assert_adds_up(wallet)


@pytest.mark.django_db(transaction=True)
def test_ten_expiries_at_once_expire_once():
    wallet = a_wallet()
    lot = a_lot(wallet, "10", expires_at=NOON + A_DAY)
    outcomes = at_once(10, lambda: expire_lot(lot.pk, at=NOON + A_DAY))
    assert sorted(outcomes) == [0] * 9 + [10]
    assert_adds_up(wallet)
