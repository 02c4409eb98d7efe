"""manage.py audit [--organization acme] [--since DAY] [--until DAY] [--json]"""

import sys
from argparse import ArgumentParser
from typing import Any

from apps.kit.commands import Command as BaseCommand
from apps.usage.audit import Audit, audit
from apps.usage.commands import add_days, add_optional_organization, optional_organization, period_of, zone_of


class Command(BaseCommand):
    help = "Proves that the roll-ups are the sums of the requests. Exit code 1 where not, with what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        add_days(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.found.is_equal:
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        organization = optional_organization(options)
        owned = organization.pk if organization else None
        period = period_of(options, zone_of(organization))
        self.found = audit(
            organization_id=owned,
            since=period.since if options["since"] else None,
            until=period.until if options["until"] else None,
        )
        return _told(self.found, as_json=options["json"])


def _told(found: Audit, *, as_json: bool) -> dict[str, object]:
    return {
        "equal": found.is_equal,
        "requests": found.requests,
        "waiting": found.waiting,
        "dead_letters": found.dead_letters,
        "differences": [each._asdict() if as_json else str(each) for each in found.differences],
        "wrong_batches": [each._asdict() if as_json else str(each) for each in found.wrong_batches],
    }
