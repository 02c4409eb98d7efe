"""A customer's accounts over some days, as statements: what it was billed and paid, or its prepaid credit.

Read from the ledger, so that it cannot differ from it. Of invoices it is the entries of what the customer owes
(RECEIVABLE): a balance above zero is what it owes, and what is still open is told besides. Of credit it is the entries
of the wallet (CREDIT): a balance above zero is what is left. Usage is drawn many times a day, and told by the day, or
of longer times by the month.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncMonth

from apps.billing.models import CreditLot, Invoice, LedgerAccount, LedgerEntry, LedgerTransaction
from apps.billing.models.parties import USD
from apps.billing.parties import currency_of
from apps.billing.queries.zones import zone_of
from apps.customers.models import Customer

ZERO = Decimal(0)
BY_DAY_UP_TO = 62  # days of a statement that tells usage by the day
Kind = LedgerTransaction.Kind


class Account(StrEnum):
    """Which account a statement is of."""

    INVOICES = "invoices"
    CREDIT = "credit"


@dataclass(frozen=True)
class Movement:
    """Something that changed the balance. number: of the document that it is about, or what else is told of it.

    since: the first day of a month's usage that is one movement; None for all else.
    """

    on: date
    kind: LedgerTransaction.Kind
    number: str
    amount: Decimal
    balance: Decimal = ZERO  # after it
    since: date | None = None


@dataclass(frozen=True)
class Statement:
    """Days from `since` to `until`, both included. open_items: at the time of asking, whatever the days."""

    account: Account
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


def usual_account(customer: Customer) -> Account:
    """Which account tells most of a customer: of one that pays beforehand, its credit."""
    wallet = getattr(customer, "wallet", None)
    return Account.CREDIT if wallet and wallet.is_prepaid else Account.INVOICES


def statement(customer: Customer, since: date, until: date, account: Account = Account.INVOICES) -> Statement:
    """In the currency of the customer's invoices, of credit in USD; in its organization's days."""
    currency = USD if account is Account.CREDIT else currency_of(customer)
    kinds = LedgerAccount.Kind
    kind, sign = (kinds.CREDIT, 1) if account is Account.CREDIT else (kinds.RECEIVABLE, -1)
    entries = LedgerEntry.objects.filter(account__customer=customer, account__kind=kind, account__currency=currency)
    begin, end = _midnight(customer, since), _midnight(customer, until + timedelta(days=1))
    before = entries.filter(transaction__at__lt=begin).aggregate(sum=Sum("amount", default=ZERO))["sum"]
    within = entries.filter(transaction__at__gte=begin, transaction__at__lt=end)
    opening = balance = ZERO + sign * before  # no minus before zero
    movements = []
    for each in sorted(_movements(customer, within, since, until), key=lambda each: each.on):
        balance += sign * each.amount
        movements.append(replace(each, amount=sign * each.amount, balance=balance))
    open_items = _open_items(customer, currency) if account is Account.INVOICES else ()
    return Statement(account, customer, currency, since, until, opening, tuple(movements), balance, open_items)


def _open_items(customer: Customer, currency: str) -> tuple[Invoice, ...]:
    unpaid = Invoice.objects.due().filter(customer=customer, currency=currency).order_by("due_on", "sequence")
    return tuple(invoice for invoice in unpaid if invoice.due)


def _movements(customer: Customer, entries: QuerySet[LedgerEntry], since: date, until: date) -> Iterator[Movement]:
    """Of one day: what was booked, as it was, and then what was used."""
    zone = zone_of(customer.organization)
    others = entries.exclude(transaction__kind=Kind.USAGE).select_related("transaction")
    booked = list(others.order_by("transaction__at", "pk"))
    notes = _notes(booked)
    for entry in booked:
        transaction = entry.transaction
        on = transaction.at.astimezone(zone).date()
        yield Movement(on, Kind(transaction.kind), _told(transaction, notes), entry.amount)
    is_by_day = (until - since).days < BY_DAY_UP_TO
    span = (TruncDay if is_by_day else TruncMonth)("transaction__at", tzinfo=zone)
    used = entries.filter(transaction__kind=Kind.USAGE).values(span=span)
    for row in used.annotate(sum=Sum("amount"), last=Max("transaction__at")).exclude(sum=0).order_by("span"):
        last = row["last"].astimezone(zone).date()
        yield Movement(last, Kind.USAGE, "", row["sum"], since=None if is_by_day else max(row["span"].date(), since))


def _told(transaction: LedgerTransaction, notes: dict[str, str]) -> str:
    source = transaction.source
    told = (source.get(name) for name in ("number", "reference", "reason"))
    return str(next(filter(None, told), None) or notes.get(source.get("lot", ""), ""))


def _notes(entries: list[LedgerEntry]) -> dict[str, str]:
    """What lots are for, by their ids."""
    ids = [entry.transaction.source["lot"] for entry in entries if "lot" in entry.transaction.source]
    return {str(pk): note for pk, note in CreditLot.objects.filter(pk__in=ids).values_list("pk", "note")}


def _midnight(customer: Customer, day: date) -> datetime:
    return datetime.combine(day, time(), zone_of(customer.organization))
