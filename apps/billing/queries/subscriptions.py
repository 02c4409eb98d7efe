"""Who is on which plan, now and next."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.models import Organization
from apps.billing.invoicing.due import cycle_of
from apps.billing.models import Subscription
from apps.billing.periods import Period, period_at
from apps.customers.models import Customer


def period_of(subscription: Subscription, at: datetime) -> Period:
    """The period that it is in at `at`; its first, if it has not begun."""
    return period_at(cycle_of(subscription), max(at, subscription.starts_at))


def live(at: datetime) -> Q:
    """Of subscriptions: those that have begun and not ended."""
    return Q(starts_at__lte=at) & (Q(ends_at=None) | Q(ends_at__gt=at))


def subscription_at(customer: Customer, at: datetime) -> Subscription | None:
    """The one that the customer is on."""
    return _told(customer.subscriptions.all()).filter(live(at)).first()


def next_subscription(customer: Customer, at: datetime) -> Subscription | None:
    """The one that is to begin, if one is."""
    return _told(customer.subscriptions.all()).filter(starts_at__gt=at).order_by("starts_at").first()


def subscriptions_of(customer: Customer) -> QuerySet[Subscription]:
    """All that it ever had, the newest first."""
    return _told(customer.subscriptions.all()).order_by("-starts_at")


def subscribers(organization: Organization, at: datetime) -> QuerySet[Subscription]:
    """All that are live, or to begin, by customer."""
    found = Subscription.objects.filter(customer__organization=organization)
    found = found.filter(Q(ends_at=None) | Q(ends_at__gt=at))
    return found.select_related("version__plan", "customer").order_by("customer__name", "starts_at")


def live_subscriptions(at: datetime, *, ids: Iterable[UUID] | None = None) -> QuerySet[Subscription]:
    """Those of all organizations."""
    found = Subscription.objects.filter(live(at)) if ids is None else Subscription.objects.filter(live(at), pk__in=ids)
    return found.select_related("version__plan", "customer__organization").order_by("pk")


def _told(found: QuerySet[Subscription]) -> QuerySet[Subscription]:
    return found.select_related("version__plan", "customer__organization")
