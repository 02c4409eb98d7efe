"""Days of an organization, held while something is counted by them: nobody has them begin elsewhere meanwhile."""

from apps.accounts.models import Organization
from apps.kit.locks import lock_name


def lock_days(organization: Organization, *, alone: bool = False) -> None:
    """Until the transaction ends; to be taken before any row. alone: wait until nobody else counts by them."""
    lock_name(f"billed days of {organization.pk}", is_shared=not alone)
