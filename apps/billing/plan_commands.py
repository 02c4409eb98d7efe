"""What commands about plans share."""

from django.core.management.base import CommandError

from apps.accounts.models import Organization
from apps.billing.models import PlanVersion

NO_PLAN = "none"


def version_of(organization: Organization, name: str) -> PlanVersion:
    """The version that "team:2" names, or the newest of "team". Raises CommandError."""
    slug, _, number = name.partition(":")
    versions = PlanVersion.objects.filter(plan__organization=organization, plan__slug=slug).select_related("plan")
    if number:
        versions = versions.filter(number=number) if number.isdecimal() else versions.none()
    if version := versions.order_by("-number").first():
        return version
    raise CommandError(f"{organization} has no plan “{name}”.")
