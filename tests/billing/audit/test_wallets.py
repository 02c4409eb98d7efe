"""The proof of wallets finds nothing where all is as it should be, and names whatever is changed by hand."""

from decimal import Decimal

import pytest
from django.db import connection

from apps.billing.audit.wallets import not_drawn, wallet_findings
from apps.billing.models import Wallet
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import adjust_credit, expire_lot
from apps.billing.services.vouchers import make_vouchers, redeem_voucher
from tests.billing.wallets import A_DAY, NOON, a_lot, a_wallet, usage
from tests.cast import a_customer, an_organization


@pytest.fixture
def wallet(db) -> Wallet:
    """All that can happen to one, once."""
    organization = an_organization("Acme", time_zone="Europe/Berlin")
    wallet = a_wallet(a_customer(organization, "Globex"))
    day = wallet.draws_from
    usage(wallet, "3", day=day)
    draw_usage(wallet.pk, at=NOON)  # overdrawn
    a_lot(wallet, "10", key="first")
    expiring = a_lot(wallet, "5", key="expiring", expires_at=NOON + A_DAY)
    [(_voucher, code)] = make_vouchers(organization, Decimal(20), by=None, at=NOON)
    redeem_voucher(wallet.customer, code, by=None, at=NOON)
    usage(wallet, "4", day=day)
    usage(wallet, "-1", day=day)
    draw_usage(wallet.pk, at=NOON)
    adjust_credit(wallet, Decimal(2), key="k", reason="x", at=NOON, by=None)
    expire_lot(expiring.pk, at=NOON + A_DAY)
    return wallet


def names(organization=None) -> list[str]:
    return [f"{each.check}: {each.what}" for each in wallet_findings(organization)]


def test_where_all_is_as_it_should_be_nothing_is_found(wallet):
    assert names() == []
    assert not_drawn(None) == []


def test_usage_that_is_not_drawn_yet_is_no_fault(wallet):
    usage(wallet, "1.5", day=wallet.draws_from)
    assert names() == []
    [found] = not_drawn(None)
    assert (found.expected, found.found) == ("7.5", "6")
    assert found.what == "usage of globex on 2026-10-03: accounted for by its wallet"
    draw_usage(wallet.pk, at=NOON)
    assert not_drawn(None) == []


def planted(query: str) -> None:
    """As somebody with a database prompt does it, past what the database sees to."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL session_replication_role = replica; {query}")


FAULTS = [
    (
        "UPDATE billing_creditlot SET remaining = remaining - 1 WHERE key = 'first'",
        ["wallet.balance: wallet of globex", "wallet.lot: lot first of globex"],
    ),
    (
        "UPDATE billing_creditlot SET amount = amount + 1 WHERE key = 'first'",
        ["wallet.lot: lot first", "wallet.booked: lot first"],
    ),
    ("UPDATE billing_wallet SET overdrawn = 1", ["wallet.balance: wallet of globex"]),
    ("UPDATE billing_wallet SET drawn = drawn + 1", ["wallet.drawn: wallet of globex"]),
    (
        "UPDATE billing_drawnday SET amount = amount + 1",
        ["wallet.drawn: wallet of globex"],
    ),
    ("UPDATE billing_drawnday SET from_credit = from_credit - 1", ["wallet.day: usage of globex on 2026-10-03"]),
    ("DELETE FROM billing_drawnday", ["wallet.day: usage of globex on 2026-10-03", "wallet.drawn: wallet of globex"]),
    (
        (
            "UPDATE billing_lotuse SET amount = amount + 1 WHERE transaction_id = "
            "(SELECT id FROM billing_ledgertransaction WHERE kind = 'adjustment')"
        ),
        ["wallet.lot: lot voucher:", "wallet.taken: transaction taken:"],
    ),
    ("UPDATE billing_voucher SET uses = 0", ["voucher.uses: voucher …"]),
    (
        (
            "DELETE FROM billing_ledgerentry WHERE transaction_id IN "
            "(SELECT id FROM billing_ledgertransaction WHERE key LIKE 'usage:%:1')"
        ),
        ["wallet.day: usage of globex on 2026-10-03"],
    ),
]


@pytest.mark.parametrize(("query", "told"), FAULTS)
def test_what_is_changed_by_hand_is_named(wallet, query: str, told: list[str]):
    planted(query)
    found = names()
    assert len(found) == len(told), found
    for name, expected in zip(found, told, strict=True):
        assert name.startswith(expected)


def test_another_organizations_wallets_are_not_looked_at(wallet):
    planted("UPDATE billing_wallet SET drawn = drawn + 1")
    assert names(an_organization().pk) == []
    assert len(names(wallet.customer.organization_id)) == 1
