"""Looking for abuse: every end user and key with much in an hour, beside itself at that hour of the days before.

The hour under way is compared with whole ones: what is too much already is found before the hour is over. All
of it is read from the roll-ups, and of keys that are suspect from their requests of one hour.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Min, Q, Sum

from apps.accounts.models import Organization
from apps.alerts.anomalies import explaining
from apps.alerts.anomalies.judging import ERRORS, REQUESTS, SPEND, Floors, is_storm, judge
from apps.alerts.anomalies.keys import look_at_keys
from apps.alerts.anomalies.noting import end_quiet_findings, note_finding
from apps.alerts.measuring import hour_of
from apps.alerts.terms import FindingKind, Subject
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.kit.locks import lock_name
from apps.usage.models import DailyTotal, DailyUsage, HourlyUsage

DAYS = 14
JUST_OVER = timedelta(minutes=10)  # so long after an hour it is looked at once more: what came last is in it now
MOST_CANDIDATES = 2_000  # of each kind of subject in an hour, those with the most requests

Whose = tuple[UUID, Any]  # the customer, and the key's id or the end user's name
COLUMNS: dict[Subject, tuple[str, Any]] = {
    Subject.KEY: ("proxy_key_id", DailyTotal),
    Subject.USER: ("end_user", DailyUsage),
}
MEASURES: dict[FindingKind, tuple[str, Floors]] = {
    FindingKind.SPEND: ("spend", SPEND),
    FindingKind.BURST: ("calls", REQUESTS),
    FindingKind.ERRORS: ("errors", ERRORS),
}
SUMS = {
    "calls": Sum("requests"),
    "spend": Sum("price"),
    "errors": Sum(F("failed") + F("unfinished")),
    "answered": Sum(F("requests") - F("refused")),
}


@dataclass(frozen=True)
class Names:
    """What customers and keys are called; findings are of those that are there still."""

    customers: Mapping[UUID, Customer]
    keys: Mapping[UUID, str]

    def knows(self, subject: Subject, whose: Whose) -> bool:
        return whose[0] in self.customers and (subject is not Subject.KEY or whose[1] in self.keys)

    def of(self, subject: Subject, value: Any) -> str:
        return self.keys[value] if subject is Subject.KEY else str(value)


@transaction.atomic
def look(organization: Organization, *, at: datetime) -> None:
    """Note what stands out in the organization. One at a time for each: what is found twice is one finding."""
    lock_name(f"findings {organization.pk}")
    zone = ZoneInfo(organization.time_zone)
    hour = hour_of(at, zone)
    hours = [hour_of(hour - timedelta(minutes=1), zone), hour] if at - hour < JUST_OVER else [hour]
    for each in hours:
        for subject in COLUMNS:
            _look_at_hour(organization, subject, each, zone, at)
    look_at_keys(organization, at=at)
    end_quiet_findings(organization, at=at)


def _look_at_hour(organization: Organization, subject: Subject, hour: datetime, zone: ZoneInfo, at: datetime) -> None:
    column, _ = COLUMNS[subject]
    rows = HourlyUsage.objects.filter(organization=organization, hour=hour).exclude(**{column: None})
    grouped = rows.values("customer_id", column).annotate(**SUMS)
    many = Q(calls__gte=REQUESTS.observed) | Q(spend__gte=SPEND.observed) | Q(errors__gte=ERRORS.observed)
    candidates = {
        (row["customer_id"], row[column]): row for row in grouped.filter(many).order_by("-calls")[:MOST_CANDIDATES]
    }
    if not candidates:
        return
    names = _names(organization, subject, candidates)
    histories = _histories(organization, subject, candidates, same_hours(hour, zone), zone)
    for whose, row in candidates.items():
        if names.knows(subject, whose):
            _judge(names, subject, whose, row, histories[whose], hour.astimezone(zone), at)


def _judge(
    names: Names,
    subject: Subject,
    whose: Whose,
    row: Mapping[str, Any],
    history: list[Mapping[str, Any]],
    hour: datetime,
    at: datetime,
) -> None:
    for kind, (measure, floors) in MEASURES.items():
        found = judge(float(row[measure]), [float(past[measure]) for past in history], floors)
        if found is None or (kind is FindingKind.ERRORS and not is_storm(row["errors"], row["answered"])):
            continue
        sentences = explaining.of_measure(kind, found, hour, answered=row["answered"])
        note_finding(
            names.customers[whose[0]],
            kind,
            subject,
            str(whose[1]),
            names.of(subject, whose[1]),
            explaining.figures(found, sentences),
            at=at,
        )


def same_hours(hour: datetime, zone: ZoneInfo) -> list[datetime]:
    """This hour of the day on each of the days before, the nearest first: by the clocks of the zone."""
    local = hour.astimezone(zone)
    return [(local - timedelta(days=day)).astimezone(UTC) for day in range(1, DAYS + 1)]


def _histories(
    organization: Organization, subject: Subject, wanted: Iterable[Whose], hours: list[datetime], zone: ZoneInfo
) -> dict[Whose, list[Mapping[str, Any]]]:
    """For each of them the sums of those hours, from the day on which it was first seen: quiet ones as zeros."""
    wanted = list(wanted)
    column, daily = COLUMNS[subject]
    of_these = {"organization": organization, f"{column}__in": {value for _, value in wanted}}
    rows = HourlyUsage.objects.filter(hour__in=hours, **of_these).values("customer_id", column, "hour").annotate(**SUMS)
    found = {(row["customer_id"], row[column], row["hour"]): row for row in rows}
    days = daily.objects.filter(
        day__gte=hours[-1] - timedelta(days=1), day__lt=hours[0] + timedelta(days=1), **of_these
    )
    firsts = {
        (row["customer_id"], row[column]): row["first"]
        for row in days.values("customer_id", column).annotate(first=Min("day"))
    }
    quiet = dict.fromkeys(SUMS, Decimal(0))
    return {
        whose: [found.get((*whose, hour), quiet) for hour in hours if whose in firsts and hour >= firsts[whose]]
        for whose in wanted
    }


def _names(organization: Organization, subject: Subject, wanted: Iterable[Whose]) -> Names:
    wanted = list(wanted)
    customers = organization.customers.in_bulk({customer_id for customer_id, _ in wanted})
    keys: dict[UUID, str] = {}
    if subject is Subject.KEY:
        rows = ProxyKey.objects.filter(organization=organization, pk__in=[value for _, value in wanted])
        keys = dict(rows.values_list("pk", "name"))
    return Names(customers, keys)
