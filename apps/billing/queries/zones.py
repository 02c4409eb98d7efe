"""The zone that an organization's days are of."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from apps.accounts.models import Organization


def zone_of(organization: Organization) -> ZoneInfo:
    """As it was set."""
    return ZoneInfo(organization.time_zone)


def today_of(organization: Organization, at: datetime) -> date:
    """Which day it is there."""
    return at.astimezone(zone_of(organization)).date()
