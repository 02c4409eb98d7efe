"""After an organization changed its time zone. Twice, at once or killed is harmless: see what is called."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.billing.queries.zones import on_the_move
from apps.billing.services.zones import follow_zone


@shared_task(name="billing.follow_zone", ignore_result=True)
def follow(organization_id: str) -> None:
    """Once its days are made anew: what was billed is counted by them."""
    follow_zone(UUID(organization_id), at=timezone.now())


@shared_task(name="billing.follow_zones", ignore_result=True)
def follow_all() -> None:
    """Every ten minutes, by beat: where whoever was to do it died."""
    for organization in on_the_move():
        follow_zone(organization.pk, at=timezone.now())
