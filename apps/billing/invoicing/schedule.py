"""Which periods of whom are to be invoiced now: what is over and has no invoice that is final."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Max

from apps.accounts.models import Organization
from apps.billing.invoicing.due import Due, Stretch, due_at, dues, stretches
from apps.billing.invoicing.terms import subscriptions_of
from apps.billing.models import Invoice
from apps.billing.periods import day_of
from apps.billing.queries.zones import billed_zones
from apps.customers.models import Customer
from apps.usage.queries.periods import next_month, previous_month

State = Invoice.State


class Schedule:
    """Of some customers of an organization, as of `at`."""

    def __init__(self, organization: Organization, customers: Sequence[UUID], *, at: datetime) -> None:
        self.organization, self.customers, self.at = organization, customers, at
        subscriptions = subscriptions_of(customers)
        zones = billed_zones(organization)
        self._stretches = {pk: stretches(subscriptions.get(pk, []), zones) for pk in customers}
        begins = {pk: found[0] for pk, found in subscriptions.items() if found}
        self._begins = {pk: day_of(each.starts_at, each.time_zone) for pk, each in begins.items()}

    def over(self, month: date | None = None) -> list[Due]:
        """The periods that are over and not final, in order of time.

        month: those that begin in it. Else all since each customer's latest invoice; for who has none, since its
        plan began, or the one before the current one. And what is void and has nothing in its place.
        """
        found = list(self._of_month(month)) if month else list(self._since_latest())
        if not found:
            return []
        ends = [each for each in dict.fromkeys(found) if each.period.until_at <= self.at]
        final = self._final({each.key for each in ends})
        return sorted(
            (each for each in ends if (each.customer_id, each.key) not in final),
            key=lambda each: (each.period.since_at, each.customer_id),
        )

    def current(self, customer_id: UUID) -> Due:
        """The period that it is in."""
        return due_at(customer_id, self._stretches[customer_id], self.at)

    def _of_month(self, month: date) -> Iterable[Due]:
        first, until = month.replace(day=1), next_month(month)
        for pk, found in self._stretches.items():
            yield from (each for each in dues(pk, found, first, until) if first <= each.period.first < until)

    def _since_latest(self) -> Iterable[Due]:
        zone = self.organization.time_zone
        periods = Invoice.objects.filter(customer__in=self.customers, kind=Invoice.Kind.PERIOD)
        latest = dict(periods.values_list("customer").annotate(Max("period_start")))
        open_again: dict[UUID, list[datetime]] = {}
        for pk, start in periods.filter(state__in=(State.DRAFT, State.VOID)).values_list("customer", "period_start"):
            if start is not None:
                open_again.setdefault(pk, []).append(start)
        today = day_of(self.at, zone)
        usual = previous_month(today)
        for pk, found in self._stretches.items():
            if pk in latest:
                first = due_at(pk, found, latest[pk]).period.first
            else:
                first = min(usual, self._begins.get(pk, usual))
            yield from dues(pk, found, first, today + timedelta(days=1))
            yield from (due_at(pk, found, start) for start in open_again.get(pk, ()))

    def _final(self, keys: set[str]) -> set[tuple[UUID, str]]:
        live = Invoice.objects.filter(customer__in=self.customers, key__in=keys).exclude(
            state__in=(State.DRAFT, State.VOID)
        )
        return set(live.values_list("customer", "key"))


def due_of(invoice: Invoice) -> Due:
    """The period of an invoice, as its customer's plans are now."""
    assert invoice.period_start is not None
    return due_at(invoice.customer_id, stretches_of(invoice.customer), invoice.period_start)


def stretches_of(customer: Customer) -> list[Stretch]:
    """One customer's."""
    subscriptions = subscriptions_of([customer]).get(customer.pk, [])
    return stretches(subscriptions, billed_zones(customer.organization))
