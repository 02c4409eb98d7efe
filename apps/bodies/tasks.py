"""What workers do for stored bodies. Each may come late, twice or be killed: the next run does what is left."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.bodies import services
from apps.bodies.models import BodyPolicy


@shared_task(name="bodies.enforce", ignore_result=True)
def enforce(organization_id: str) -> None:
    """After a policy was changed, or bodies were erased: what is not to be stored any more is deleted."""
    services.enforce_policies(UUID(organization_id), at=timezone.now())


@shared_task(name="bodies.enforce_all", ignore_result=True)
def enforce_all() -> None:
    """Every day, by beat: for those whose task was lost."""
    for organization_id in BodyPolicy.objects.values_list("pk", flat=True):
        services.enforce_policies(organization_id, at=timezone.now())


@shared_task(name="bodies.forget_expired", ignore_result=True)
def forget_expired() -> None:
    """Every hour, by beat: what has been stored for as long as it may goes, a table at once."""
    services.forget_expired(at=timezone.now())
