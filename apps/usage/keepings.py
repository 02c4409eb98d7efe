"""How much of its usage an organization keeps, as it chooses itself: within what, and what goes by a change.

An organization may choose less than the installation gives, never more: whoever runs that can give an organization more
(platform admin), which it may then have as well.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.usage.keeping import Keeping
from apps.usage.models import DailyTotal, HourlyUsage, Request

CAPS = ("most_end_users", "most_property_values")
LEVELS = {"requests_days": _("Requests"), "hours_days": _("Hourly sums"), "days_days": _("Daily sums")}
OWN = (*CAPS, *LEVELS)
# Caps of a month are counted again from requests and hours; invoices, of a year at most, are made from days.
LEAST = dict.fromkeys(CAPS, 1) | {"requests_days": 31, "hours_days": 31, "days_days": 400}

Values = Mapping[str, int | None]


class Loss(NamedTuple):
    """What there is of a level, from `oldest` on, goes up to `before`."""

    name: str
    oldest: date
    before: date

    @property
    def label(self) -> Any:
        return LEVELS[self.name]


class Level(NamedTuple):
    """For how long something is kept, and from when on there is any. Days 0: for ever. None: there is none."""

    name: str
    days: int
    oldest: date | None

    @property
    def label(self) -> Any:
        return LEVELS[self.name]


@transaction.atomic
def set_keeping(organization: Organization, *, by: User | None, **changes: int | None) -> Keeping:
    """Change some of OWN; None: as the installation has it. What is kept for less goes within some hours.

    Raises ValidationError, nothing changed.
    """
    if unknown := changes.keys() - set(OWN):
        raise TypeError(f"not a part of what is kept: {', '.join(sorted(unknown))}")
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    # Its row is also written by who forgets what is old: locked, and saved by the fields that change.
    keeping, _created = Keeping.objects.select_for_update().get_or_create(organization=organization)
    before = audit.fields_of(keeping, OWN)
    after = before | changes
    if errors := problems(after, before):  # type: ignore[arg-type]
        raise ValidationError(errors)
    if difference := audit.difference(before, after):
        for name in difference:
            setattr(keeping, name, changes[name])
        keeping.full_clean()
        keeping.save(update_fields=list(difference))
        audit.record(organization, "keeping.update", keeping, actor=by, changes=difference)
    return keeping


def own_keeping(organization: Organization) -> Keeping:
    """The organization's own, which may not be saved yet; None in it: as the installation has it."""
    return Keeping.objects.filter(organization=organization).first() or Keeping(organization=organization)


def problems(wanted: Values, own: Values) -> dict[str, Any]:
    """What is wrong with these values, by name; what somebody has already is never wrong."""
    found = {name: problem for name in OWN if wanted[name] != own[name] and (problem := _problem(name, wanted, own))}
    before, held = in_force(own), in_force(wanted)
    is_chosen = any(held[name] != before[name] for name in ("hours_days", "days_days"))
    if is_chosen and _is_longer(held["hours_days"], held["days_days"]):
        found.setdefault("days_days", _("Daily sums are kept for as long as hourly ones, or longer."))
    return found


def _problem(name: str, wanted: Values, own: Values) -> Any:
    value, most = wanted[name], most_of(name, own)
    if value is not None and value < LEAST[name]:
        return _("At least %(least)s.") % {"least": f"{LEAST[name]:,}"}
    if value is not None and most and value > most:
        return _("At most %(most)s; whoever runs this installation can give you more.") % {"most": f"{most:,}"}
    return None


def most_of(name: str, own: Values) -> int:
    """As much as the organization may have; 0: there is no end to it."""
    given = settings.USAGE_KEEPING[name]
    return max(given, own[name] or 0) if given else 0


def in_force(own: Values) -> dict[str, int]:
    """What holds, with the installation's in the place of what isn't set; days 0: for ever."""
    return {name: settings.USAGE_KEEPING[name] if own[name] is None else own[name] or 0 for name in OWN}


def losses(organization: Organization, wanted: Values, own: Values, *, at: datetime) -> list[Loss]:
    """What would go that wouldn't go as it is."""
    now, then = in_force(own), in_force(wanted)
    today = at.astimezone(ZoneInfo(organization.time_zone)).date()
    return [
        Loss(level.name, level.oldest, before)
        for level in _oldest(organization)
        if _is_longer(now[level.name], then[level.name])
        and level.oldest < (before := _first_kept(level.name, today, then[level.name]))
    ]


def _first_kept(name: str, today: date, days: int) -> date:
    """Requests go by whole months (UTC), when no day of them is wanted."""
    since = today - timedelta(days=days)
    return since.replace(day=1) if name == "requests_days" else since


def levels(organization: Organization, own: Values) -> list[Level]:
    """What is kept now."""
    held, oldest = in_force(own), {each.name: each.oldest for each in _oldest(organization)}
    return [Level(name, held[name], oldest.get(name)) for name in LEVELS]


class _Oldest(NamedTuple):
    name: str
    oldest: date


def _oldest(organization: Organization) -> Iterator[_Oldest]:
    """The first day that there is anything of, of each level that there is something of: indexes tell it."""
    zone = ZoneInfo(organization.time_zone)
    kept: dict[str, tuple[QuerySet[Any], str]] = {
        "requests_days": (Request.objects.filter(organization=organization), "started_at"),
        "hours_days": (HourlyUsage.objects.filter(organization=organization), "hour"),
        "days_days": (DailyTotal.objects.filter(organization=organization), "day"),
    }
    for name, (rows, moment) in kept.items():
        first = rows.order_by(moment).values_list(moment, flat=True).first()
        if first is not None:
            yield _Oldest(name, first.astimezone(zone).date())


def _is_longer(one: int, other: int) -> bool:
    """Of days; 0 is for ever."""
    return bool(other) and (not one or one > other)
