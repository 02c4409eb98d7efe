"""A draft becomes final: built once more, with who sold and who bought as they are now, a number, and the ledger.

All of it in one transaction, so that there is no number without an invoice and no invoice without its entries.
Whoever dies half way has changed nothing; whoever comes second finds it final. What is done with it afterwards
(e-mail, PDF, payment) is left to tasks, once it is committed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.invoicing.building import Built, CannotBuild, build_locked, draw_credit, lock_customers
from apps.billing.invoicing.due import Due
from apps.billing.invoicing.schedule import due_of
from apps.billing.invoicing.terms import Terms, TermsOf
from apps.billing.models import (
    AppliedCoupon,
    BillingDetails,
    Invoice,
    InvoiceTransition,
    LedgerAccount,
    LedgerTransaction,
    NumberSeries,
)
from apps.billing.periods import day_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot
from apps.billing.services.ledger import account_of, book
from apps.billing.services.numbers import Number, take_numbers
from apps.customers.models import Customer
from apps.kit.after_commit import after_commit
from apps.kit.failpoints import reach

State, Account = Invoice.State, LedgerAccount.Kind
FINAL = (
    "state",
    "sequence",
    "number",
    "finalized_at",
    "issued_on",
    "due_on",
    "seller",
    "buyer",
)


def finalize_invoice(invoice: Invoice, *, by: User | None, at: datetime) -> Invoice | None:
    """Make it final. One that is final already stays as it is; None: there is nothing to invoice any more.

    Raises NotPossible: its period is not over, or what it needs is not set.
    """
    if invoice.kind == Invoice.Kind.PERIOD:
        due = due_of(invoice)
        if due.period.until_at > at:
            raise NotPossible("Its period is not over yet.")
        made = finalize_periods(invoice.organization, [due], by=by, at=at)
        if made.refused:
            raise NotPossible(made.refused[0][1])
    else:
        with transaction.atomic():
            customers = lock_customers([invoice.customer_id])
            locked = Invoice.objects.select_for_update().get(pk=invoice.pk)
            if locked.state == State.DRAFT:
                terms = TermsOf(invoice.organization).of(list(customers.values()))
                locked.customer = terms[invoice.customer_id].customer
                _finalize([locked], terms, by, at)
    return Invoice.objects.filter(pk=invoice.pk).first()


def finalize_periods(organization: Organization, dues: Sequence[Due], *, by: User | None, at: datetime) -> Built:
    """Build the invoices of these periods, each of another customer, and make them final, in one transaction.

    Those that cannot be built are told, and hold up nobody else.
    """
    refused: list[tuple[Due, str]] = []
    draw_credit(organization, dues, at)
    while True:
        wanted = [due for due in dues if due.customer_id not in {each.customer_id for each, _ in refused}]
        try:
            with transaction.atomic():
                built = build_locked(organization, wanted, at)
                terms = TermsOf(organization).of([invoice.customer for invoice in built.drafts])
                _finalize(built.drafts, terms, by, at)
        except CannotBuild as cannot:
            refused += [(due, cannot.reasons[due.customer_id]) for due in dues if due.customer_id in cannot.reasons]
            continue
        built.refused = refused
        return built


def _finalize(invoices: Sequence[Invoice], terms: Mapping[UUID, Terms], by: User | None, at: datetime) -> None:
    """Drafts of one organization that are locked, with their amounts as they are to stay."""
    if not invoices:
        return
    organization = terms[invoices[0].customer_id].customer.organization
    prefix = terms[invoices[0].customer_id].seller.invoice_prefix
    numbers = take_numbers(organization, NumberSeries.Kind.INVOICE, prefix, len(invoices))
    accounts = Accounts(organization)
    for invoice, number in zip(invoices, numbers, strict=True):
        of = terms[invoice.customer_id]
        _freeze(invoice, of, number, at)
        _use_coupons(invoice, of)
        book_invoice(invoice, accounts, at=at)
        if by is not None:
            changes: audit.Changes = {"number": (None, invoice.number), "total": (None, invoice.total)}
            audit.record(organization, "invoice.finalize", invoice, actor=by, changes=changes, customer=of.customer)
        after_commit("billing.collect_invoice", str(invoice.pk))
        reach("invoice_finalized")
    InvoiceTransition.objects.bulk_create(
        InvoiceTransition(invoice=each, before=State.DRAFT, after=each.state, at=at, by=by) for each in invoices
    )


def _freeze(invoice: Invoice, terms: Terms, number: Number, at: datetime) -> None:
    today = day_of(at, terms.customer.organization.time_zone)
    invoice.sequence, invoice.number = number
    invoice.finalized_at, invoice.issued_on = at, today
    invoice.due_on = today + timedelta(days=terms.net_days)
    invoice.seller, invoice.buyer = seller_snapshot(terms.seller), buyer_snapshot(terms.details)
    invoice.state = State.OPEN if invoice.total else State.PAID
    invoice.save(update_fields=FINAL)
    _fix_currency(terms.details, invoice.currency)


class Accounts:
    """Of an organization; those of its own are looked up once, however many invoices are booked on them."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self._own: dict[tuple[LedgerAccount.Kind, str], LedgerAccount] = {}

    def own(self, kind: LedgerAccount.Kind, currency: str) -> LedgerAccount:
        if (kind, currency) not in self._own:
            self._own[kind, currency] = account_of(self.organization, kind, currency)
        return self._own[kind, currency]

    def receivable(self, customer: Customer, currency: str) -> LedgerAccount:
        return account_of(self.organization, Account.RECEIVABLE, currency, customer)


def book_invoice(invoice: Invoice, accounts: Accounts, *, at: datetime) -> None:
    """The customer owes its total, of which a part is tax. What was paid from credit was booked when it was drawn."""
    if not invoice.total:
        return
    entries = {
        accounts.receivable(invoice.customer, invoice.currency): -invoice.total,
        accounts.own(Account.REVENUE, invoice.currency): invoice.total - invoice.tax,
    }
    if invoice.tax:
        entries[accounts.own(Account.TAX, invoice.currency)] = invoice.tax
    book(
        accounts.organization,
        LedgerTransaction.Kind.INVOICE,
        key=f"invoice:{invoice.pk}",
        at=at,
        entries=entries,
        customer=invoice.customer,
        source={"invoice": str(invoice.pk), "number": invoice.number},
    )


def _fix_currency(details: BillingDetails, currency: str) -> None:
    """From the first invoice on, a customer is billed in one currency."""
    if not details.currency:
        BillingDetails.objects.filter(pk=details.pk, currency="").update(currency=currency)


def _use_coupons(invoice: Invoice, terms: Terms) -> None:
    """A period of each coupon that took something off is used up."""
    used = {each["name"] for each in invoice.discounts if Decimal(each["amount"])}
    ids = [each.pk for each in terms.coupons if each.coupon.code in used and each.periods_left is not None]
    AppliedCoupon.objects.filter(pk__in=ids, periods_left__gt=0).update(periods_left=F("periods_left") - 1)
