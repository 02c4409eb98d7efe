"""Payments, as pages show them."""

from collections.abc import Mapping

from django.db.models import Count, Q, QuerySet

from apps.accounts.models import Organization
from apps.billing.models import Payment, PaymentEvent
from apps.customers.models import Customer


def payments_of(organization: Organization, filters: Mapping[str, str]) -> QuerySet[Payment]:
    """An organization's payments, the newest first. filters: `state`, `q`: a customer's name, or a reference."""
    found = organization.payments.select_related("customer", "invoice").order_by("-created_at", "-pk")
    if (state := filters.get("state", "")) in Payment.State.values:
        found = found.filter(state=state)
    if wanted := filters.get("q", "").strip():
        found = found.filter(
            Q(customer__name__icontains=wanted)
            | Q(provider_id__icontains=wanted)
            | Q(invoice__number__icontains=wanted)
        )
    return found


def payments_of_customer(customer: Customer) -> QuerySet[Payment]:
    """A customer's payments, the newest first."""
    return customer.payments.select_related("invoice").order_by("-created_at", "-pk")


def payments_by_state(organization: Organization) -> dict[str, int]:
    """How many there are in each state."""
    counted = organization.payments.values_list("state").annotate(count=Count("pk"))
    return dict(counted)


def events_to_see_to(organization: Organization) -> QuerySet[PaymentEvent]:
    """What providers told and nobody here waited for, or what could not be done: the newest first."""
    open_ones = Q(processed_at=None) | Q(outcome=PaymentEvent.Outcome.UNMATCHED)
    return organization.payment_events.filter(open_ones).order_by("-received_at", "-pk")
