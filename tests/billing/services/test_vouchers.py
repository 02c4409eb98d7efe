"""A voucher is worth its credit once to each customer, to as many as it may, of its own operator."""

from collections import Counter
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, Voucher, Wallet
from apps.billing.services.vouchers import hash_of, make_vouchers, redeem_voucher, revoke_voucher
from tests.billing.wallets import A_DAY, NOON, a_wallet, assert_adds_up
from tests.cast import a_customer, an_organization, at_once, reread


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


def a_voucher(customer, amount="20", **fields) -> tuple[Voucher, str]:
    [made] = make_vouchers(customer.organization, Decimal(amount), by=None, at=NOON, **fields)
    return made


def redeem(customer, code, at=NOON):
    return redeem_voucher(customer, code, by=None, at=at)


def test_a_code_is_stored_as_a_hash_and_has_nothing_to_be_mistaken(customer):
    voucher, code = a_voucher(customer)
    assert len(code.replace("-", "")) == 20
    assert not set(code) & set("OIL")
    assert bytes(voucher.code_hash) == hash_of(code)
    assert voucher.hint == code[-4:]


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " "), lambda code: f" {code}\n"])
def test_a_code_may_be_typed_in_any_way(customer, typed):
    _, code = a_voucher(customer)
    assert redeem(customer, typed(code))[1]


def test_its_credit_is_given_once(customer):
    voucher, code = a_voucher(customer, "20", credit_days=30)
    lot, is_new = redeem(customer, code)
    assert is_new
    assert (lot.amount, lot.source, lot.expires_at) == (20, CreditLot.Source.VOUCHER, NOON + 30 * A_DAY)
    assert redeem(customer, code) == (lot, False)
    assert reread(voucher).uses == 1
    assert reread(lot.wallet).balance == 20


def test_nobody_is_capped_for_having_been_given_something(customer):
    _, code = a_voucher(customer)
    redeem(customer, code)
    assert customer.wallet.settlement == Wallet.Settlement.CREDIT_FIRST


def test_a_wallet_that_is_there_stays_as_it_is(customer):
    a_wallet(customer)
    _, code = a_voucher(customer)
    redeem(customer, code)
    assert reread(customer.wallet).settlement == Wallet.Settlement.PREPAID


def test_of_another_operator_it_is_no_code_at_all(customer):
    _, code = a_voucher(a_customer(an_organization()))
    with pytest.raises(NotPossible, match="can’t be used"):
        redeem(customer, code)
    assert not Wallet.objects.exists()


def test_used_up_is_used_up(customer):
    voucher, code = a_voucher(customer, most_uses=2)
    for _ in range(2):
        redeem(a_customer(customer.organization), code)
    with pytest.raises(NotPossible, match="used up"):
        redeem(customer, code)
    assert reread(voucher).uses == 2


def test_too_late_is_too_late(customer):
    _, code = a_voucher(customer, expires_at=NOON + A_DAY)
    with pytest.raises(NotPossible, match="until 4 Oct 2026"):
        redeem(customer, code, at=NOON + A_DAY)


def test_withdrawn_is_withdrawn(customer):
    voucher, code = a_voucher(customer)
    revoke_voucher(voucher, by=None, at=NOON)
    assert revoke_voucher(voucher, by=None, at=NOON + A_DAY).revoked_at == NOON
    with pytest.raises(NotPossible, match="withdrawn"):
        redeem(customer, code)


@pytest.mark.django_db(transaction=True)
def test_one_use_among_ten_customers_at_once_is_one_use():
    customer = a_customer(an_organization())
    voucher, code = a_voucher(customer)
    waiting = [customer, *(a_customer(customer.organization) for _ in range(9))]
    outcomes = at_once(10, lambda: redeem(waiting.pop(), code)[1])
    assert Counter(map(type, outcomes)) == {bool: 1, NotPossible: 9}
    assert reread(voucher).uses == 1
    assert CreditLot.objects.count() == 1
    assert_adds_up(CreditLot.objects.get().wallet)


@pytest.mark.django_db(transaction=True)
def test_ten_clicks_of_one_customer_are_one_use():
    customer = a_customer(an_organization())
    voucher, code = a_voucher(customer, most_uses=5)
    assert Counter(at_once(10, lambda: redeem(customer, code)[1])) == {True: 1, False: 9}
    assert reread(voucher).uses == 1


@pytest.mark.parametrize(
    "fields", [{"count": 0}, {"count": 1001}, {"amount": "0"}, {"expires_at": NOON}, {"note": "x" * 201}]
)
def test_vouchers_that_make_no_sense_are_not_made(customer, fields):
    with pytest.raises(ValidationError):
        a_voucher(customer, **fields)
    assert not Voucher.objects.exists()
