"""What commands about usage share: days on the command line."""

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError

from apps.accounts.commands import organization_of
from apps.accounts.models import Organization
from apps.usage.queries.periods import Period, midnight

FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2199, 12, 31)  # from before all requests until after them


def add_optional_organization(parser: ArgumentParser) -> None:
    """`--organization`, for commands that are about all of them otherwise."""
    parser.add_argument("--organization", metavar="SLUG", help="only this one's; otherwise everybody's")


def optional_organization(options: Mapping[str, Any]) -> Organization | None:
    """Whom `--organization` names, if it is given."""
    return organization_of(options["organization"]) if options["organization"] else None


def add_days(parser: ArgumentParser) -> None:
    """`--since` and `--until`: the first and the last day, both included."""
    parser.add_argument("--since", type=day, metavar="DAY", help="the first day, such as 2026-03-01")
    parser.add_argument("--until", type=day, metavar="DAY", help="the last day, included")


def period_of(options: Mapping[str, Any], zone: ZoneInfo, *, since: date = FIRST_DAY, until: date = LAST_DAY) -> Period:
    """The days on the command line as a period of `zone`; `since` and `until` stand in for what isn't given."""
    first, last = options["since"] or since, options["until"] or until
    if first > last:
        raise CommandError(f"--since {first} is after --until {last}.")
    return Period(midnight(first, zone), midnight(last + timedelta(days=1), zone))


def zone_of(organization: Organization | None) -> ZoneInfo:
    """In whose days the command line is meant: the organization's, or UTC's."""
    return ZoneInfo(organization.time_zone if organization else "UTC")


def day(text: str) -> date:
    """A date such as 2026-03-01. Raises ValueError."""
    return date.fromisoformat(text)
