"""What commands that are about a customer share."""

from django.core.management.base import CommandError

from apps.accounts.models import Organization
from apps.customers.models import Customer


def customer_of(organization: Organization, slug: str) -> Customer:
    """The organization's customer of that slug. Raises CommandError."""
    if customer := organization.customers.filter(slug=slug).first():
        return customer
    raise CommandError(f"{organization} has no customer “{slug}”.")
