"""What reads customers and who belongs to them."""

from typing import NamedTuple
from uuid import UUID

from apps.accounts.models import User


class Place(NamedTuple):
    """Somewhere a person can go: an organization's console, or a customer's portal."""

    kind: str  # "organization" or "customer": the switch is POSTed to {kind}-switch
    id: UUID
    name: str


def places_of(user: User) -> list[Place]:
    """All of the person's places: organizations first, each by name."""
    organizations = user.memberships.values_list("organization_id", "organization__name")
    customers = user.customer_memberships.values_list("customer_id", "customer__name")
    return [
        *(Place("organization", *row) for row in organizations.order_by("organization__name")),
        *(Place("customer", *row) for row in customers.order_by("customer__name")),
    ]
