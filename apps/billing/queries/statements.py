"""What a customer was billed and paid over some days, and what is still open: its account as a statement.

Read from the ledger, so that it cannot differ from it: the entries of what the customer owes (RECEIVABLE). A balance
above zero is what it owes.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Sum

from apps.billing.models import Invoice, LedgerAccount, LedgerEntry, LedgerTransaction
from apps.billing.parties import currency_of
from apps.billing.queries.zones import zone_of
from apps.customers.models import Customer

ZERO = Decimal(0)


@dataclass(frozen=True)
class Movement:
    """Something that changed what is owed. number: of the document that it is about, if there is one."""

    on: date
    kind: LedgerTransaction.Kind
    number: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Statement:
    """Days from `since` to `until`, both included. open_items: at the time of asking, whatever the days."""

    customer: Customer
    currency: str
    since: date
    until: date
    opening: Decimal
    movements: tuple[Movement, ...]
    closing: Decimal
    open_items: tuple[Invoice, ...]

    @property
    def due(self) -> Decimal:
        return sum((invoice.due for invoice in self.open_items), ZERO)


def statement(customer: Customer, since: date, until: date) -> Statement:
    """In the currency of the customer's invoices, and its organization's days."""
    currency = currency_of(customer)
    begin, end = _midnight(customer, since), _midnight(customer, until + timedelta(days=1))
    account = LedgerAccount.objects.filter(
        customer=customer, kind=LedgerAccount.Kind.RECEIVABLE, currency=currency
    ).first()
    entries = LedgerEntry.objects.filter(account=account) if account else LedgerEntry.objects.none()
    before = entries.filter(transaction__at__lt=begin).aggregate(sum=Sum("amount", default=ZERO))["sum"]
    within = entries.filter(transaction__at__gte=begin, transaction__at__lt=end).select_related("transaction")
    opening, movements = -before, []
    balance = opening
    for entry in within.order_by("transaction__at", "pk"):
        balance -= entry.amount
        movements.append(_movement(customer, entry, balance))
    unpaid = Invoice.objects.due().filter(customer=customer, currency=currency).order_by("due_on", "sequence")
    open_items = tuple(invoice for invoice in unpaid if invoice.due)
    return Statement(customer, currency, since, until, opening, tuple(movements), balance, open_items)


def _movement(customer: Customer, entry: LedgerEntry, balance: Decimal) -> Movement:
    transaction = entry.transaction
    return Movement(
        on=transaction.at.astimezone(zone_of(customer.organization)).date(),
        kind=LedgerTransaction.Kind(transaction.kind),
        number=str(transaction.source.get("number", "")),
        amount=-entry.amount,
        balance=balance,
    )


def _midnight(customer: Customer, day: date) -> datetime:
    return datetime.combine(day, time(), zone_of(customer.organization))
