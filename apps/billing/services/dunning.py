"""Reminders of what is overdue, and at last the customer is suspended; paid, it is let in again.

1. Open invoices that are overdue, of customers that are not left out, one transaction each: customer, then invoice.
2. A reminder is counted on the invoice and queued in the same transaction: sent once, whoever runs this how often.
   One that a payment is on its way for is left alone.
3. The final step suspends the customer once for each invoice: whom a person let in again is not thrown out anew.
4. Once nothing that far overdue is left, whom dunning suspended is let in again; whom a person did, is not.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.billing.dunning import Policy, days_overdue, policy_of, steps_due
from apps.billing.models import BillingDetails, Invoice, Mailing, Payment, Seller
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.zones import today_of
from apps.billing.services.mailing import SEND, address_of
from apps.customers.models import Customer
from apps.customers.services import lock, resume_customer, suspend_customer
from apps.kit.after_commit import after_commit
from apps.kit.failpoints import reach

ON_ITS_WAY = timedelta(days=7)  # who begins to pay and never does is not left alone for ever
ACTOR = "reminders of what is overdue"
Kind = Mailing.Kind


@dataclass
class Dunned:
    """What a run did, or would do."""

    reminded: int = 0
    suspended: int = 0

    def add(self, other: "Dunned") -> None:
        self.reminded += other.reminded
        self.suspended += other.suspended


def run_dunning(organization: Organization, *, at: datetime, is_dry_run: bool = False) -> Dunned:
    """All that is due today. Twice, or ten times at once, is as good as once."""
    seller, done = seller_of(organization), Dunned()
    policy = _policy(seller)
    if not policy.reminder_days and policy.suspends_after is None:
        return done
    today = today_of(organization, at)
    for invoice_id in overdue_invoices(organization, today, at=at).values_list("pk", flat=True):
        done.add(_dun(invoice_id, policy, today, at, is_dry_run=is_dry_run))
        reach("dunned")
    return done


def overdue_invoices(organization: Organization, today: date, *, at: datetime) -> QuerySet[Invoice]:
    """Open ones that are overdue, of customers that are reminded, and that no payment is on its way for."""
    left_out = BillingDetails.objects.filter(customer=OuterRef("customer"), is_reminded=False)
    on_its_way = Payment.objects.filter(
        invoice=OuterRef("pk"), state=Payment.State.PENDING, created_at__gte=at - ON_ITS_WAY
    )
    overdue = Invoice.objects.due().filter(organization=organization, due_on__lt=today)
    return overdue.exclude(Exists(left_out)).exclude(Exists(on_its_way)).order_by("due_on", "pk")


def reinstate_customer(customer: Customer, *, at: datetime) -> bool:
    """Let in again whom dunning suspended, if nothing is left that it suspends for. Returns whether."""
    with transaction.atomic():
        customer = lock(customer)
        details = details_of(customer)
        if details.dunning_suspended_at is None:
            return False
        is_dunnings = customer.suspended_at == details.dunning_suspended_at
        if is_dunnings and _suspends_still(customer, details, at):
            return False
        details.dunning_suspended_at = None
        details.save(update_fields=["dunning_suspended_at"])
        if is_dunnings:
            with audit.acting_as(ACTOR):
                resume_customer(customer, by=None)
        return is_dunnings


def suspended_by_dunning() -> QuerySet[Customer]:
    """Whom dunning suspended and nobody let in yet."""
    found = Customer.objects.filter(billing_details__dunning_suspended_at__isnull=False)
    return found.select_related("organization").order_by("pk")


def _policy(seller: Seller) -> Policy:
    return policy_of(seller.reminder_days, seller.final_step, seller.final_step_days)


@transaction.atomic
def _dun(invoice_id: UUID, policy: Policy, today: date, at: datetime, *, is_dry_run: bool) -> Dunned:
    """As things are now, under the locks: what was found before may have been paid since."""
    done = Dunned()
    invoice = Invoice.objects.select_related("customer__organization", "organization").get(pk=invoice_id)
    customer = lock(invoice.customer)
    invoice = Invoice.objects.select_for_update(of=("self",), no_key=True).get(pk=invoice_id)
    if invoice.state != Invoice.State.OPEN or not invoice.due or invoice.due_on is None:
        return done
    overdue = days_overdue(invoice.due_on, today)
    steps = steps_due(policy, overdue, invoice.reminders)
    suspends = steps.suspends and not customer.is_suspended and not _was_suspended_for(invoice)
    if not is_dry_run:
        if steps.reminder:
            invoice.reminders, invoice.reminded_at = steps.reminder, at
            invoice.save(update_fields=["reminders", "reminded_at"])
        if steps.reminder and not suspends:  # whose access ends is told that, and not reminded besides
            _queue(invoice, customer, Kind.REMINDER, steps.reminder, overdue, at)
        if suspends:
            _suspend(invoice, customer, overdue, at)
    return Dunned(int(bool(steps.reminder)), int(suspends))


def _suspend(invoice: Invoice, customer: Customer, overdue: int, at: datetime) -> None:
    with audit.acting_as(ACTOR):
        suspend_customer(customer, by=None, at=at)
    details = details_of(customer)
    details.dunning_suspended_at = at
    details.save(update_fields=["dunning_suspended_at"])
    _queue(invoice, customer, Kind.SUSPENSION, 1, overdue, at)


def _queue(invoice: Invoice, customer: Customer, kind: Mailing.Kind, number: int, overdue: int, at: datetime) -> None:
    invoice.customer = customer
    to = address_of(invoice)
    mailing, is_new = Mailing.objects.get_or_create(
        invoice=invoice,
        credit_note=None,
        kind=kind,
        number=number,
        defaults={"to": to, "days_overdue": overdue, "created_at": at} | ({} if to else _nowhere(at)),
    )
    if is_new and to:
        after_commit(SEND, str(mailing.pk))


def _nowhere(at: datetime) -> dict[str, object]:
    """It counts, and the history says that nobody got it."""
    return {"begun_at": at, "error": "There is no address for invoices."}


def _was_suspended_for(invoice: Invoice) -> bool:
    return invoice.mailings.filter(kind=Kind.SUSPENSION).exists()


def _suspends_still(customer: Customer, details: BillingDetails, at: datetime) -> bool:
    """Whether something is left that is as far overdue as the seller suspends for."""
    policy = _policy(seller_of(customer.organization))
    if policy.suspends_after is None or not details.is_reminded:
        return False
    last = today_of(customer.organization, at) - timedelta(days=max(policy.suspends_after, 1))
    owed = Invoice.objects.due().filter(customer=customer, due_on__lte=last)
    return any(invoice.due for invoice in owed)
