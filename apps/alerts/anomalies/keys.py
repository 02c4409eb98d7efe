"""Keys that are used from where they never were: many networks, a new one, the pattern of a leak."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count

from apps.accounts.models import Organization
from apps.alerts.anomalies import explaining
from apps.alerts.anomalies.judging import (
    NETWORKS,
    KeySigns,
    is_news,
    judge,
    leak_signs,
)
from apps.alerts.anomalies.noting import note_finding
from apps.alerts.models import KeyNetwork
from apps.alerts.terms import FindingKind, Subject
from apps.keys.models import ProxyKey
from apps.usage.models import DailyTotal, DailyUsage, Request, Result

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAYS = 14
MOST_KEYS = 500  # with new networks in an hour, those with the most
MOST_NAMED = 5_000  # models and end users of a key's hour
MOST_READ = 5_000  # networks of a key

SEVERE = 2


class Networks(NamedTuple):
    """Of a key: those first seen in the last hour, those before, and since when any is known."""

    new: list[str]
    known: list[tuple[str, datetime]]  # with when each was first seen

    @property
    def since(self) -> datetime:
        return min(first for _, first in self.known)


def look_at_keys(organization: Organization, *, at: datetime) -> None:
    """Look at the keys with networks that are new. One whose first calls these are has nothing to compare with."""
    new = KeyNetwork.objects.filter(organization=organization, first_seen_at__gt=at - HOUR, first_seen_at__lte=at)
    busiest = new.values("proxy_key_id").annotate(count=Count("pk")).order_by("-count", "proxy_key_id")
    ids = [row["proxy_key_id"] for row in busiest[:MOST_KEYS]]
    for key in ProxyKey.objects.filter(pk__in=ids).select_related("customer__organization"):
        networks = _networks(key, at)
        if networks.known:
            _look_at_key(key, networks, at)


def _networks(key: ProxyKey, at: datetime) -> Networks:
    seen = key.networks.filter(first_seen_at__lte=at).order_by("-last_seen_at")
    rows = list(seen.values_list("network", "first_seen_at")[:MOST_READ])
    since = at - HOUR
    return Networks([name for name, first in rows if first > since], [row for row in rows if row[1] <= since])


def _look_at_key(key: ProxyKey, networks: Networks, at: datetime) -> None:
    if signs := _leak(key, networks, at):
        _note(key, FindingKind.LEAKED_KEY, len(networks.new), signs, at, severity=SEVERE)
    if found := judge(len(networks.new), _new_before(networks, at), NETWORKS):
        sentences = explaining.of_networks(found, networks.new)
        figures = explaining.figures(found, sentences)
        note_finding(key.customer, FindingKind.MANY_NETWORKS, Subject.KEY, str(key.pk), key.name, figures, at=at)
    days = (at - networks.since) / DAY
    if is_news(len(networks.known), days, len(networks.new)):
        sentences = explaining.of_news(networks.new, [name for name, _ in networks.known], days)
        _note(key, FindingKind.NEW_NETWORK, len(networks.new), sentences, at)


def _note(
    key: ProxyKey, kind: FindingKind, observed: int, sentences: Sequence[str], at: datetime, *, severity: int = 1
) -> None:
    figures = {"observed": observed, "expected": 0, "sentences": list(sentences)}
    note_finding(key.customer, kind, Subject.KEY, str(key.pk), key.name, figures, at=at, severity=severity)


def _new_before(networks: Networks, at: datetime) -> list[float]:
    """How many networks were new at this hour of each of the days before, since the first was seen."""
    days = min(DAYS, int((at - networks.since) / DAY))
    ends = [at - DAY * day for day in range(1, days + 1)]
    return [float(sum(end - HOUR < first <= end for _, first in networks.known)) for end in ends]


def _leak(key: ProxyKey, networks: Networks, at: datetime) -> list[str]:
    """What speaks for a leak, in sentences; [] where nothing does."""
    lately = Request.objects.filter(
        customer_id=key.customer_id, proxy_key_id=key.pk, started_at__gt=at - HOUR, started_at__lte=at
    )
    today = at.astimezone(ZoneInfo(key.customer.organization.time_zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    before = {
        "organization_id": key.organization_id,
        "proxy_key_id": key.pk,
        "day__gte": today - DAY * DAYS,
        "day__lt": today,
    }
    models = set(lately.values_list("model_served", flat=True).distinct()[:MOST_NAMED]) - {""}
    known_models = DailyTotal.objects.filter(model__in=models, **before).values_list("model", flat=True)
    users = set(lately.exclude(end_user=None).values_list("end_user", flat=True).distinct()[:MOST_NAMED])
    known_users = DailyUsage.objects.filter(end_user__in=users, **before).values_list("end_user", flat=True)
    signs = KeySigns(
        new_networks=len(networks.new),
        refused=lately.filter(result=Result.REFUSED).count(),
        new_models=len(models - set(known_models.distinct())),
        new_users=len(users - set(known_users.distinct())),
    )
    found = leak_signs(signs)
    return explaining.of_leak(signs, found, networks.new) if found else []
