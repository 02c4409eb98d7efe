"""The ledger, and what the database itself sees to."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.billing.models import LedgerAccount, LedgerEntry, LedgerTransaction
from apps.billing.services.ledger import account_of, book
from tests.cast import a_customer, an_organization, at_once

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
Account, Kind = LedgerAccount.Kind, LedgerTransaction.Kind


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


def a_top_up(customer, key="top_up:1", amount="25"):
    organization = customer.organization
    cash = account_of(organization, Account.CASH, "USD")
    credit = account_of(organization, Account.CREDIT, "USD", customer)
    return book(
        organization,
        Kind.TOP_UP,
        key=key,
        at=NOON,
        customer=customer,
        entries={cash: -Decimal(amount), credit: Decimal(amount)},
    )


def balance_of(customer):
    return account_of(customer.organization, Account.CREDIT, "USD", customer).balance


def test_balance_is_the_sum_of_entries(customer):
    a_top_up(customer, "top_up:1", "25")
    a_top_up(customer, "top_up:2", "0.000000000001")
    assert balance_of(customer) == Decimal("25.000000000001")


def test_the_same_key_books_once(customer):
    first, is_new = a_top_up(customer)
    again, is_new_again = a_top_up(customer)
    assert (is_new, is_new_again, again) == (True, False, first)
    assert balance_of(customer) == 25


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_book_once():
    customer = a_customer(an_organization())
    outcomes = at_once(10, lambda: a_top_up(customer)[1])
    assert sorted(outcomes) == [False] * 9 + [True]
    assert balance_of(customer) == 25


def test_entries_that_do_not_add_up_are_refused(customer):
    cash = account_of(customer.organization, Account.CASH, "USD")
    with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
        book(customer.organization, Kind.TOP_UP, key="odd", at=NOON, entries={cash: Decimal(1)})
        connection.check_constraints()


def test_two_currencies_do_not_make_up_for_each_other(customer):
    dollars = account_of(customer.organization, Account.CASH, "USD")
    euros = account_of(customer.organization, Account.CASH, "EUR")
    with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
        book(
            customer.organization,
            Kind.PAYMENT,
            key="mixed",
            at=NOON,
            entries={dollars: Decimal(1), euros: Decimal(-1)},
        )
        connection.check_constraints()


def test_balance_is_written_by_nobody_else(customer):
    a_top_up(customer)
    with pytest.raises(DatabaseError, match="sum of its entries"), transaction.atomic():
        LedgerAccount.objects.filter(customer=customer).update(balance=1000)


@pytest.mark.parametrize(
    "change",
    [
        lambda: LedgerEntry.objects.update(amount=1),
        lambda: LedgerEntry.objects.all().delete(),
        lambda: LedgerTransaction.objects.update(key="other"),
    ],
)
def test_nothing_is_changed_or_deleted(customer, change):
    a_top_up(customer)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        change()
    assert balance_of(customer) == 25


def test_an_account_is_of_its_customers_organization(customer):
    stranger = an_organization()
    with pytest.raises(IntegrityError), transaction.atomic():
        account_of(stranger, Account.CREDIT, "USD", customer)
        connection.check_constraints()
