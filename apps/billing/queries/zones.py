"""The zone that an organization's days are of, and those that its periods were of."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import F

from apps.accounts.models import Organization
from apps.billing.invoicing.due import BEGIN_OF_TIME, Zones, ZoneSince
from apps.billing.models import BilledZone


def zone_of(organization: Organization) -> ZoneInfo:
    """As it was set."""
    return ZoneInfo(organization.time_zone)


def today_of(organization: Organization, at: datetime) -> date:
    """Which day it is there."""
    return at.astimezone(zone_of(organization)).date()


def billed_zones(organization: Organization) -> Zones:
    """Of its calendar periods, in order of time. Billed for the first time, it keeps the zone that it has."""
    rows = BilledZone.objects.filter(organization=organization).order_by("since_on")
    found = [ZoneSince(row.since_on, row.time_zone) for row in rows]
    if not found:
        now = Organization.objects.values_list("time_zone", flat=True).get(pk=organization.pk)
        row, _is_new = BilledZone.objects.get_or_create(
            organization=organization, since_on=BEGIN_OF_TIME, defaults={"time_zone": now}
        )
        found = [ZoneSince(row.since_on, row.time_zone)]
    return found


def are_days_moving(organization: Organization) -> bool:
    """Whether its zone was changed, and what was billed is not counted by its new days yet.

    To be asked after the roll-ups were read: not before that could another change be missed.
    """
    now = Organization.objects.values_list("time_zone", flat=True).get(pk=organization.pk)
    return billed_zones(organization)[-1].name != now


def on_the_move() -> list[Organization]:
    """The organizations of which that holds."""
    latest = BilledZone.objects.order_by("organization_id", "-since_on").distinct("organization_id")
    moved = BilledZone.objects.filter(pk__in=latest.values("pk")).exclude(time_zone=F("organization__time_zone"))
    return [row.organization for row in moved.select_related("organization").order_by("organization_id")]
