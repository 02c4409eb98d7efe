"""Whatever is done to a wallet, in whatever order: the balance is the sum of what happened, and no lot is overdrawn."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.errors import NotEnoughCredit
from apps.billing.models import Dispute, Payment, Refund, Wallet
from apps.billing.payments.base import DisputeReading, DisputeState
from apps.billing.services.disputes import record_dispute
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import adjust_credit, expire_lot, expired_lots, grant_credit
from apps.billing.services.payments import add_top_up, record_payment
from apps.billing.services.quotes import quote_top_up
from apps.billing.services.wallets import update_wallet
from apps.usage.models import DailyCustomer
from tests.billing.wallets import A_DAY, DAY, NOON, a_wallet, assert_adds_up, usage
from tests.cast import reread

AMOUNTS = st.decimals("0.000000000001", "500", places=12)
DAYS = st.integers(0, 3)
OPERATIONS = st.one_of(
    st.tuples(st.just("grant"), AMOUNTS, st.none() | st.integers(1, 5), st.integers(0, 100), st.sampled_from([0, 1])),
    st.tuples(st.just("again")),
    st.tuples(st.just("use"), AMOUNTS, DAYS),
    st.tuples(st.just("cheaper"), st.sampled_from(["0.1", "0.5", "1"]), DAYS),
    st.tuples(st.just("draw"), st.booleans()),
    st.tuples(st.just("take"), AMOUNTS),
    st.tuples(st.just("days pass"), st.integers(1, 3)),
    st.tuples(st.just("switch"), st.sampled_from(Wallet.Settlement)),
    st.tuples(st.just("buy"), st.integers(1, 50_000)),
    st.tuples(st.just("dispute"), st.integers(0, 3), st.sampled_from(DisputeState), st.sampled_from(["0.3", "1"])),
)


class Books:
    """A wallet, and beside it what should come of what is done to it."""

    def __init__(self) -> None:
        self.wallet = a_wallet()
        self.now = NOON
        self.granted: list[tuple[str, Decimal, dict]] = []
        self.bought: list[Payment] = []
        self.given = self.taken = self.expired = Decimal(0)

    def grant(self, amount: Decimal, days: int | None, priority: int, category: int) -> None:
        fields = {"expires_at": None if days is None else self.now + days * A_DAY}
        fields |= {"priority": priority, "category": category}
        self.granted.append((f"key {len(self.granted)}", amount, fields))
        _, is_new = self._grant(-1)
        assert is_new
        self.given += amount

    def again(self) -> None:
        if self.granted:
            assert not self._grant(0)[1]

    def _grant(self, which: int):
        key, amount, fields = self.granted[which]
        return grant_credit(self.wallet, amount, key=key, at=self.now, by=None, **fields)

    def use(self, price: Decimal, day: int) -> None:
        usage(self.wallet, price, day=DAY + day * A_DAY)

    def cheaper(self, share: str, day: int) -> None:
        row = DailyCustomer.objects.filter(customer_id=self.wallet.customer_id, day=DAY + day * A_DAY).first()
        if row is not None:
            row.price -= row.price * Decimal(share)
            row.save()

    def draw(self, is_lately: bool) -> None:
        draw_usage(self.wallet.pk, at=self.now, since=DAY if is_lately else None)
        assert draw_usage(self.wallet.pk, at=self.now) == 0

    def take(self, amount: Decimal) -> None:
        with suppress(NotEnoughCredit):
            adjust_credit(
                self.wallet, amount, key=f"take {self.taken} {amount} {self.now}", reason="x", at=self.now, by=None
            )
            self.taken += amount

    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)
        for wallet_id, lot_id in expired_lots(at=self.now):
            draw_usage(wallet_id, at=self.now)
            self.expired += expire_lot(lot_id, at=self.now)

    def switch(self, settlement: Wallet.Settlement) -> None:
        update_wallet(self.wallet, settlement=settlement, by=None, at=self.now)

    def buy(self, cents: int) -> None:
        quote = quote_top_up(self.wallet.customer, Decimal(cents) / 100, at=self.now)
        payment = add_top_up(self.wallet.customer, quote, provider="stripe", by=None, at=self.now)
        record_payment(payment, at=self.now)
        self.bought.append(payment)
        self.given += quote.credit

    def dispute(self, which: int, state: DisputeState, share: str) -> None:
        """The same dispute of a payment, told in any order."""
        if self.bought:
            payment = self.bought[which % len(self.bought)]
            amount = max(round(payment.amount * Decimal(share), 2), Decimal("0.01"))
            record_dispute(payment, DisputeReading("dp", amount, state), at=self.now)

    def disputed(self) -> Decimal:
        """What is held, and what was taken for good."""
        held = Dispute.objects.filter(payment__in=self.bought).values_list("held", flat=True)
        lost = Refund.objects.filter(payment__in=self.bought).exclude(state="failed").values_list("credit", flat=True)
        return sum(held, Decimal(0)) + sum(lost, Decimal(0))

    def check(self) -> None:
        wallet = reread(self.wallet)
        paid = sum(wallet.drawn_days.values_list("from_credit", flat=True), Decimal(0))
        assert wallet.balance == self.given - self.taken - self.expired - paid - self.disputed()
        assert_adds_up(wallet)
        for day in wallet.drawn_days.all():
            assert 0 <= day.from_credit <= day.amount
        connection.check_constraints()


@pytest.mark.django_db
@given(operations=st.lists(OPERATIONS, max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_balance_is_what_happened_and_lots_are_never_overdrawn(operations):
    with transaction.atomic():
        books = Books()
        for name, *values in operations:
            getattr(books, name.replace(" ", "_"))(*values)
            books.check()
        books.draw(is_lately=False)
        books.check()
        used = sum(
            DailyCustomer.objects.filter(customer_id=books.wallet.customer_id).values_list("price", flat=True),
            Decimal(0),
        )
        assert reread(books.wallet).drawn == used
        transaction.set_rollback(True)
