"""Coupons are made, given and taken away."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from apps.billing.errors import NotPossible
from apps.billing.services.coupons import add_coupon, apply_coupon, remove_coupon, retire_coupon
from tests.billing.plans import NOON
from tests.cast import a_customer, an_organization, reread

D = Decimal


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


def a_coupon(organization, **fields):
    values = {"code": "welcome", "percent": D(10), "periods": 3} | fields
    return add_coupon(organization, by=None, at=NOON, **values)


def test_a_coupon_is_given_for_its_periods(customer):
    applied = apply_coupon(customer, a_coupon(customer.organization), by=None, at=NOON)
    assert (applied.coupon.code, applied.periods_left, applied.removed_at) == ("WELCOME", 3, None)


def test_a_customer_has_a_coupon_once_until_it_is_used_up_or_taken_away(customer):
    coupon = a_coupon(customer.organization)
    first = apply_coupon(customer, coupon, by=None, at=NOON)
    with pytest.raises(NotPossible, match="already"):
        apply_coupon(customer, coupon, by=None, at=NOON)
    customer.coupons.update(periods_left=0)
    second = apply_coupon(customer, coupon, by=None, at=NOON)
    assert (reread(first).removed_at, second.periods_left) == (NOON, 3)
    for _twice in range(2):
        remove_coupon(second, by=None, at=NOON)
    assert apply_coupon(customer, coupon, by=None, at=NOON).periods_left == 3


def test_a_coupon_that_is_retired_or_of_somebody_else_is_given_to_nobody(customer):
    retired = a_coupon(customer.organization)
    for _twice in range(2):
        retire_coupon(retired, by=None, at=NOON)
    for coupon in (reread(retired), a_coupon(an_organization())):
        with pytest.raises(NotPossible, match="no such coupon"):
            apply_coupon(customer, coupon, by=None, at=NOON)
    assert not customer.coupons.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"percent": None},
        {"amount": D(5)},
        {"percent": D(0)},
        {"percent": D(101)},
        {"percent": None, "amount": D(-1)},
        {"periods": 0},
        {"currency": "XYZ"},
        {"code": ""},
    ],
)
def test_a_coupon_that_says_nothing_clear_is_refused(customer, fields):
    with pytest.raises(ValidationError):
        a_coupon(customer.organization, **fields)


def test_a_code_is_taken_once_in_an_organization(customer):
    a_coupon(customer.organization)
    with pytest.raises(ValidationError):
        a_coupon(customer.organization, code=" Welcome ")
    a_coupon(an_organization())
