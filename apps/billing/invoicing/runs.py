"""Billing runs: the invoices of what is over, for everybody, some customers at a time.

Each handful is a transaction. Stopped at any time, what was done is whole, and the next run does the rest; run again,
or ten times at once, there is one invoice for a customer and period, and it is the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import Organization
from apps.billing.invoicing.building import Built, build_drafts
from apps.billing.invoicing.due import Due
from apps.billing.invoicing.schedule import Schedule
from apps.billing.models import Invoice
from apps.billing.parties import seller_of
from apps.billing.services.finalizing import finalize_periods
from apps.customers.models import Customer
from apps.kit.failpoints import reach

AT_ONCE = 100  # customers a transaction: a second or two
Told = Callable[[int], object]


@dataclass
class Run:
    """What a run did, or would do."""

    customers: int = 0
    made: int = 0
    built_again: int = 0
    finalized: int = 0
    already_final: int = 0
    empty: int = 0
    credit_notes: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    totals: dict[str, Decimal] = field(default_factory=dict)  # by currency

    def add(self, built: Built, *, is_final: bool) -> None:
        self.made += len(built.made)
        self.built_again += len(built.built_again)
        self.finalized += len(built.drafts) if is_final else 0
        self.already_final += built.final
        self.empty += built.empty
        self.credit_notes += built.credit_notes
        for invoice in built.drafts:
            self.totals[invoice.currency] = self.totals.get(invoice.currency, Decimal(0)) + invoice.total

    def refuse(self, customers: dict[UUID, Customer], built: Built) -> None:
        for due, reason in built.refused:
            period = f"{due.period.first} to {due.period.until - timedelta(days=1)}"
            self.refused.append({"customer": customers[due.customer_id].slug, "period": period, "reason": reason})


def billing_run(
    organization: Organization,
    *,
    at: datetime,
    customer: Customer | None = None,
    month: date | None = None,
    finalizes: bool = False,
    is_dry_run: bool = False,
    told: Told = lambda customers: None,
) -> Run:
    """Build the invoices of what is over as of `at`; those that are drafts are built anew.

    month: only periods that begin in it. finalizes: and make them final now, whatever days of grace there are.
    is_dry_run: tell what would be, and change nothing. told: how many customers are done, now and then.
    """
    run = Run()
    for chunk in _chunks(organization, customer):
        for dues in _rounds(Schedule(organization, list(chunk), at=at).over(month)):
            built = _build(organization, dues, at, finalizes=finalizes, is_dry_run=is_dry_run)
            run.add(built, is_final=finalizes)
            run.refuse(chunk, built)
        run.customers += len(chunk)
        told(len(chunk))
        reach("billing_chunk")
    return run


def finalize_due(
    organization: Organization,
    *,
    at: datetime,
    customer: Customer | None = None,
    all_drafts: bool = False,
    is_dry_run: bool = False,
    told: Told = lambda customers: None,
) -> Run:
    """Make those drafts of periods final that waited long enough for late usage. all_drafts: all that are over."""
    run, seller = Run(), seller_of(organization)
    waited = at if all_drafts else at - timedelta(days=seller.grace_days)
    drafts = Invoice.objects.filter(
        organization=organization, state=Invoice.State.DRAFT, kind=Invoice.Kind.PERIOD, period_end__lte=waited
    )
    starts = set(drafts.values_list("customer_id", "period_start"))
    for chunk in _chunks(organization, customer, only={pk for pk, _ in starts}):
        over = Schedule(organization, list(chunk), at=at).over()
        wanted = [due for due in over if (due.customer_id, due.period.since_at) in starts]
        for dues in _rounds(wanted):
            built = _build(organization, dues, at, finalizes=True, is_dry_run=is_dry_run)
            run.add(built, is_final=True)
            run.refuse(chunk, built)
        run.customers += len(chunk)
        told(len(chunk))
    return run


class _NotReally(Exception):
    """Rolls back what was only tried."""


def _build(
    organization: Organization, dues: Sequence[Due], at: datetime, *, finalizes: bool, is_dry_run: bool
) -> Built:
    if not is_dry_run:
        return _really(organization, dues, at, finalizes=finalizes)
    built = Built()
    try:
        with transaction.atomic():
            built = _really(organization, dues, at, finalizes=finalizes)
            raise _NotReally
    except _NotReally:
        return built


def _really(organization: Organization, dues: Sequence[Due], at: datetime, *, finalizes: bool) -> Built:
    if finalizes:
        return finalize_periods(organization, dues, by=None, at=at)
    return build_drafts(organization, dues, at=at)


def _rounds(over: Iterable[Due]) -> Iterator[list[Due]]:
    """One period of each customer at a time, the earliest first: what is late goes by what was invoiced before."""
    left = list(over)
    while left:
        seen: set[UUID] = set()
        now: list[Due] = []
        later: list[Due] = []
        for due in left:
            (later if due.customer_id in seen else now).append(due)
            seen.add(due.customer_id)
        yield now
        left = later


def _chunks(
    organization: Organization, customer: Customer | None, only: set[UUID] | None = None
) -> Iterator[dict[UUID, Customer]]:
    """Some customers at a time, by id."""
    if customer is not None:
        yield {customer.pk: customer}
        return
    rows = organization.customers.order_by("pk")
    last: UUID | None = None
    while True:
        page = rows if last is None else rows.filter(pk__gt=last)
        found = {each.pk: each for each in (page if only is None else page.filter(pk__in=only))[:AT_ONCE]}
        if not found:
            return
        yield found
        last = max(found)
