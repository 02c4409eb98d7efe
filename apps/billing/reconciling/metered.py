"""What we metered of a provider, by days of UTC, as it bills.

Roll-ups are by hours of the organization's zone. Where its clock is whole hours off UTC, these make days of UTC too;
where it is not, as in India, the requests themselves are summed.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, F, QuerySet, Sum
from django.db.models.functions import TruncDate

from apps.accounts.models import Organization
from apps.billing.reconciling.exports import CACHE_READ, CACHE_WRITE, COST, INPUT, OUTPUT, Place
from apps.usage.models import HourlyUsage, Request

CACHE_WRITES = ("cache_write_5m", "cache_write_1h", "cache_write")
OUTPUTS = ("output", "reasoning", "output_audio", "output_image")
INPUTS = ("input", "input_audio", "input_image")
# OpenAI counts what was cached as input, Anthropic apart.
KINDS = {
    "openai": {INPUT: (*INPUTS, "cache_read", *CACHE_WRITES), CACHE_READ: ("cache_read",), OUTPUT: OUTPUTS},
    "anthropic": {INPUT: INPUTS, CACHE_READ: ("cache_read",), CACHE_WRITE: CACHE_WRITES, OUTPUT: OUTPUTS},
}


def metered(organization: Organization, provider: str, since: date, until: date) -> dict[Place, dict[str, Decimal]]:
    """By day of UTC, both included, and model as served. Figures that are all 0 are left out."""
    first, after = _instant(since), _instant(until + timedelta(days=1))
    if is_whole_hours(organization.time_zone, first, after):
        hours = HourlyUsage.objects.filter(organization=organization, provider=provider)
        rows = _summed(hours.filter(hour__gte=first, hour__lt=after), "hour", "model")
    else:
        requests = Request.objects.filter(organization_id=organization.pk, provider=provider)
        rows = _summed(requests.filter(started_at__gte=first, started_at__lt=after), "started_at", "model_served")
    found: dict[Place, dict[str, Decimal]] = {}
    for day, model, *values in rows:
        sums = dict(zip(_names(), values, strict=True))
        figures = {
            measure: Decimal(sum(sums[f"{kind}_tokens"] or 0 for kind in kinds))
            for measure, kinds in KINDS[provider].items()
        }
        figures[COST] = sums["cost"] or Decimal(0)
        if any(figures.values()):
            found[day, model] = figures
    return found


def is_whole_hours(zone_name: str, first: datetime, after: datetime) -> bool:
    """Whether the zone's clock is whole hours off UTC all through these days."""
    zone, at = ZoneInfo(zone_name), first
    while at <= after:
        if (at.astimezone(zone).utcoffset() or timedelta()) % timedelta(hours=1):
            return False
        at += timedelta(days=1)
    return True


def _summed(rows: QuerySet[HourlyUsage] | QuerySet[Request], at: str, model: str) -> list[tuple[Any, ...]]:
    day = TruncDate(at, tzinfo=UTC, output_field=DateField())
    grouped = rows.annotate(utc_day=day, model_name=F(model)).values_list("utc_day", "model_name")
    sums = {f"sum_{name}": Sum(name) for name in _names()}
    return list(grouped.annotate(**sums).order_by("utc_day", "model_name"))


def _names() -> list[str]:
    kinds = {kind for measures in KINDS.values() for each in measures.values() for kind in each}
    return [*(f"{kind}_tokens" for kind in sorted(kinds)), "cost"]


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
