"""Invoices as pages list them, and what each has."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing.models import Invoice, InvoiceLine
from apps.customers.models import Customer
from apps.usage.queries.periods import next_month

State = Invoice.State
OVERDUE = "overdue"


def invoices_of(
    owner: Organization | Customer, *, state: str = "", wanted: str = "", month: date | None = None, on: date
) -> QuerySet[Invoice]:
    """The newest first. A customer's own are without drafts: nobody is to pay what may still change.

    state: one of Invoice.State, or OVERDUE as of the day `on`. wanted: part of a number or a customer's name.
    month: those whose period, or day of issue, is in it.
    """
    found = Invoice.objects.filter(organization=owner) if isinstance(owner, Organization) else owner.invoices.final()
    if state == OVERDUE:
        found = found.filter(state=State.OPEN, due_on__lt=on)
    elif state in State:
        found = found.filter(state=state)
    if wanted:
        found = found.filter(Q(number__icontains=wanted) | Q(customer__name__icontains=wanted))
    if month is not None:
        until = next_month(month)
        in_period = Q(period_start__date__gte=month, period_start__date__lt=until)
        found = found.filter(in_period | Q(period_start=None, issued_on__gte=month, issued_on__lt=until))
    return found.select_related("customer").order_by("-created_at", "-pk")


def states_of(owner: Organization) -> dict[str, int]:
    """How many there are in each state."""
    rows = Invoice.objects.filter(organization=owner).values_list("state").annotate(Count("pk"))
    return dict(rows)


@dataclass(frozen=True)
class Owed:
    """What a customer owes in a currency, and what of it is overdue."""

    currency: str
    due: Decimal
    overdue: Decimal
    invoices: int


def owed_by(customer: Customer, *, on: date) -> list[Owed]:
    """In each currency that it owes something in."""
    found: dict[str, list[Invoice]] = {}
    for invoice in customer.invoices.due():
        found.setdefault(invoice.currency, []).append(invoice)
    return [
        Owed(
            currency,
            sum((each.due for each in invoices), Decimal(0)),
            sum((each.due for each in invoices if each.due_on and each.due_on < on), Decimal(0)),
            len(invoices),
        )
        for currency, invoices in sorted(found.items())
    ]


@dataclass(frozen=True)
class LineRow:
    """A line as a page shows it: with its place in the request explorer, if it is of usage."""

    line: InvoiceLine
    query: str  # for the explorer; "": nothing to drill down to
    is_negative: bool


def line_rows(invoice: Invoice, *, with_customer: bool) -> list[LineRow]:
    """The lines in order. with_customer: for the console, whose explorer has all customers."""
    return [LineRow(line, _query(invoice, line, with_customer), line.amount < 0) for line in invoice.lines.all()]


def _query(invoice: Invoice, line: InvoiceLine, with_customer: bool) -> str:
    is_usage = line.kind in (InvoiceLine.Kind.USAGE, InvoiceLine.Kind.LATE_USAGE)
    if not is_usage or line.period_start is None or line.period_end is None or not line.model:
        return ""
    since, until = timezone.localtime(line.period_start), timezone.localtime(line.period_end)
    asked = {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
    if with_customer:  # a model may be sold by an alias, too, which is another line
        asked |= {"sold_as": line.model, "customer": str(invoice.customer_id)}
    else:
        asked["model"] = line.model
    return urlencode(asked)
