"""The ledger: double entry, only ever added to. `services/ledger.py` is the one that writes it.

Migration 0002 has the database see to what must hold: the entries of a transaction sum to zero in each currency,
the balance of an account is the sum of its entries, and no row is changed or deleted.
"""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class LedgerAccount(models.Model):
    """Where amounts come from and go to. What the organization owes a customer is positive in the customer's."""

    class Kind(models.TextChoices):
        # Of a customer
        CREDIT = "credit", _("Prepaid credit")  # in USD; below zero: used beyond what was paid
        RECEIVABLE = "receivable", _("Receivable")  # below zero: what it owes
        # Of the organization
        CASH = "cash", _("Cash")  # below zero: what came in
        REVENUE = "revenue", _("Revenue")
        TAX = "tax", _("Tax")
        PROMOTION = "promotion", _("Promotions")  # below zero: credit given away
        BREAKAGE = "breakage", _("Expired credit")
        EXCHANGE = "exchange", _("Currency exchange")
        WRITTEN_OFF = "written_off", _("Written off")  # below zero: what is not paid any more
        HELD = "held", _("Held for disputes")  # credit that is not to be used until a dispute is decided

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="ledger_accounts")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="ledger_accounts")
    kind = models.CharField(max_length=12, choices=Kind)
    currency = models.CharField(max_length=3)
    balance = AmountField(default=0)  # kept by the database

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer", "kind", "currency"],
                name="ledger_account_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} in {self.currency}"


class LedgerTransaction(IdentifiedModel):
    """One thing that happened to money. Booked once: `key` names what happened."""

    class Kind(models.TextChoices):
        TOP_UP = "top_up", _("Top-up")
        GRANT = "grant", _("Credit given")
        USAGE = "usage", _("Usage")
        EXPIRY = "expiry", _("Credit expired")
        ADJUSTMENT = "adjustment", _("Adjustment")
        INVOICE = "invoice", _("Invoice")
        VOID = "void", _("Invoice voided")
        CREDIT_NOTE = "credit_note", _("Credit note")
        PAYMENT = "payment", _("Payment")
        REFUND = "refund", _("Refund")
        DISPUTE = "dispute", _("Dispute")
        WRITE_OFF = "write_off", _("Written off")

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="ledger_transactions")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="ledger_transactions")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=200)  # "usage:<customer>:2026-10-03T00:00+00:00:3", "payment:<id>"
    at = models.DateTimeField()  # when it happened
    created_at = models.DateTimeField(default=timezone.now, editable=False)  # when it was booked
    source = models.JSONField(default=dict, encoder=DjangoJSONEncoder)  # what it goes back to: ids, a day, a reason

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="booked_once")]
        indexes = [models.Index(fields=["customer", "-at"], name="transactions_of_customer")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key}"


class LedgerEntry(models.Model):
    """What a transaction adds to an account; below zero: takes from it."""

    transaction = models.ForeignKey(LedgerTransaction, models.PROTECT, related_name="entries")
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="entries")
    amount = AmountField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "account"], name="entry_of_account_once"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="entry_moves_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f}"
