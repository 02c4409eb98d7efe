"""A draft becomes final: built once more, with who sold and who bought as they are now, a number, and the ledger.

All of it in one transaction, so that there is no number without an invoice and no invoice without its entries.
Whoever dies half way has changed nothing; whoever comes second finds it final. What is done with it afterwards
(e-mail, PDF, payment) is left to tasks, once it is committed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

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
from apps.billing.services.numbers import take_number
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
                terms = TermsOf(invoice.organization).of(list(customers.values()))[invoice.customer_id]
                _finalize(locked, terms, by, at)
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
                customers = [invoice.customer for invoice in built.drafts]
                terms = TermsOf(organization).of(customers)
                for invoice in built.drafts:
                    _finalize(invoice, terms[invoice.customer_id], by, at)
                    reach("invoice_finalized")
        except CannotBuild as cannot:
            refused += [(due, cannot.reasons[due.customer_id]) for due in dues if due.customer_id in cannot.reasons]
            continue
        built.refused = refused
        return built


def _finalize(invoice: Invoice, terms: Terms, by: User | None, at: datetime) -> None:
    """A draft that is locked, with its amounts as they are to stay."""
    organization, seller = terms.seller.organization, terms.seller
    today = day_of(at, organization.time_zone)
    taken = take_number(organization, NumberSeries.Kind.INVOICE, seller.invoice_prefix)
    invoice.sequence, invoice.number = taken
    invoice.finalized_at, invoice.issued_on = at, today
    invoice.due_on = today + timedelta(days=terms.net_days)
    invoice.seller, invoice.buyer = seller_snapshot(seller), buyer_snapshot(terms.details)
    invoice.state = State.OPEN if invoice.total else State.PAID
    invoice.save(update_fields=FINAL)
    InvoiceTransition.objects.create(invoice=invoice, before=State.DRAFT, after=invoice.state, at=at, by=by)
    _fix_currency(terms.details, invoice.currency)
    _use_coupons(invoice, terms)
    book_invoice(invoice, at=at)
    if by is not None:
        changes: audit.Changes = {"number": (None, invoice.number), "total": (None, invoice.total)}
        audit.record(organization, "invoice.finalize", invoice, actor=by, changes=changes, customer=invoice.customer)
    after_commit("billing.collect_invoice", str(invoice.pk))


def book_invoice(invoice: Invoice, *, at: datetime) -> None:
    """The customer owes its total, of which a part is tax. What was paid from credit was booked when it was drawn."""
    organization = invoice.organization
    net = invoice.total - invoice.tax
    entries = {
        (Account.RECEIVABLE, invoice.customer): -invoice.total,
        (Account.REVENUE, None): net,
        (Account.TAX, None): invoice.tax,
    }
    moved = {
        account_of(organization, kind, invoice.currency, customer): amount
        for (kind, customer), amount in entries.items()
        if amount
    }
    if moved:
        book(
            organization,
            LedgerTransaction.Kind.INVOICE,
            key=f"invoice:{invoice.pk}",
            at=at,
            entries=moved,
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
