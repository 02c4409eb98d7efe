"""Which days of the roll-ups an invoice's usage is on.

A day belongs to the period in which it begins. Periods begin at midnight, and days at midnight of the organization's
zone: it is only where that was changed, or a plan counts in the zone that it began in, that they are not the same.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Min

from apps.accounts.models import Organization
from apps.billing.invoicing.days import Wanted
from apps.billing.invoicing.due import Due
from apps.billing.invoicing.plans import Part
from apps.billing.models import Invoice
from apps.billing.periods import begin_of, day_of
from apps.usage.keeping import keeping_of

First = Mapping[UUID, datetime]


def first_invoices(customers: Collection[UUID]) -> First:
    """When each customer's first period began that there is an invoice of."""
    periods = Invoice.objects.filter(customer__in=customers, kind=Invoice.Kind.PERIOD).exclude(state=Invoice.State.VOID)
    return dict(periods.values_list("customer").annotate(Min("period_start")))


def since_of(due: Due, first: First, zone_name: str) -> datetime:
    """From which day on its usage is. zone_name: that of the days.

    What a day that it shares with an earlier invoice has above that is late usage. Of the very first period, it is
    the day that its first hour is in.
    """
    begins = due.period.since_at
    if first.get(due.customer_id, begins) < begins:
        return begins
    return begin_of(day_of(begins, zone_name), zone_name)


def spans_of(due: Due, parts: Sequence[Part], first: First, zone_name: str) -> list[tuple[Part, datetime]]:
    """Each part, and from which day on its usage is."""
    begins = due.period.since_at
    since = since_of(due, first, zone_name)
    return [(part, since if part.since == begins else part.since) for part in parts]


def earlier_days(organization: Organization, whole: Sequence[Wanted], first: First) -> list[Wanted]:
    """The days from each customer's first invoice on, as far as their roll-ups are kept; before its period."""
    kept = keeping_of(organization.pk).days_since
    found = []
    for each in whole:
        since = first.get(each.customer_id)
        if since is not None and since < each.since:
            found.append(each._replace(since=max(since, kept) if kept else since, until=each.since))
    return found
