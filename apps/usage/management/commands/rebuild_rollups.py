"""manage.py rebuild_rollups [--organization acme] [--since DAY] [--until DAY] [--json]"""

from argparse import ArgumentParser
from typing import Any

from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_days, add_optional_organization, optional_organization, period_of, zone_of
from apps.usage.rebuild import extent, rebuild_rollups


class Command(BaseCommand):
    help = "Makes the hourly roll-ups anew from the requests. Should never be needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        add_days(parser)

    def run(self, **options: Any) -> dict[str, object]:
        organization = optional_organization(options)
        organization_id = organization.pk if organization else None
        known = extent(organization_id)
        if known is None:
            return {"requests": 0}
        zone = zone_of(organization)
        first, last = (instant.astimezone(zone).date() for instant in known)
        period = period_of(options, zone, since=first, until=last)
        requests = rebuild_rollups(since=period.since, until=period.until, organization_id=organization_id)
        return {"since": period.since, "until": period.until, "requests": requests}
