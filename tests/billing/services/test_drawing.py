"""Usage is paid from credit, each day's once, in burn order."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.billing.models import LedgerAccount, LedgerTransaction, Wallet
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import expire_lot
from apps.billing.services.wallets import update_wallet
from apps.usage.expiry import forget_sums
from apps.usage.models import DailyCustomer, Keeping
from tests.billing.wallets import A_DAY, DAY, NOON, a_lot, a_wallet, assert_adds_up, left_in, usage
from tests.cast import at_once, reread

Kind = LedgerTransaction.Kind
EXTREME = Decimal("0.000000000001")


@pytest.fixture
def wallet(db):
    return a_wallet()


def draw(wallet: Wallet, at=NOON, **options):
    return draw_usage(wallet.pk, at=at, **options)


BURN_ORDER = [  # lots as (amount, priority, days until it expires, category), drawn, left in each
    pytest.param([("100", 50, None, 1), ("20", 50, None, 0)], "30", ["90", "0"], id="promotional-before-paid"),
    pytest.param([("100", 50, None, 1), ("100", 50, 3, 1)], "120", ["80", "0"], id="soonest-expiry-first"),
    pytest.param([("100", 50, 3, 0), ("100", 10, None, 1)], "120", ["80", "0"], id="priority-before-all"),
    pytest.param([("100", 1, None, 0), ("100", 2, None, 0)], "120", ["0", "80"], id="grant-priority"),
    pytest.param([("100", 1, 30, 0), ("100", 1, 36500, 0)], "120", ["0", "80"], id="grant-expiry"),
    pytest.param([("100", 50, None, 1)], "40", ["60"], id="trace-single"),
    pytest.param([("30", 50, None, 1), ("50", 50, None, 1)], "60", ["0", "20"], id="trace-two-lots"),
    pytest.param([("0.000000000001", 50, None, 1)], "0.000000000001", ["0"], id="to-the-last-place"),
]


@pytest.mark.parametrize(("lots", "used", "left"), BURN_ORDER)
def test_lots_are_drawn_in_burn_order(wallet, lots, used, left):
    granted = [
        a_lot(
            wallet,
            amount,
            priority=priority,
            category=category,
            expires_at=None if days is None else NOON + timedelta(days=days),
        )
        for amount, priority, days, category in lots
    ]
    usage(wallet, used)
    assert draw(wallet) == Decimal(used)
    assert left_in(*granted) == [Decimal(each) for each in left]
    assert_adds_up(wallet)


def test_entries_name_the_day_and_what_was_used(wallet):
    lot = a_lot(wallet, "10")
    usage(wallet, "1.5")
    draw(wallet)
    usage(wallet, "0.25")
    draw(wallet)
    first, second = LedgerTransaction.objects.filter(kind=Kind.USAGE).order_by("pk")
    assert first.key == f"usage:{wallet.pk}:2026-10-03T00:00:00+00:00:1"
    assert second.key == f"usage:{wallet.pk}:2026-10-03T00:00:00+00:00:2"
    assert second.source["day"] == "2026-10-03T00:00:00+00:00"
    assert [Decimal(second.source[name]) for name in ("used_before", "used")] == [Decimal("1.5"), Decimal("1.75")]
    entries = {entry.account.kind: entry.amount for entry in second.entries.all()}
    assert entries == {LedgerAccount.Kind.CREDIT: Decimal("-0.25"), LedgerAccount.Kind.REVENUE: Decimal("0.25")}
    assert [use.amount for use in lot.uses.order_by("pk")] == [Decimal("1.5"), Decimal("0.25")]


def test_drawing_again_changes_nothing(wallet):
    a_lot(wallet, "10")
    usage(wallet, "1")
    draw(wallet)
    booked = LedgerTransaction.objects.count()
    assert draw(wallet) == 0
    assert LedgerTransaction.objects.count() == booked
    assert reread(wallet).balance == 9


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_draw_once():
    wallet = a_wallet()
    lot = a_lot(wallet, "10")
    usage(wallet, "4")
    drawn = at_once(10, lambda: draw(wallet))
    assert Counter(drawn) == {Decimal(4): 1, Decimal(0): 9}
    assert left_in(lot) == [6]
    assert_adds_up(wallet)


def test_what_comes_late_is_drawn_on_its_own_day(wallet):
    a_lot(wallet, "10")
    usage(wallet, "1", day=DAY)
    usage(wallet, "2", day=DAY + A_DAY)
    draw(wallet, at=NOON + A_DAY)
    usage(wallet, "0.5", day=DAY)
    draw(wallet, at=NOON + 5 * A_DAY)
    days = {row.day: (row.amount, row.from_credit, row.draws) for row in wallet.drawn_days.all()}
    assert days == {DAY: (Decimal("1.5"), Decimal("1.5"), 2), DAY + A_DAY: (2, 2, 1)}
    last = LedgerTransaction.objects.filter(kind=Kind.USAGE).latest("pk")
    assert last.at == DAY + A_DAY - timedelta(microseconds=1)  # when it was used, not when it came


def test_a_lower_price_gives_back_to_the_lots_it_came_from_the_last_first(wallet):
    first, second = a_lot(wallet, "3", priority=1), a_lot(wallet, "10", priority=2)
    usage(wallet, "5")
    draw(wallet)
    assert left_in(first, second) == [0, 8]
    usage(wallet, "-4")
    assert draw(wallet) == -4
    assert left_in(first, second) == [2, 10]
    assert draw(wallet) == 0
    assert_adds_up(wallet)


def test_what_is_given_back_to_a_lot_that_expired_expires_again(wallet):
    lot = a_lot(wallet, "10", expires_at=NOON + A_DAY)
    usage(wallet, "4")
    draw(wallet)
    assert expire_lot(lot.pk, at=NOON + A_DAY) == 6
    usage(wallet, "-1")
    draw(wallet, at=NOON + 2 * A_DAY)
    assert reread(wallet).balance == 1
    assert expire_lot(lot.pk, at=NOON + 2 * A_DAY) == 1
    assert expire_lot(lot.pk, at=NOON + 2 * A_DAY) == 0
    assert reread(wallet).balance == 0
    assert_adds_up(wallet)


def test_prepaid_usage_beyond_the_credit_is_paid_by_the_next_lot(wallet):
    """grant-none, grant-late-activation: 25 before there is credit, 100 come, 25 after: 50 are left."""
    usage(wallet, "25")
    draw(wallet)
    assert (reread(wallet).balance, reread(wallet).overdrawn) == (-25, 25)
    lot = a_lot(wallet, "100")
    assert (reread(wallet).balance, reread(wallet).overdrawn, left_in(lot)) == (75, 0, [75])
    usage(wallet, "25")
    draw(wallet)
    assert (reread(wallet).balance, left_in(lot)) == (50, [50])
    assert_adds_up(wallet)


def test_a_lower_price_pays_what_was_overdrawn_first(wallet):
    lot = a_lot(wallet, "10")
    usage(wallet, "13")
    draw(wallet)
    usage(wallet, "-5")
    draw(wallet)
    assert (reread(wallet).overdrawn, left_in(lot)) == (0, [2])
    assert_adds_up(wallet)


def test_what_a_later_lot_paid_of_an_overdraft_goes_back_to_it(wallet):
    usage(wallet, "5")
    draw(wallet)
    lot = a_lot(wallet, "20")
    usage(wallet, "-5")
    draw(wallet)
    assert left_in(lot) == [20]
    assert reread(wallet).balance == 20
    assert_adds_up(wallet)


def test_credit_first_leaves_the_rest_for_the_invoice(db):
    """kong-credit-then-invoice: of 100, credit of 40 pays 40 and the invoice 60."""
    wallet = a_wallet(settlement=Wallet.Settlement.CREDIT_FIRST)
    lot = a_lot(wallet, "40")
    usage(wallet, "100")
    draw(wallet)
    row = wallet.drawn_days.get()
    assert (row.amount, row.from_credit, row.draws) == (100, 40, 1)
    assert (reread(wallet).balance, reread(wallet).overdrawn, left_in(lot)) == (0, 0, [0])
    usage(wallet, "-50")  # what the invoice has on it was used last
    draw(wallet)
    row.refresh_from_db()
    assert (row.amount, row.from_credit, left_in(lot)) == (50, 40, [0])
    usage(wallet, "-20")
    draw(wallet)
    row.refresh_from_db()
    assert (row.amount, row.from_credit, left_in(lot)) == (30, 30, [10])
    assert_adds_up(wallet)


def test_credit_first_without_credit_books_nothing(db):
    wallet = a_wallet(settlement=Wallet.Settlement.CREDIT_FIRST)
    usage(wallet, "3")
    draw(wallet)
    assert not LedgerTransaction.objects.exists()
    assert reread(wallet).drawn == 3


def test_a_lot_pays_for_no_day_after_it_expired(wallet):
    """grant-expired-start: one that ends when the day begins is not there for it."""
    lot = a_lot(wallet, "100", expires_at=DAY + A_DAY)
    usage(wallet, "50", day=DAY + A_DAY)
    draw(wallet, at=NOON + A_DAY)
    assert left_in(lot) == [100]
    assert reread(wallet).overdrawn == 50


def test_a_lot_pays_for_the_day_on_which_it_expires_until_that_is_booked(wallet):
    lot = a_lot(wallet, "100", expires_at=NOON + timedelta(hours=1))
    usage(wallet, "50")
    draw(wallet, at=NOON + timedelta(hours=1, seconds=30))
    assert expire_lot(lot.pk, at=NOON + timedelta(hours=1, seconds=30)) == 50
    usage(wallet, "1")
    draw(wallet, at=NOON + timedelta(hours=2))
    assert (reread(wallet).balance, reread(wallet).overdrawn) == (-1, 1)
    assert_adds_up(wallet)


def test_days_before_the_wallet_are_not_drawn_and_raise_what_was_spent_before(wallet):
    a_lot(wallet, "10")
    usage(wallet, "7", day=DAY - A_DAY)
    assert draw(wallet) == 0
    after = reread(wallet)
    assert (after.balance, after.spent_before, after.ceiling) == (10, 7, 17)


def test_days_that_are_kept_no_longer_stay_as_they_were_drawn(wallet):
    a_lot(wallet, "10")
    usage(wallet, "4")
    draw(wallet)
    Keeping.objects.create(organization=wallet.customer.organization, days_since=DAY + A_DAY)
    DailyCustomer.objects.all().delete()
    assert draw(wallet, at=NOON + A_DAY) == 0
    assert reread(wallet).balance == 6


@pytest.mark.parametrize("settlement", Wallet.Settlement)
def test_drawing_does_not_change_what_may_be_spent(wallet, settlement):
    update_wallet(wallet, settlement=settlement, by=None, at=NOON)
    a_lot(wallet, "10")
    before = reread(wallet).ceiling
    usage(wallet, "4")
    draw(wallet)
    assert reread(wallet).ceiling == before


def test_forgetting_old_days_does_not_change_what_may_be_spent(wallet):
    """Of days before the wallet's time and of days that were drawn."""
    a_lot(wallet, "10")
    usage(wallet, "7", day=DAY - A_DAY)
    usage(wallet, "4", day=DAY)
    usage(wallet, "1", day=DAY + 20 * A_DAY)
    draw(wallet, at=NOON + 20 * A_DAY)
    before = reread(wallet)
    assert (before.spent_before, before.drawn, before.balance, before.ceiling) == (7, 5, 5, 17)
    Keeping.objects.create(organization=wallet.customer.organization, days_days=10)
    assert forget_sums(at=NOON + 20 * A_DAY) > 0
    assert DailyCustomer.objects.filter(customer_id=wallet.customer_id).count() == 1
    assert draw(wallet, at=NOON + 21 * A_DAY) == 0
    after = reread(wallet)
    assert (after.spent_before, after.drawn, after.balance, after.ceiling) == (7, 5, 5, 17)
