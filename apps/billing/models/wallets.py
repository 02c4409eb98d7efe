"""Prepaid credit: what a customer has, in lots that are used up in an order, and who adds to it."""

from datetime import datetime
from decimal import Decimal
from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.billing.models.ledger import LedgerAccount, LedgerTransaction
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class Wallet(IdentifiedModel):
    """A customer's prepaid credit, in USD: the currency that usage is priced in.

    Its balance is that of its account in the ledger: what is left in the lots, less `overdrawn`.
    """

    class Settlement(models.TextChoices):
        PREPAID = "prepaid", _("Prepaid: calls are refused once the credit is used up")
        CREDIT_FIRST = "credit_first", _("Credit first, the rest on the invoice")

    customer = models.OneToOneField(Customer, models.PROTECT, related_name="wallet")
    account = models.OneToOneField(LedgerAccount, models.PROTECT, related_name="wallet")
    settlement = models.CharField(max_length=12, choices=Settlement, default=Settlement.PREPAID)
    draws_from = models.DateTimeField()  # usage of the days from here on is paid from it
    drawn = AmountField(default=0)  # usage accounted for, ever: paid from lots, overdrawn, or left to the invoice
    spent_before = AmountField(default=0)  # the customer's usage, in price, of the days before `draws_from`
    overdrawn = AmountField(default=0)  # used beyond the credit; the next lot pays it first
    prepaid_since = models.DateTimeField(null=True, blank=True)  # since when calls are refused without credit
    credit_line = AmountField(  # prepaid: so far below zero calls are let through
        _("credit line"), default=0, validators=[MinValueValidator(0)]
    )
    low_balance = AmountField(_("warn below"), null=True, blank=True)
    low_balance_told_at = models.DateTimeField(null=True, blank=True)  # None: not below, or not told yet
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(overdrawn__gte=0), name="wallet_overdrawn_not_negative"),
            models.CheckConstraint(condition=Q(credit_line__gte=0), name="wallet_credit_line_not_negative"),
            models.CheckConstraint(
                condition=Q(settlement="prepaid", prepaid_since__isnull=False)
                | Q(settlement="credit_first", prepaid_since=None),
                name="wallet_prepaid_since_when",
            ),
        ]

    def __str__(self) -> str:
        return f"wallet of {self.customer}"

    @property
    def balance(self) -> Decimal:
        """What is left, in USD; below zero: more was used than was paid."""
        return self.account.balance

    @property
    def is_prepaid(self) -> bool:
        return self.settlement == self.Settlement.PREPAID

    @property
    def ceiling(self) -> Decimal:
        """What the customer may have spent in all its time: drawing what it used does not change that."""
        return self.spent_before + self.drawn + self.balance + self.credit_line


class CreditLotQuerySet(models.QuerySet["CreditLot"]):
    def usable(self, at: datetime) -> Self:
        """Lots with credit left at `at`, in the order they are drawn from (docs/money.md)."""
        started = self.filter(remaining__gt=0, effective_at__lte=at)
        live = started.filter(Q(expires_at=None) | Q(expires_at__gt=at))
        return live.order_by("priority", F("expires_at").asc(nulls_last=True), "category", "effective_at", "pk")


class CreditLot(IdentifiedModel):
    """Credit that a wallet got at one time: drawn down by usage, expired, otherwise never edited."""

    class Category(models.IntegerChoices):  # the value is the rank in the order they are drawn in
        PROMOTIONAL = 0, _("Promotional")
        PAID = 1, _("Paid")

    class Source(models.TextChoices):
        TOP_UP = "top_up", _("Top-up")
        GRANT = "grant", _("Given by hand")
        ALLOWANCE = "allowance", _("Included in the plan")
        VOUCHER = "voucher", _("Voucher")
        CREDIT_NOTE = "credit_note", _("Credit note")

    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="lots")
    category = models.PositiveSmallIntegerField(choices=Category)
    source = models.CharField(max_length=12, choices=Source)
    priority = models.PositiveSmallIntegerField(default=50)  # 0 goes first, 100 last
    amount = AmountField()  # USD
    remaining = AmountField()
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)  # the first instant without it; None: never
    key = models.CharField(max_length=128)  # what granted it, such as "stripe:pi_1"
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CreditLotQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "key"], name="credit_lot_granted_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_lot_has_an_amount"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="credit_lot_never_overdrawn"
            ),
            models.CheckConstraint(condition=Q(priority__lte=100), name="credit_lot_priority_to_100"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="credit_lot_expiring", condition=Q(remaining__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_category_display()}: {self.remaining.normalize():f} of {self.amount.normalize():f}"


class LotUse(models.Model):
    """What a transaction took from a lot; below zero: what a correction gave back to it."""

    lot = models.ForeignKey(CreditLot, models.PROTECT, related_name="uses")
    transaction = models.ForeignKey(LedgerTransaction, models.PROTECT, related_name="lot_uses")
    amount = AmountField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lot", "transaction"], name="lot_used_once_a_transaction")]

    def __str__(self) -> str:
        return f"{self.amount:f}"


class DrawnDay(models.Model):
    """How much of a day's usage a wallet has accounted for.

    Drawing takes what the day's roll-up has above that: late usage and new prices come by themselves, and
    nothing is drawn twice, however often it is tried.
    """

    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="drawn_days")
    day = models.DateTimeField()  # as in the roll-ups: the instant at which it begins in the organization's zone
    amount = AmountField(default=0)  # the day's usage that was accounted for, in price
    from_credit = AmountField(default=0)  # what of it was paid from credit, or overdrawn: the rest is invoiced
    draws = models.PositiveIntegerField(default=0)  # how many transactions that took
    moved = AmountField(default=0)  # of `from_credit`: what the ledger has of other days, before days began elsewhere

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wallet", "day"], name="wallet_day_once")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.amount:f}"


class AutoTopUp(models.Model):
    """Buys credit by itself when a wallet runs low."""

    wallet = models.OneToOneField(Wallet, models.CASCADE, related_name="auto_top_up")
    threshold = AmountField(_("when the balance is below"))
    amount = AmountField(_("buy"))
    monthly_limit = AmountField(_("at most a month"), null=True, blank=True)
    is_on = models.BooleanField(default=True)
    backs_off_until = models.DateTimeField(null=True, blank=True)  # after a payment that was declined
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, threshold__gte=0), name="auto_top_up_buys_something")
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} below {self.threshold:f}"


class Voucher(IdentifiedModel):
    """A code that is worth credit. Only its hash is stored; it is shown once."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="vouchers")
    code_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=8)  # its last characters
    amount = AmountField(_("amount"))  # USD
    most_uses = models.PositiveIntegerField(_("how many customers may use it"), default=1)
    uses = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(_("may be used until"), null=True, blank=True)
    credit_days = models.PositiveSmallIntegerField(  # None: its credit never expires
        _("days until its credit expires"), null=True, blank=True
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="voucher_is_worth_something"),
            models.CheckConstraint(condition=Q(uses__lte=F("most_uses")), name="voucher_not_used_too_often"),
        ]

    def __str__(self) -> str:
        return f"…{self.hint}"
